"""Changes of records by a job, streamed through the ledger to a save: memory does not grow with them.

They were checked when their rows were processed, and come in the order of these: several of one record become one, and
what their cells held is read from the workbook at last, in one pass a sheet. Commands decide all at once and hold it in
memory (`recordedits`); what a change of a record makes of its sheet is the same for both (`tables.recordsheet`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from batchbook.storage.savelog import Change, SaveLog
from batchbook.storage.scratch import Scratch
from batchbook.tables.codec import canonical, decanonical
from batchbook.tables.keys import key_text
from batchbook.tables.records import RecordChange, RecordType
from batchbook.tables.table import held_in
from batchbook.tables.workspace import RecordTable, Workspace
from batchbook.xlsx import Book, letters
from batchbook.xlsx.values import CellValue

_PAGE = 500


class RecordPlan:
    """A save of record changes on its way. A change that is taken twice for one record becomes one."""

    def __init__(self, workspace: Workspace, types: Sequence[RecordType[Any]], saves: SaveLog) -> None:
        self._saves = saves
        self._workspace = workspace
        self._tables: dict[str, RecordTable[Any]] = {kind.sheet: workspace.table(kind) for kind in types}
        self._sheets = {sheet: table.location for sheet, table in self._tables.items()}
        self._first = {name: sheet.next_row for name, sheet in self._sheets.items()}
        self._next = dict(self._first)
        self._planned: list[Change] = []

    def take(self, wanted: Sequence[RecordChange]) -> None:
        """Plan what was staged since the last time; `wanted` is what was asked for.

        What of that the workbook holds already is known from then on as written by the machine.
        """
        staged = self._workspace.take()
        self.add(staged)
        taken = {(change.sheet, change.key) for change in staged}
        for change in wanted:
            if (change.sheet, change.key) not in taken:
                self._confirm(change)

    def add(self, changes: Iterable[RecordChange]) -> None:
        """Plan changes as they are; those of records that are there need the workspace to have these."""
        self._planned += [self._change(change) for change in changes]
        if len(self._planned) >= _PAGE:
            self._write()

    def _confirm(self, change: RecordChange) -> None:
        """What a change wants holds already: where that is in the workbook, it counts as written by the machine."""
        standing = self._tables[change.sheet].standing_of(change.key)
        if standing is not None and standing.number is not None:
            sheet = self._sheets[change.sheet]
            stands = sheet.change(standing.number, key_text(standing.key_cells), change.after, change.after)
            self._saves.plan_confirmed(stands.sheet, stands.key, stands.after)

    def _write(self) -> None:
        page, self._planned = self._planned, []
        self._saves.plan_more(page)

    def _change(self, change: RecordChange) -> Change:
        sheet, number = self._sheets[change.sheet], None
        if change.before is None:
            before: Mapping[str, CellValue] = dict.fromkeys(change.after)
            key = sheet.key_text({}, change.after)
        else:
            before = {name: change.before[name] for name in change.after}
            standing = self._tables[change.sheet].standing_of(change.key)
            assert standing is not None  # it was staged
            number, key = standing.number, key_text(standing.key_cells)
        if number is None:
            # Behind the last row; of a change to a record that is new itself, the number that it had first counts.
            number = self._next[change.sheet]
            self._next[change.sheet] += change.before is None
        return sheet.change(number, key, before, change.after)

    def finish(self, book: Book) -> None:
        """Let what is planned for rows that are there say what their cells hold as they stand, for an undo.

        One pass over each sheet of which rows change. Called once, after the last `take`.
        """
        self._write()
        for sheet in self._sheets:
            if self._saves.plans_for(sheet):
                self._saves.plan(self._as_they_stand(book, sheet))

    def _as_they_stand(self, book: Book, sheet: str) -> Iterator[Change]:
        columns, last = self._sheets[sheet].by_title, self._first[sheet] - 1
        planned = Scratch("CREATE TABLE planned (number INTEGER PRIMARY KEY, key TEXT, after TEXT);")
        planned.execute_many(
            "INSERT INTO planned VALUES (?, ?, ?)",
            ((one.number, one.key, one.after) for one in self._saves.planned(sheet) if one.number <= last),
        )
        for number, cells in book.rows(sheet, set(columns.values())) if planned.count("planned") else ():
            row = planned.one("SELECT key, after FROM planned WHERE number = ?", (number,))
            if row is not None:
                key, after = row
                held = {title: held_in(cells.get(columns[title])) for title in decanonical(after)}
                yield Change(sheet, key, number, canonical(held), after)

    def cells(self) -> dict[str, Iterator[tuple[int, dict[int, CellValue]]]]:
        """By sheet that changes: its rows in order, cells by column."""
        return {sheet: self._rows(sheet) for sheet in self._sheets if self._saves.plans_for(sheet)}

    def place(self, sheet: str, number: int, title: str) -> str:
        """A cell in words, such as ``F12``."""
        return f"{letters(self._sheets[sheet].by_title[title])}{number}"

    def in_order(self, sheet: str, titles: Iterable[str]) -> list[str]:
        """Headers as people look for them: those of the key, then the others as they stand in the sheet."""
        keys, columns = self._sheets[sheet].key_titles, self._sheets[sheet].by_title
        return sorted(titles, key=lambda title: (title not in keys, columns[title]))

    def is_new(self, sheet: str, number: int) -> bool:
        """Whether a row is one that the plan puts behind the last one."""
        return number >= self._first[sheet]

    def _rows(self, sheet: str) -> Iterator[tuple[int, dict[int, CellValue]]]:
        written = self._sheets[sheet].written
        return ((change.number, written(change)) for change in self._saves.planned(sheet))
