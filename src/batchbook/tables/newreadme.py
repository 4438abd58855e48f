"""The sheet of a new workbook that explains the others."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from batchbook.tables.newlooks import FILLS, HEADERS, INK, LINE, Look, Looks, prepare_print
from batchbook.tables.plainkinds import MOST_CHARACTERS, Date, Moment, Text, Whole
from batchbook.tables.records import Column, RecordType

WIDTHS = (26.0, 22.0, 9.0, 56.0, 62.0)
WRITERS = {
    "both": "people and commands",
    "machine": "commands only",
    "person": "people only",
    "computed": "calculated",
}
_EXAMPLES = {Date: Date().show(dt.date(2026, 11, 22)), Moment: "2026-11-22T08:30:00+01:00"}

_TITLE = Look(bold=True, size=16, ink=INK)
_HEADING = Look(bold=True, size=13, ink=INK)
_TEXT = Look(wrap=True)
_NAME = Look(wrap=True, bold=True, ruled=True)
_BODY = Look(wrap=True, ruled=True)
_TABLE_HEAD = Look(bold=True, ink=INK, fill=FILLS["readme"])
_MARGIN = 4.0
_BOUNDED = 10**9
"""Whole numbers that end below it have an end that people should know."""


@dataclass(frozen=True, slots=True)
class Note:
    """A heading of the Read me sheet with what stands below it: sentences, or names with what they mean."""

    heading: str
    lines: tuple[str | tuple[str, str], ...]
    below: bool = True
    """Whether it stands below the sheets' columns, rather than above them."""


def write_read_me(page: Any, types: Sequence[RecordType[Any]], title: str, notes: Sequence[Note], looks: Looks) -> None:
    """Write the sheet: the notes above, the colours of headers, each sheet with its columns, the notes below."""
    lines = _Lines(page, looks)
    lines.heading(title, _TITLE)
    for note in notes:
        if not note.below:
            lines.note(note)
    lines.legend({column.owner for kind in types for column in kind.columns}, any(kind.computed for kind in types))
    for kind in types:
        lines.sheet(kind)
    for note in notes:
        if note.below:
            lines.note(note)
    page.close()


class _Lines:
    """Lines of text, each as high as its text needs."""

    def __init__(self, page: Any, looks: Looks) -> None:
        self._page = page
        self._looks = looks
        self._row = 0
        for letter, width in zip("ABCDE", WIDTHS, strict=True):
            page.column_dimensions[letter].width = width
        page.sheet_view.showGridLines = False
        prepare_print(page)

    def heading(self, text: str, look: Look = _HEADING) -> None:
        if self._row:
            self._append([])
        self._append([self._looks.cell(self._page, text, look)], look.size * 1.5)

    def note(self, note: Note) -> None:
        self.heading(note.heading)
        for line in note.lines:
            self._sentence(line) if isinstance(line, str) else self._named(*line)

    def legend(self, owners: set[str], computed: bool) -> None:
        """What the colours of headers mean."""
        self.heading("Headers")
        if owners & {"both", "person"}:
            self._named("Blue", "People write these columns; commands write them too where that is said below.", "both")
        if "machine" in owners:
            self._named("Grey", "Commands write these columns. Please leave them alone.", "machine")
        if computed:
            self._named("Brown", "The workbook calculates these columns.", "computed")

    def sheet(self, kind: RecordType[Any]) -> None:
        """What a sheet of records is for, and what each of its columns means."""
        self.heading(kind.sheet)
        self._sentence(kind.help)
        head = ("Column", "Written by", "Needed", "Values", "What it means")
        self._append([self._looks.cell(self._page, text, _TABLE_HEAD) for text in head], LINE + _MARGIN)
        for column in kind.columns:
            self._columns(
                column.header, WRITERS[column.owner], "yes" if column.required else "", values_of(column), column.help
            )
        for one in kind.computed:
            self._columns(one.header, WRITERS["computed"], "", "", one.help)

    def _columns(self, name: str, *texts: str) -> None:
        cells = [self._looks.cell(self._page, name, _NAME)]
        cells += [self._looks.cell(self._page, text, _BODY) for text in texts]
        high = max(map(_lines, (name, *texts), WIDTHS))
        self._append(cells, high * LINE + _MARGIN)

    def _sentence(self, text: str) -> None:
        self._merge("A")
        self._append([self._looks.cell(self._page, text, _TEXT)], _lines(text, sum(WIDTHS)) * LINE + _MARGIN)

    def _named(self, name: str, text: str, shade: str = "") -> None:
        self._merge("B")
        look = HEADERS[shade] if shade else _NAME
        high = max(_lines(name, WIDTHS[0]), _lines(text, sum(WIDTHS[1:])))
        cells = [self._looks.cell(self._page, name, look), self._looks.cell(self._page, text, _BODY)]
        self._append(cells, high * LINE + _MARGIN)

    def _merge(self, first: str) -> None:
        self._page.merged_cells.add(f"{first}{self._row + 1}:E{self._row + 1}")

    def _append(self, cells: list[Any], high: float = LINE) -> None:
        """Programs other than Excel do not make a row of merged cells as high as its text needs."""
        self._row += 1
        self._page.row_dimensions[self._row].height = high
        self._page.append(cells)
        del self._page.row_dimensions[self._row]


def _lines(text: str, width: float) -> int:
    # Widths count digits, and letters are narrower than those on the average.
    return max(1, math.ceil(len(text) * 0.9 / width))


def values_of(column: Column) -> str:
    """What a column may hold, in words."""
    kind = column.kind
    if column.allowed:
        return ", ".join(column.allowed)
    if column.refers is not None:
        return f"one that is on the sheet {column.refers.sheet}"
    if isinstance(kind, Whole):
        return f"{kind.name} from {kind.low:,}" + (f" to {kind.high:,}" if kind.high < _BOUNDED else "")
    if isinstance(kind, Text) and kind.most < MOST_CHARACTERS:
        return f"{kind.name} of at most {kind.most:,} characters"
    example = _EXAMPLES.get(type(kind))
    return f"{kind.name} such as {example}" if example else kind.name
