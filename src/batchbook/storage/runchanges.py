"""What a run changed as a whole: by sheet and key, before its first save and after its last.

It lies in a temporary table of the ledger, so that looking it up for every row of a sheet takes no memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from batchbook.storage.ledger import Ledger


@dataclass(frozen=True, slots=True)
class RunChange:
    """All that a run did to one row, columns before and after as canonical JSON texts (see `savelog.Change`)."""

    sheet: str
    key: str
    before: str
    after: str
    number: int = 0
    """The row that it stood in when it was written last."""
    lost: bool = False
    """Whether its row was not found, as far as it was looked for."""


class RunChanges:
    """The changes of one run. A later one takes the place of an earlier: there is one table for it."""

    def __init__(self, ledger: Ledger, run: str, *, states: Sequence[str] = ("saved",)) -> None:
        """`states` are those of the saves that count."""
        self._ledger = ledger
        among = ", ".join("?" * len(states))
        with ledger.temporary():
            ledger.execute("DELETE FROM temp.run_changes")
            ledger.execute(
                f"""INSERT INTO temp.run_changes (sheet, key, number, before, after)
                   SELECT c.sheet, c.key, c.number, c.before, c.after FROM saves s JOIN changes c ON c.save = s.id
                   WHERE s.run = ? AND s.state IN ({among}) ORDER BY s.id
                   ON CONFLICT DO UPDATE SET before = merge_cells(excluded.before, before),
                                             after = merge_cells(after, excluded.after),
                                             number = excluded.number""",
                [run, *states],
            )

    def __bool__(self) -> bool:
        return self._ledger.one("SELECT 1 FROM temp.run_changes LIMIT 1") is not None

    def begin(self) -> None:
        """Look for every row anew."""
        self._ledger.execute("UPDATE temp.run_changes SET found = 0 WHERE found")

    def find(self, sheet: str, key: str) -> RunChange | None:
        """The change of one row, which counts as found from now on."""
        sql = "SELECT before, after, number FROM temp.run_changes WHERE sheet = ? AND key = ?"
        row = self._ledger.one(sql, [sheet, key])
        if row is None:
            return None
        self._ledger.execute("UPDATE temp.run_changes SET found = 1 WHERE sheet = ? AND key = ?", [sheet, key])
        return RunChange(sheet, key, *row)

    def leave(self, key: str, sheets: Iterable[str]) -> None:
        """The changes of one row in some sheets are not to be turned: they count as found, `of` leaves them out."""
        for sheet in sheets:
            self._ledger.execute("UPDATE temp.run_changes SET found = 2 WHERE sheet = ? AND key = ?", [sheet, key])

    def missing(self, sheet: str) -> Iterator[str]:
        """The keys of a sheet's rows that were not found."""
        for row in self._ledger.query("SELECT key FROM temp.run_changes WHERE sheet = ? AND NOT found", [sheet]):
            yield row[0]

    def of(self, sheet: str) -> Iterator[RunChange]:
        """All changes in a sheet but those that are left alone."""
        sql = "SELECT sheet, key, before, after, number, NOT found FROM temp.run_changes WHERE sheet = ? AND found < 2"
        for row in self._ledger.query(sql, [sheet]):
            name, key, before, after, number, lost = row
            yield RunChange(name, key, before, after, number, lost=bool(lost))

    def sheets(self) -> list[str]:
        """The sheets that were changed."""
        return [row[0] for row in self._ledger.query("SELECT DISTINCT sheet FROM temp.run_changes ORDER BY sheet")]

    def columns(self, sheet: str) -> list[str]:
        """The headers of the columns that were changed in a sheet, in order of the text."""
        sql = """SELECT DISTINCT j.key FROM temp.run_changes c, json_each(c.after) j WHERE c.sheet = ? ORDER BY j.key"""
        return [row[0] for row in self._ledger.query(sql, [sheet])]


def changed_in(ledger: Ledger, run: str, sheet: str, key: str) -> bool:
    """Whether a run changed a row, as far as its details are kept."""
    sql = """SELECT 1 FROM saves s JOIN changes c ON c.save = s.id
             WHERE s.run = ? AND s.state = 'saved' AND c.sheet = ? AND c.key = ? LIMIT 1"""
    return ledger.one(sql, [run, sheet, key]) is not None
