"""What is wrong in the rows of record sheets: any number of findings, in scratch tables."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from batchbook.errors import Finding
from batchbook.storage.scratch import Scratch
from batchbook.tables.codec import dumps, pack, unpack
from batchbook.tables.kinds import Wrong
from batchbook.xlsx.values import CellValue, Link

LONGEST_VALUE = 120
"""Characters of a value that a finding shows; of a longer one it shows the beginning and says how long it is."""
SCHEMA = """
CREATE TABLE findings (place INTEGER PRIMARY KEY, sheet INTEGER NOT NULL, number INTEGER NOT NULL,
    position INTEGER NOT NULL, message TEXT NOT NULL, title TEXT, value TEXT NOT NULL, rule TEXT NOT NULL,
    warning INTEGER NOT NULL);
CREATE INDEX findings_by_row ON findings (sheet, number);
"""
_ADD = "INSERT INTO findings (sheet, number, position, message, title, value, rule, warning) VALUES (?,?,?,?,?,?,?,?)"
_GET = "SELECT sheet, number, message, title, value, rule, warning FROM findings"
_ORDER = "ORDER BY sheet, number, position, place"


class Trouble(NamedTuple):
    """What is wrong with a value: the rule, what is said, and the value as it is shown."""

    rule: str
    said: str
    value: CellValue = None
    warning: bool = False

    @classmethod
    def of(cls, wrong: Wrong, value: CellValue) -> Trouble:
        """What a kind said of a value."""
        return cls(wrong.rule, wrong.said, shortened(value))


def shortened(value: CellValue) -> CellValue:
    """A value for a message: a link as its text, a long text as its beginning and its length."""
    if isinstance(value, Link):
        value = value.text
    if isinstance(value, str) and len(value) > LONGEST_VALUE:
        return f"{value[:LONGEST_VALUE]}... ({len(value):,} characters)"
    return value


def wrong_value(column: str, value: CellValue, wrong: Wrong, place: Finding | None = None) -> Finding:
    """What a kind said of a value that was given. place: a finding whose file, sheet and row are taken over."""
    at = place or Finding("")
    return Finding(wrong.said, at.file, at.sheet, at.row, column, shortened(value), rule=wrong.rule)


class Findings:
    """Any number of findings, in scratch tables, in the order of sheets, rows and columns."""

    def __init__(self, scratch: Scratch, file: str, sheets: tuple[str, ...]) -> None:
        """`scratch` has the tables of `SCHEMA`; `sheets` are named by their place."""
        self._scratch = scratch
        self._file = file
        self._sheets = list(sheets)

    def name_sheet(self, sheet: int, name: str) -> None:
        """Say how the sheet of a place is called in the workbook."""
        self._sheets[sheet] = name

    def add(self, sheet: int, number: int, position: int, title: str, trouble: Trouble) -> None:
        """Keep one: place of the sheet, row, place of the column in its type, and the column in words."""
        value = dumps(pack(trouble.value))
        row = (sheet, number, position, trouble.said, title, value, trouble.rule, trouble.warning)
        self._scratch.execute(_ADD, row)

    def __len__(self) -> int:
        return self._scratch.count("findings")

    def __iter__(self) -> Iterator[Finding]:
        return self._found("")

    def of_row(self, sheet: int, number: int) -> Iterator[Finding]:
        """Those of one row that are no mere warnings."""
        return self._found("WHERE sheet = ? AND number = ? AND NOT warning", sheet, number)

    def of_sheet(self, sheet: int) -> Iterator[Finding]:
        """Those of one sheet that are no mere warnings."""
        return self._found("WHERE sheet = ? AND NOT warning", sheet)

    def _found(self, where: str, *values: Any) -> Iterator[Finding]:
        for sheet, number, message, title, value, rule, warning in self._scratch.query(
            f"{_GET} {where} {_ORDER}", values
        ):
            held = unpack(json.loads(value))
            yield Finding(
                message, self._file, self._sheets[sheet], number, title, held, rule=rule, warning=bool(warning)
            )

    @property
    def errors(self) -> int:
        """How many of them are no mere warnings."""
        row = self._scratch.one("SELECT count(*) FROM findings WHERE NOT warning")
        return int(row[0]) if row else 0
