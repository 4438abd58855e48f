"""What the history says of one number and the runs that changed it: bookings, steps that were taken back, both by run.

A booking begins when a number is scheduled, or leaves the free state in any other way; it ends when the number is free
again. An undo leads back to the booking from before the run that it takes back, a reapply to the one after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from batchbook.isbn.chronicle import TURNS, UNDO, is_given
from batchbook.isbn.records import HistoryEntry
from batchbook.isbn.states import LASTING, SPENT
from batchbook.tables.workspace import RecordTable

Booking: TypeAlias = tuple[str | None, str | None]
"""The history's row that began it (None: the number is free), and the last one that gave it another book or format."""

NOBODY: Final[Booking] = (None, None)
_WHOSE: Final = ("book_id", "format")


@dataclass(slots=True)
class RunOnNumber:
    """What one run met at a number and what it left there."""

    before: Booking
    after: Booking
    turned: tuple[str, str] | None = None
    """Of an undo or reapply: its verb, and the run that it turned."""


class BookingPast:
    """All rows of the history of one number, in order."""

    def __init__(self, entries: Iterable[HistoryEntry]) -> None:
        self.now: Booking = NOBODY
        self.runs: dict[str, RunOnNumber] = {}
        """In the order in which they changed the number."""
        self._steps: list[HistoryEntry] = []
        """Those of runs that are no turns, and of turns of a run that the history does not know."""
        self._taken_back: set[str] = set()
        self._put_in: str | None = None
        """The run that made the row as it is."""
        for entry in sorted(entries, key=lambda one: one.at):
            self._follow(entry)

    def _follow(self, entry: HistoryEntry) -> None:
        run = run_of(entry)
        known = self.runs.get(run)
        turned = _turned_by(entry)
        if known is None:
            known = self.runs[run] = RunOnNumber(self.now, self.now, turned)
            if turned is not None:
                self._turn(*turned)
        target = self.runs.get(turned[1]) if turned is not None else None
        if target is None:
            self.now = _booking(self.now, entry)
        elif target.before != target.after:  # else it did not change whose the number is
            self.now = target.before if turned is not None and turned[0] == UNDO else target.after
        known.after = self.now
        if entry.field == "status":
            if target is None:
                self._steps.append(entry)
            if entry.before is None:
                self._put_in = run

    def _turn(self, verb: str, run: str) -> None:
        root, leaves = self._root(run)
        if leaves == (verb == UNDO):
            self._taken_back.add(root)
        else:
            self._taken_back.discard(root)

    def _root(self, run: str) -> tuple[str, bool]:
        """The run that a chain of undos and reapplies is about, and whether the last of them leaves it done."""
        leaves, seen = True, set[str]()
        while run in self.runs and run not in seen and (turned := self.runs[run].turned) is not None:
            seen.add(run)
            leaves = leaves == (turned[0] != UNDO)
            run = turned[1]
        return run, leaves

    def spent_besides(self, run: str | None = None) -> str | None:
        """The state without a way back that the number was brought to, other than by this run; None where by none.

        An assignment that was taken back does not count. Published and cancelled count for ever, taken back or not,
        but for an adoption as a whole: what a list said of a number that was free before.
        """
        root = self._root(run)[0] if run is not None else None
        for step in self._steps:
            by = run_of(step)
            if step.after not in SPENT or by == root:
                continue
            lasts = step.after in LASTING and is_given(step.before)
            if lasts or by not in self._taken_back:
                return step.after
        return None

    def put_back_by(self) -> Sequence[str]:
        """The runs which, done again in this order, bring back a row that is gone; none where that leads elsewhere."""
        names = list(self.runs)
        if self._put_in is None or self.now == NOBODY:
            return []
        again = names[names.index(self._put_in) :]
        begun = {self.runs[name].after[0] for name in again}
        return again if begun == {self.now[0]} else []


def past_of(history: RecordTable[HistoryEntry], isbn: str, more: Iterable[HistoryEntry] = ()) -> BookingPast:
    """The past of a number, with further rows of the history that are to be put in."""
    rows = {entry.entry: entry for entry in (*history.where(isbn=isbn, order=("isbn", "at")), *more)}
    return BookingPast(entry for entry in rows.values() if entry.field != "block")


def run_of(entry: HistoryEntry) -> str:
    """The run that wrote a row of the history."""
    return entry.entry.rpartition(".")[0]


def _turned_by(entry: HistoryEntry) -> tuple[str, str] | None:
    """The verb and the turned run of a row that an undo or reapply wrote."""
    reason = entry.reason or ""
    return (entry.what, reason.removeprefix("run ")) if entry.what in TURNS and reason.startswith("run ") else None


def _booking(now: Booking, entry: HistoryEntry) -> Booking:
    """The booking after a row of the history that is no turn."""
    if entry.field == "status":
        if not is_given(entry.after):
            return NOBODY
        begins = entry.after == "scheduled" or not is_given(entry.before)
        return (entry.entry, None) if begins else now
    if entry.field in _WHOSE and entry.before is not None and _plain(entry.before) != _plain(entry.after):
        # What a step overwrites is told beside it, and belongs to the booking that ended.
        return (now[0], entry.entry) if now != NOBODY and entry.what == "update" else now
    return now


def _plain(text: str | None) -> str:
    return (text or "").strip().casefold()
