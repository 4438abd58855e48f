"""Values of cells in words for people who know Excel and no Python."""

from __future__ import annotations

import datetime as dt
from typing import Any

from batchbook.tables.codec import dumps, unpack
from batchbook.xlsx.values import ErrorValue, Formula, Link


def shown_value(value: object) -> str:
    """A value as it is told: texts in quotes, ``nothing`` for a blank, TRUE and FALSE, dates as ISO 8601."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, dt.datetime):
        # A date in a cell has the time 0:00.
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(" ")
    if isinstance(value, Link):
        return f"{value.text!r} ({value.url})"
    if isinstance(value, ErrorValue):
        return value.code
    if isinstance(value, Formula):
        return f"the formula {value.text!r}"
    return repr(value) if isinstance(value, str) else str(value)


def shown_stored(plain: Any) -> str:
    """The same for a value as the ledger has it (`tables.codec`); whole rows of a sheet as JSON."""
    return dumps(plain) if isinstance(plain, list) else shown_value(unpack(plain))
