"""Values of ISBN workbooks on the command line: as people write them, and as they read them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from batchbook.errors import UsageError

if TYPE_CHECKING:
    from batchbook.isbn.system import IsbnSystem


def isbn_text(system: IsbnSystem, digits: str) -> str:
    """A number as people read it."""
    return str(system.assignments.column("isbn").kind.show(digits))


def day_of(system: IsbnSystem, text: str | None, option: str) -> dt.date | None:
    """The day of a text on the command line; UsageError naming the option where it is none."""
    from batchbook.isbn.fields import read_date
    from batchbook.tables.kinds import Wrong

    if text is None:
        return None
    try:
        return read_date(system, text)
    except Wrong as wrong:
        raise UsageError(f"{option} {text!r} {wrong.said}.", "Give a day such as 2027-03-01.") from None
