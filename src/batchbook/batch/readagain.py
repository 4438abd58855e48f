"""Reading rows again as a run read them, without its job: whether their inputs are still those that it read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from batchbook.storage.ledger import Ledger, RunRecord
from batchbook.storage.pruning import pruned_run
from batchbook.storage.runlog import RunLog
from batchbook.storage.runrows import RunRows
from batchbook.storage.turns import results_of
from batchbook.tables.row import Row
from batchbook.tables.table import Table, TableSpec
from batchbook.xlsx import Book

READ = "read"
"""In a run's settings, under `table`: how its rows were read; None where they came from another file."""


def as_read(table: Table) -> dict[str, Any]:
    """How a job reads its rows, as plain data: what it takes to read them again so that digests come out the same."""
    spec = table.spec
    return {
        "header_row": spec.header_row,
        "key": list(spec.key),
        "headers": {name: list(headers) for name, headers in spec.wanted().items()},
        "reads": None if spec.reads is None else list(spec.reads),
        "writes": list(spec.writes),
        "changes": list(spec.changes),
    }


def spec_read(sheet: str, read: Mapping[str, Any]) -> TableSpec:
    """The inverse of `as_read`, for a sheet of this name."""
    headers = {name: tuple(titles) for name, titles in read["headers"].items()}
    reads = None if read["reads"] is None else tuple(read["reads"])
    return TableSpec(
        sheet,
        read["header_row"],
        tuple(read["key"]),
        headers,
        reads,
        tuple(read["writes"]),
        tuple(read.get("changes", ())),
    )


class InputsOf:
    """The inputs of the run whose results another one (or itself) left in the workbook."""

    def __init__(self, ledger: Ledger, run: RunRecord) -> None:
        self._ledger = ledger
        self._origin = results_of(ledger, run)
        plan: Mapping[str, Any] = (self._origin.settings.get("table") if self._origin else None) or {}
        self._read: Mapping[str, Any] | None = plan.get(READ)
        pruned = self._origin is not None and pruned_run(ledger, self._origin.id) is not None
        self.unknown = self._origin is not None and (READ not in plan or pruned)
        """Whether nobody knows what was read: an older run, or one whose details were pruned."""
        if self.unknown:
            self._read = None

    @property
    def job(self) -> str:
        """The job that does a row again."""
        return self._origin.job if self._origin else ""

    def begin(self, book: Book) -> Table | None:
        """The table to read rows by; None where there is nothing to compare. ConfigurationError as of `Table`."""
        if self._origin is None or self._read is None:
            return None
        table = Table(book, spec_read(self._origin.sheet, self._read))
        with self._ledger.temporary():
            self._rows = RunRows(RunLog(self._ledger, self._origin))
        return table

    def differ(self, key: str, row: Row) -> bool:
        """Whether a row's inputs are not those of the result that the run wrote beside them; after `begin`."""
        known = self._rows.find(key)
        if known is None:
            return False  # the run took no such row: it only said why
        # A result that the workbook does not have is another one than what the run had written there before.
        return known.outcome is None or not known.saved or row.digest() != known.outcome.inputs
