"""The sheets of an ISBN workbook as the commands work on them: typed, with the history and what is remembered."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from batchbook.batch.systems import Actor
from batchbook.isbn.allocation import by_preference, shortage
from batchbook.isbn.bookingpast import NOBODY, past_of
from batchbook.isbn.chronicle import is_given, life_of, lives
from batchbook.isbn.errors import IsbnRefused, UnknownIsbn, WrongValues
from batchbook.isbn.freenumbers import FreeNumbers
from batchbook.isbn.numbers import isbn_of
from batchbook.isbn.records import Assignment, Block, HistoryEntry
from batchbook.isbn.states import CHECK, FREE
from batchbook.tables.filters import Between
from batchbook.tables.findings import shortened, wrong_value
from batchbook.tables.kinds import Wrong
from batchbook.tables.workspace import RecordTable, Unsound, Workspace

if TYPE_CHECKING:
    from batchbook.isbn.system import IsbnSystem


class Memory:
    """What commands on one workspace remember from one to the next; all of it can be found out again."""

    def __init__(self) -> None:
        self.entries: dict[str, int] = {}
        """By run: the number of its last history row."""
        self.free: dict[str, FreeNumbers] = {}
        """By block."""
        self.blocks: list[Block] = []
        self.version: int | None = None
        """The version of the records of blocks (`RecordTable.version`) that they were read in."""
        self.orders: dict[tuple[str | None, str | None], list[Block]] = {}
        """By imprint and publisher: the blocks, the best one first."""
        self.sound = False
        """Whether the sheets were found sound; what is staged cannot make them otherwise."""


class Session:
    """One workspace under the system's rules."""

    def __init__(self, workspace: Workspace, system: IsbnSystem) -> None:
        self.workspace = workspace
        self.system = system
        self.blocks: RecordTable[Block] = workspace.table(system.blocks)
        self.assignments: RecordTable[Assignment] = workspace.table(system.assignments)
        self.history: RecordTable[HistoryEntry] = workspace.table(system.history)
        self.lost = workspace.lost(system.assignments)
        self._memory = system.memory_of(workspace)
        # A command asks the same of one number again and again: the last answers, with what they were true for.
        self._block: tuple[tuple[str, int], Block | None] | None = None
        self._given: tuple[tuple[str, int], bool] | None = None

    def must_be_sound(self) -> None:
        """Raise Unsound where a row of blocks or assignments breaks a rule: numbers are given on sound sheets only."""
        if self._memory.sound:
            return
        self.blocks.must_be_sound(CHECK)
        self.assignments.must_be_sound(CHECK)
        self._memory.sound = True

    def read(self, isbn: str, column: str = "isbn") -> str:
        """The 13 digits of an ISBN in any form. Raises WrongValues."""
        try:
            return self.system.isbn.parse(isbn)
        except Wrong as wrong:
            found = wrong_value(self.system.assignments.column(column).header, isbn, wrong)
            raise WrongValues(
                f"{shortened(isbn)!r} {wrong.said}.", "Give the number as it is printed.", findings=[found]
            ) from None

    def show(self, isbn: str) -> str:
        """An ISBN for people."""
        return str(self.system.isbn.write(isbn))

    def row(self, isbn: str) -> Assignment | None:
        """The row of a number of a block, None for one that is untouched. Raises UnknownIsbn for any other number."""
        found = self.assignments.get(isbn)
        if found is None and self.block_of(isbn) is None:
            raise UnknownIsbn(
                f"ISBN {self.show(isbn)} is in no row and in no block of {self.workspace.file}.",
                "Look for the number with `batchbook isbn search`, or enter its block with `batchbook isbn add-block`.",
            )
        return found

    def existing(self, isbn: str) -> Assignment:
        """The row of a number that was touched. Raises UnknownIsbn."""
        found = self.assignments.get(isbn)
        if found is None and self.is_lost(isbn):
            raise self.gone(isbn)
        if found is None:
            found = self.row(isbn)
        if found is None:
            steps = life_of(self.history, isbn).steps
            was = "was given back, and is free" if steps else "was never scheduled or reserved"
            raise UnknownIsbn(
                f"ISBN {self.show(isbn)} {was}: it has no row in {self.workspace.file}.",
                "Schedule or reserve it first." + (" `batchbook isbn show` tells its history." if steps else ""),
            )
        return found

    def gone(self, isbn: str) -> IsbnRefused:
        """The error about a number that was given and has no row any more."""
        state = life_of(self.history, isbn).status
        was = f" (it was {state})" if is_given(state) else ""
        return IsbnRefused(
            f"ISBN {self.show(isbn)} was given once{was}, and its row is not in {self.workspace.file} any more.",
            f"Put the row back: {self.way_back(isbn)}; or take another number.",
        )

    def way_back(self, isbn: str) -> str:
        """How a row that is gone, or set back to available, is put right, in words."""
        past = past_of(self.history, isbn)
        if past.now == NOBODY:
            return (
                f"`batchbook runs list` shows which commands wrote {self.show(isbn)}: do `batchbook runs reapply RUN` "
                "for each since then, the oldest first; or look at `batchbook backups list`"
            )
        if self.assignments.there((isbn,)):
            return f"type {life_of(self.history, isbn).status} back into its Status"
        runs = [f"`batchbook runs reapply {run}`" for run in past.put_back_by()]
        return f"{', then '.join(runs)}{'; ' if runs else ''}`batchbook backups list` has older copies"

    def block_of(self, isbn: str) -> Block | None:
        """The block that a number lies in; the first in the sheet where blocks overlap."""
        asked = isbn, self.blocks.version
        if self._block is None or self._block[0] != asked:
            self._block = asked, next((one for one in self._all_blocks() if one.first <= isbn <= one.last), None)
        return self._block[1]

    def block_named(self, name: str) -> Block | None:
        """The block of a name, with its hyphens or without; None where there is none, or two could be meant."""
        exact = self.blocks.get(name.strip())
        if exact is not None:
            return exact
        found = [block for block in self.blocks.where() if _name(block.block) == _name(name)]
        return found[0] if len(found) == 1 else None

    def taken(self, isbn: str) -> bool:
        """Whether a number is not free to be given: its row is not available, or it is lost."""
        try:
            row = self.assignments.get(isbn)
        except Unsound:
            return True
        return (row is not None and row.status != FREE) or self.is_lost(isbn)

    def is_lost(self, isbn: str) -> bool:
        """Whether a number is given though no row says so: the ledger knows it, or the history does.

        Its row was deleted, or an older copy of the workbook took it away or set it back.
        """
        if (isbn,) in self.lost:
            return True
        asked = isbn, self.history.version
        if self._given is None or self._given[0] != asked:
            # Of most numbers that are asked for there is none: to count steps takes less than to put them in order.
            known = self.history.count(isbn=isbn, field="status") > 0
            self._given = asked, known and is_given(life_of(self.history, isbn).status)
        return self._given[1]

    def lost_numbers(self) -> set[str]:
        """All numbers that are lost: without a row, or with one that says available."""
        given = (life.isbn for life in lives(self.history) if is_given(life.status))
        gone = {isbn for isbn in given if not self.assignments.there((isbn,))}
        back = {row.isbn for row in self.assignments.where(status=FREE) if self.is_lost(row.isbn)}
        return gone | back | set(self.lost_by_ledger())

    def unsure_numbers(self) -> set[str]:
        """The numbers whose row breaks a rule: what they are is not known."""
        return {isbn for (isbn,) in self.assignments.unsound_keys()}

    def lost_by_ledger(self) -> Iterator[str]:
        """The numbers that the ledger knows to be lost and that have no row."""
        return (isbn for isbn in self._known_lost() if not self.assignments.there((isbn,)))

    def freed_by_ledger(self) -> Iterator[str]:
        """The numbers whose row says available, though a command had put them in another state last."""
        return (isbn for isbn in self._known_lost() if self.assignments.count(isbn=isbn, status=FREE))

    def _known_lost(self) -> Iterator[str]:
        known = self.lost if isinstance(self.lost, Collection) else ()
        return (isbn for (isbn,) in known)

    def best_blocks(self, imprint: str | None, publisher: str | None) -> list[Block]:
        """The blocks, those first that suit an imprint and a publisher best."""
        memory, blocks = self._memory, self._all_blocks()
        if (imprint, publisher) not in memory.orders:
            memory.orders[imprint, publisher] = by_preference(blocks, imprint, publisher)
        return memory.orders[imprint, publisher]

    def _all_blocks(self) -> list[Block]:
        """The sound blocks in the sheet's order, read once as long as none is staged."""
        memory = self._memory
        if memory.version != self.blocks.version:
            memory.blocks, memory.version = list(self.blocks.where()), self.blocks.version
            memory.orders.clear()
        return memory.blocks

    def next_free(self, block: Block) -> str | None:
        """The lowest free number of a block; it may be given again as long as it has no row."""
        known = self._memory.free.get(block.block)
        if known is None or (known.first, known.last) != (block.first, block.last):
            known = self._memory.free[block.block] = FreeNumbers(block.first, block.last)
        return known.next(self)

    def best_free(self, imprint: str | None, publisher: str | None) -> str:
        """The next free number of the best block. Raises NoNumberLeft with the figures of all blocks."""
        blocks = self.best_blocks(imprint, publisher)
        found = next(filter(None, map(self.next_free, blocks)), None)
        if found is None:
            raise shortage(blocks)
        return found

    def given_back(self, isbn: str) -> None:
        """A number of whatever block became free."""
        for known in self._memory.free.values():
            known.back(isbn)

    def available_rows(self, first: str, last: str) -> Iterator[str]:
        """The numbers between two that have a row and are available."""
        return (row.isbn for row in self.assignments.where(status=FREE, isbn=Between(first, last)))

    def has_row(self, isbn: str) -> bool:
        """Whether a number has a row, in whatever state."""
        try:
            return self.assignments.get(isbn) is not None
        except Unsound:
            return True

    def rows_between(self, first: int, last: int) -> int:
        """How many numbers from one core to another have a row."""
        return self.assignments.count(isbn=Between(isbn_of(first), isbn_of(last)))

    def record(
        self,
        actor: Actor,
        what: str,
        isbn: str,
        field: str,
        before: str | None,
        after: str | None,
        reason: str | None = None,
    ) -> HistoryEntry:
        """Stage a row of the history."""
        entry = HistoryEntry(
            entry=self.next_entry(actor.run),
            at=actor.now,
            who=actor.user,
            what=what,
            isbn=isbn,
            field=field,
            before=before or None,
            after=after or None,
            reason=reason or None,
        )
        return self.history.insert(entry)

    def next_entry(self, run: str) -> str:
        """The name of the next row of the history that a run writes."""
        last = self._memory.entries.get(run)
        if last is None:
            # All entries of a run begin with its name and a dot; the slash follows the dot.
            rows = self.history.where(entry=Between(f"{run}.", f"{run}/"))
            numbers = (row.entry.removeprefix(f"{run}.") for row in rows)
            last = max((int(number) for number in numbers if number.isdecimal()), default=0)
        self._memory.entries[run] = last + 1
        return f"{run}.{last + 1}"


def _name(block: str) -> str:
    """The name of a block without its hyphens, but the one of a range (``:0000-0009``)."""
    registrant, colon, stretch = "".join(block.split()).casefold().partition(":")
    return registrant.replace("-", "") + colon + stretch
