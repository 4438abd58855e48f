"""What a cell is weighed against in a merge: what it held when the run took it, and what the machine wrote there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from batchbook.storage.celltexts import folded
from batchbook.storage.lastwritten import last_written
from batchbook.storage.ledger import Ledger
from batchbook.storage.savelog import has_unsure, unsure_cells
from batchbook.storage.wrotelog import any_vanished, vanished_cells
from batchbook.tables.codec import decanonical, same
from batchbook.tables.merge import LOST, NEVER, Never
from batchbook.xlsx.values import CellValue


class RowHistory:
    """What the machine wrote last in a row, and what it may have written: canonical texts of header to value."""

    def __init__(self, last: str | None = "{}", unsure: str = "{}", vanished: str = "{}") -> None:
        """`last` is None where the ledger's record of it is damaged; `vanished` has what the cells hold again."""
        self._last = {folded(title): value for title, value in decanonical(last or "{}").items()}
        self._never: Never = LOST if last is None else NEVER
        self._vanished = decanonical(vanished)
        self.unsure = decanonical(unsure)

    def before(self, other: RowHistory) -> RowHistory:
        """This history, and for the columns that it does not know the other one's.

        Of a row that goes by its key and place, some cells may have been written under that, and others under its key.
        """
        if self._never is LOST:
            return self
        found = RowHistory()
        found._last = {**other._last, **self._last}
        found._never = other._never
        found._vanished = {**self._not_known(other._vanished), **self._vanished}
        found.unsure = {**self._not_known(other.unsure), **self.unsure}
        return found

    def _not_known(self, cells: Mapping[str, CellValue]) -> dict[str, CellValue]:
        return {title: value for title, value in cells.items() if not self.wrote(title)}

    def wrote(self, title: str) -> bool:
        """Whether the machine is known to have written the cell under a header."""
        return folded(title) in self._last

    def of(self, titles: Sequence[str], now: CellValue, before_run: CellValue) -> tuple[CellValue, CellValue | Never]:
        """What a cell held when the run took its row, and what the machine wrote there last.

        `titles` are the headers it may have been written under; the first is the one that it has now.
        """
        written = next((self._last[one] for one in map(folded, titles) if one in self._last), self._never)
        if titles[0] in self.unsure and same(now, self.unsure[titles[0]]):
            # What a save was to write of which nobody knew whether it was made: it was, and the machine made it.
            before_run = written = now
        if titles[0] in self._vanished and same(now, self._vanished[titles[0]]):
            # An older copy of the workbook was saved over what the machine wrote: no person's edit.
            written = now
        return before_run, written


class CellHistories:
    """The histories of a workbook's rows, as a ledger has them for one run."""

    def __init__(self, ledger: Ledger, workbook: str, run: str | None) -> None:
        self._ledger = ledger
        self._workbook = workbook
        self._unsure_run = run if run is not None and has_unsure(ledger, run) else None
        self._any_vanished = any_vanished(ledger)

    def of(self, sheet: str, keys: Sequence[str]) -> dict[str, RowHistory]:
        """The histories of rows by key text; rows that the machine never wrote have none."""
        last = last_written(self._ledger, self._workbook, sheet, keys)
        unsure = unsure_cells(self._ledger, self._unsure_run, sheet, keys) if self._unsure_run else {}
        vanished = vanished_cells(self._ledger, sheet, keys) if self._any_vanished else {}
        return {
            key: RowHistory(last.get(key, "{}"), unsure.get(key, "{}"), vanished.get(key, "{}"))
            for key in last.keys() | unsure.keys()
        }
