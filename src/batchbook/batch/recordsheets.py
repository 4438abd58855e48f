"""Where the records of a system stand in an opened workbook, and which cells their changes write."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from batchbook.errors import EXIT_USAGE, BatchbookError, CannotSave, Finding
from batchbook.storage.celltexts import folded
from batchbook.storage.savelog import Change, SaveLog
from batchbook.tables.codec import canonical, pack, same, unpack
from batchbook.tables.header import Header, find_header
from batchbook.tables.keys import key_of_text, key_shown, key_text, named
from batchbook.tables.records import Column, RecordChange, RecordType
from batchbook.tables.workspace import Workspace
from batchbook.xlsx import Book, Cell, SheetLayout, letters
from batchbook.xlsx.values import CellValue, Formula, Link

MOST_FINDINGS = 50
"""So many places are named where something cannot be written."""


class CellsRefused(BatchbookError, code="cells-refused", exit_code=EXIT_USAGE):
    """Cells that a change would write cannot be written; nothing was changed."""


@dataclass(frozen=True, slots=True)
class RecordSheet:
    """The sheet of one type in a workbook: its name as it stands there, its header, and what is around its cells."""

    kind: RecordType[Any]
    sheet: str
    header: Header
    layout: SheetLayout

    @classmethod
    def find(cls, book: Book, kind: RecordType[Any], also: Iterable[str] = ()) -> RecordSheet:
        """The sheet of a type; `also` names further headers that are wanted. Raises ConfigurationError."""
        sheet = book.sheet(kind.sheet).name
        wanted: dict[str, tuple[str, ...]] = {column.name: column.headers for column in kind.columns}
        wanted.update((title, (title,)) for title in also)
        return cls(kind, sheet, find_header(book, sheet, wanted), book.layout(sheet))

    @property
    def key_titles(self) -> list[str]:
        """The headers of the key columns, as they stand in the sheet."""
        return [self.header.titles[name] for name in self.kind.key]

    @property
    def columns(self) -> set[int]:
        """The numbers of all columns that are known."""
        return set(self.header.columns.values())

    @property
    def free(self) -> int:
        """The row behind the last one."""
        return max(self.layout.last_row, self.header.row) + 1

    def name_of(self, title: str) -> str | None:
        """The own name of a column by a header that it has or may have; None where the type has no such column."""
        return next((column.name for column in self.kind.columns if title_of(column, title)), None)

    def place(self, number: int, name: str) -> str:
        """A cell in words, such as ``F12 (Title)``."""
        return f"{letters(self.header.columns[name])}{number} ({self.header.titles[name]})"

    def held(self, cells: Mapping[int, Cell], name: str) -> CellValue:
        """What a cell of a row holds; a formula that a person put there is no value, whatever it shows."""
        cell = cells.get(self.header.columns[name])
        if cell is None or cell.value == "":
            return None
        if cell.formula is not None and not isinstance(cell.value, Link):
            return Formula(cell.formula, cell.shown())
        return cell.value

    def key_text(self, cells: Mapping[int, Cell], after: Mapping[str, CellValue]) -> str:
        """The key of a row as the ledger has it, once `after` is written into it."""
        values = {}
        for name in self.kind.key:
            cell = cells.get(self.header.columns[name])
            stands = cell.value if cell is not None else None
            # As it is read back from a cell: a date there has a time.
            values[name] = unpack(pack(after[name])) if name in after else stands
        return key_text(named(self.kind.key, values))

    def rows_at(self, book: Book, numbers: Collection[int]) -> dict[int, dict[int, Cell]]:
        """The known cells of some rows, by row number."""
        return book.rows_at(self.sheet, numbers, self.columns)


def title_of(column: Column, title: str) -> bool:
    """Whether a text is a header of a column."""
    return folded(title) in map(folded, column.headers)


def canonical_key(kind: RecordType[Any], text: str) -> tuple[str, ...]:
    """The canonical key of the texts of key cells (`keys.key_text`); the texts themselves where they are none."""
    parts = key_of_text(text)
    try:
        columns = [kind.column(name) for name in kind.key]
        return tuple(
            str(column.kind.store(column.kind.parse(part))) for column, part in zip(columns, parts, strict=True)
        )
    except ValueError:  # of a kind (`Wrong`), or of another number of parts
        return parts


def tables_of(sheets: Iterable[RecordSheet]) -> dict[str, dict[str, Any]]:
    """What a run's settings keep under ``tables``: how the rows of each sheet are named, and whether they stay."""
    return {one.kind.sheet: {"key": one.key_titles, "append_only": one.kind.append_only} for one in sheets}


@dataclass
class RecordEdits:
    """What is to be written: by row of each sheet, as the ledger keeps it."""

    changes: list[Change] = field(default_factory=list)
    cells: dict[str, dict[int, dict[int, CellValue]]] = field(default_factory=dict)
    """By sheet and row: value by column."""
    keys: list[tuple[str, str, str]] = field(default_factory=list)
    """Of rows that are there and get values: sheet, key, and the key cells as canonical text."""
    _last: dict[str, int] = field(default_factory=dict)

    def plan(self, saves: SaveLog) -> None:
        """Make this the plan of a save.

        A row that the machine writes into is known from then on as one that was there (see `lostkeys`), whoever had
        entered it.
        """
        saves.clear_plan()
        saves.plan_more(self.changes)
        for sheet, key, cells in self.keys:
            saves.plan_confirmed(sheet, key, cells)

    def rows(self) -> dict[str, Iterator[tuple[int, dict[int, CellValue]]]]:
        """The cells for a save, by sheet, rows ascending; new iterators each time."""
        return {sheet: iter(sorted(rows.items())) for sheet, rows in self.cells.items()}

    def free(self, sheet: RecordSheet) -> int:
        """The row behind the last one of a sheet, once all this is written."""
        return max(sheet.free, self._last.get(sheet.sheet, 0) + 1)

    def add(
        self,
        sheet: RecordSheet,
        number: int,
        key: str,
        before: Mapping[str, CellValue],
        after: Mapping[str, CellValue],
    ) -> None:
        """Write cells of a row, given under the columns' own names."""
        titles, columns = sheet.header.titles, sheet.header.columns
        held, wanted = ({titles[name]: value for name, value in side.items()} for side in (before, after))
        self.changes.append(Change(sheet.kind.sheet, key, number, canonical(held), canonical(wanted)))
        if not any(name in after for name in sheet.kind.key):
            cells = dict(zip(sheet.key_titles, key_of_text(key), strict=True))
            self.keys.append((sheet.kind.sheet, key, canonical(cells)))
        self._last[sheet.sheet] = max(number, self._last.get(sheet.sheet, 0))
        row = self.cells.setdefault(sheet.sheet, {}).setdefault(number, {})  # a run may know it by two keys
        row.update((columns[name], value) for name, value in after.items())


def plan_records(
    book: Book,
    sheets: Sequence[RecordSheet],
    workspace: Workspace,
    changes: Sequence[RecordChange],
    edits: RecordEdits | None = None,
) -> RecordEdits:
    """The cells that some changes of records write, one change a record; added to `edits`, if that is given.

    The workspace was read from this book. New records come behind the last row of their sheet, in the order given.
    Raises CellsRefused with every cell that cannot be written, CannotSave where a record has no row of its own.
    """
    edits = RecordEdits() if edits is None else edits
    findings: list[Finding] = []
    for sheet in sheets:
        mine = [change for change in changes if change.sheet == sheet.kind.sheet]
        if mine:
            _plan_sheet(book, sheet, workspace, mine, edits, findings)
    if findings:
        count = f"{len(findings)} cells" if len(findings) > 1 else "A cell"
        raise CellsRefused(
            f"{count} of {book.path.name} cannot be written; nothing was changed.",
            "Mend the places named in the workbook, then do it again.",
            findings=findings[:MOST_FINDINGS],
        )
    return edits


def _plan_sheet(
    book: Book,
    sheet: RecordSheet,
    workspace: Workspace,
    changes: Sequence[RecordChange],
    edits: RecordEdits,
    findings: list[Finding],
) -> None:
    there = [(row_of(book, workspace, sheet, change), change) for change in changes if change.before is not None]
    rows = sheet.rows_at(book, {number for number, _ in there})
    for number, change in there:
        cells = rows.get(number, {})
        held = {name: sheet.held(cells, name) for name in change.after}
        differing = [name for name in change.after if not same(held[name], change.after[name])]
        for name in differing:
            findings += _refused(book, sheet, number, name, held[name])
        if differing:
            after = {name: change.after[name] for name in differing}
            edits.add(sheet, number, sheet.key_text(cells, after), {n: held[n] for n in differing}, after)
    new = [change for change in changes if change.before is None]
    for number, change in enumerate(new, start=edits.free(sheet)):
        after = {name: value for name, value in change.after.items() if value is not None}
        for name in after:
            findings += _refused(book, sheet, number, name, None)
        edits.add(sheet, number, sheet.key_text({}, after), dict.fromkeys(after), after)


def row_of(book: Book, workspace: Workspace, sheet: RecordSheet, change: RecordChange) -> int:
    """The row of a record that is there. Raises CannotSave where it has none, or several."""
    numbers = workspace.table(sheet.kind).numbers(change.key)
    if len(numbers) == 1:
        return numbers[0]
    what = f"stands in {len(numbers)} rows" if numbers else "has no row"
    raise CannotSave(
        f"The record {key_shown(change.key)} {what} of {book.path.name}, sheet {sheet.sheet}; nothing was changed.",
        "Mend the sheet, then do it again.",
        findings=[Finding(f"the key {key_shown(change.key)} {what}", book.path.name, sheet.sheet, n) for n in numbers],
    )


def why_locked(sheet: RecordSheet, number: int | None, name: str) -> str | None:
    """Why a cell cannot be written, None where it can (and of a row that is not there yet)."""
    return None if number is None else sheet.layout.locked(number, sheet.header.columns[name])


def _refused(book: Book, sheet: RecordSheet, number: int, name: str, held: CellValue) -> Iterator[Finding]:
    """Why a cell cannot be written, if it cannot."""
    said, value = why_locked(sheet, number, name), None
    if said is None and isinstance(held, Formula):
        said, value = "it holds a formula, which would be lost", f"={held.text}"
    if said is not None:
        place = f"{letters(sheet.header.columns[name])} ({sheet.header.titles[name]})"
        yield Finding(f"cannot be written: {said}", book.path.name, sheet.sheet, number, place, value, rule="cell")
