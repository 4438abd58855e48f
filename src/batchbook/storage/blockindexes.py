"""The indexes of workbooks whose sheets are laid down as blocks, kept in the ledger under the workbook's digest."""

from __future__ import annotations

from collections.abc import Mapping

from batchbook.storage.ledger import Ledger
from batchbook.xlsx import SheetIndex


class BlockIndexes:
    """The indexes of one workbook (its name in the ledger). Those of its two latest states are kept."""

    def __init__(self, ledger: Ledger, workbook: str) -> None:
        self._ledger = ledger
        self._workbook = workbook
        self._latest: dict[tuple[str, str], SheetIndex] = {}

    def find(self, digest: str, part: str) -> SheetIndex | None:
        """The index of a part of the workbook with this digest; one that cannot be read counts as none."""
        found = self._latest.get((digest, part))
        if found is not None:
            return found
        row = self._ledger.one(
            "SELECT content FROM blocks WHERE workbook = ? AND digest = ? AND part = ?", [self._workbook, digest, part]
        )
        if row is None:
            return None
        try:
            return SheetIndex.unpack(row[0])
        except ValueError:
            return None

    def keep(self, old: str, new: str, indexes: Mapping[str, SheetIndex]) -> None:
        """Keep the indexes of a new state beside those of the old one, and no others. Within a transaction."""
        run = self._ledger.execute
        run("DELETE FROM blocks WHERE workbook = ? AND digest <> ?", [self._workbook, old])
        for part, index in indexes.items():
            run("INSERT OR REPLACE INTO blocks VALUES (?, ?, ?, ?)", [self._workbook, new, part, index.pack()])
        self._latest = {(new, part): index for part, index in indexes.items()}

    def forget(self) -> None:
        """Drop all: the next save writes whole sheets."""
        self._latest = {}
        self._ledger.execute("DELETE FROM blocks WHERE workbook = ?", [self._workbook])
