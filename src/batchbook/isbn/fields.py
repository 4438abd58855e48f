"""Values of single fields as people give them: on a command line, in a CSV file, in cells of an import."""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from batchbook.config import did_you_mean
from batchbook.errors import Finding
from batchbook.isbn.agencywords import FORMAT_WORDS
from batchbook.tables.dates import parse_date
from batchbook.tables.findings import wrong_value
from batchbook.tables.kinds import CellValue, ErrorValue, Wrong
from batchbook.tables.plainkinds import Date

if TYPE_CHECKING:
    from batchbook.isbn.system import IsbnSystem

EDITABLE: Final = ("title", "book_id", "scheduled_date", "priority", "notes", "format", "imprint", "publisher")
"""What people can change of a booking."""
MOST_CHARACTERS: Final[Mapping[str, int]] = {"notes": 10_000, "reason": 1_000}
"""Longer texts than these (or 500 characters) are no title and no name, but something that slipped in."""
_MOST: Final = 500
_LINES: Final = frozenset("\n\t\r")
_MANY_LINES: Final = ("notes", "reason")


def read_field(system: IsbnSystem, name: str, value: Any, shown: str | None = None) -> Any:
    """The value of a field of an assignment, None where it is blank. Raises Wrong.

    value: a text, a cell's value, or of the field's type. shown: what people see in the cell.
    """
    if isinstance(value, ErrorValue):
        raise Wrong("error-value", f"holds the error value {value.code}")
    if isinstance(value, bool):
        raise Wrong("cell-type", "holds true or false")
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    # What its format hides is there all the same.
    text = value if isinstance(value, str) else shown if shown and shown.strip() else _plain(value)
    _check_text(name, text)
    if name == "scheduled_date":
        if isinstance(value, str):
            return read_date(system, text)
        return Date().read(value, text)
    if name == "format":
        return _format(system, text)
    column = system.assignments.column(name)
    return column.kind.read(value, text)


def read_date(system: IsbnSystem, text: str) -> dt.date:
    """The day that a text means. Raises Wrong, which says what is to be configured where two days can be meant."""
    try:
        return parse_date(text, system.date_order, system.zone)
    except Wrong as wrong:
        order = "write `isbn: {date_order: dmy}` (or mdy) into config/batchbook.yaml"
        raise Wrong(wrong.rule, wrong.said.replace("say which order dates have", order)) from None


def _plain(value: CellValue) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _check_text(name: str, text: str) -> None:
    most = MOST_CHARACTERS.get(name, _MOST)
    if len(text) > most:
        raise Wrong("length", f"has {len(text):,} characters; at most {most:,} are allowed")
    if text.isprintable():
        return  # none of the categories below is, nor a byte that is no UTF-8
    allowed = _LINES if name in _MANY_LINES else frozenset[str]()
    for place, character in enumerate(text.strip(), 1):
        if "\udc80" <= character <= "\udcff":  # a byte of an argument that is no UTF-8
            byte = f"the byte 0x{ord(character) - 0xDC00:02X}"
            raise Wrong("encoding", f"is not in UTF-8 ({byte} as character {place}); type it anew")
        if character not in allowed and unicodedata.category(character) in ("Cc", "Cs", "Cn", "Zl", "Zp"):
            said = "a line break" if character in "\n\r" else f"the control character U+{ord(character):04X}"
            raise Wrong("control-character", f"has {said} as character {place}; take it out")


def _format(system: IsbnSystem, text: str) -> str:
    wanted = " ".join(text.split()).casefold()
    for known in system.formats:
        if known.casefold() == wanted:
            return known
    meant = next((form for form in system.formats if wanted in FORMAT_WORDS.get(form, ())), None)
    near = f"; did you mean {meant!r}?" if meant else did_you_mean(text, system.formats)
    listed = f"{' Allowed' if near else '; allowed'}: {', '.join(system.formats)}"
    raise Wrong("not-allowed", f"is no format that is known{near}{listed}")


def read_fields(
    system: IsbnSystem,
    values: Mapping[str, Any],
    *,
    shown: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    place: Finding | None = None,
    names: Sequence[str] | None = None,
) -> tuple[dict[str, Any], list[Finding]]:
    """The values of fields, and a finding for each that is wrong.

    headers: how the columns are called in findings. place: the file, sheet and row for findings. names: the fields to
    be read; all of them where None.
    """
    read: dict[str, Any] = {}
    found: list[Finding] = []
    for name in values if names is None else names:
        value = values.get(name)
        try:
            read[name] = read_field(system, name, value, None if shown is None else shown.get(name))
        except Wrong as wrong:
            found.append(wrong_value(title_of(system, name, headers), value, wrong, place))
    return read, found


def title_of(system: IsbnSystem, name: str, headers: Mapping[str, str] | None = None) -> str:
    """What a field's column is called."""
    return (headers or {}).get(name) or system.assignments.column(name).header


def shown_value(system: IsbnSystem, name: str, value: Any) -> str:
    """A field's value as text."""
    return str(system.assignments.column(name).kind.show(value))
