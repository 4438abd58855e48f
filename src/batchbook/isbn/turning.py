"""What an undo or reapply of a run has to leave as it is, and what it adds to the history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from batchbook.batch.systems import Actor, Turning
from batchbook.isbn.bookingpast import NOBODY, BookingPast, past_of
from batchbook.isbn.bookings import BOOKING, LIVING, held_by
from batchbook.isbn.chronicle import UNDO, is_given
from batchbook.isbn.records import HistoryEntry
from batchbook.isbn.session import Session
from batchbook.tables.filters import Between
from batchbook.tables.kinds import CellValue, Wrong
from batchbook.tables.records import RecordChange, RecordType
from batchbook.tables.workspace import Unsound, Workspace

if TYPE_CHECKING:
    from batchbook.isbn.system import IsbnSystem

_TIMES: Final = ("assigned_at", "published_at")
Refused = dict[tuple[str, tuple[str, ...]], str]


def turned(
    workspace: Workspace, system: IsbnSystem, verb: str, run: str, changes: Sequence[RecordChange], actor: Actor
) -> Turning:
    """See `System.turned`."""
    return _Turn(Session(workspace, system), verb, run, changes, actor).turning()


class _Turn:
    """One undo or reapply."""

    def __init__(self, session: Session, verb: str, run: str, changes: Sequence[RecordChange], actor: Actor) -> None:
        system = session.system
        self.session = session
        self.verb = verb
        self.run = run
        self.actor = actor
        self.numbers = [one for one in changes if one.sheet == system.assignments.sheet]
        self.blocks = [one for one in changes if one.sheet == system.blocks.sheet]
        self.changed = {one.key[0]: one for one in self.numbers}
        self.coming = self._coming(changes)

    def turning(self) -> Turning:
        """The answer."""
        refused: Refused = {}
        for change in self.numbers:
            why = self._why_not_number(change)
            if why is not None:
                refused[change.sheet, change.key] = why
        for change in self.blocks:
            why = self._why_not_block(change, refused)
            if why is not None:
                refused[change.sheet, change.key] = why
        done = [one for one in (*self.numbers, *self.blocks) if (one.sheet, one.key) not in refused]
        return Turning(refused, [entry for change in done for entry in self._history(change)])

    def _why_not_number(self, change: RecordChange) -> str | None:
        isbn = change.key[0]
        past = past_of(self.session.history, isbn, self.coming.get(isbn, ()))
        why = self._why_not_booking(change, past)
        if why is not None:
            return why
        status = self._then(change, "status")
        if not is_given(status):
            spent = past.spent_besides(self.run)
            return f"the number was {spent} in another run, so it is never available again" if spent else None
        book, form = self._then(change, "book_id"), self._then(change, "format")
        if status not in LIVING or book is None:
            return None
        others = [row.isbn for row in held_by(self.session, book, form) if row.isbn != isbn]
        others = [one for one in others if one not in self.changed]
        if not others:
            return None
        other = self.session.show(others[0])
        return f"book {book} has another number for {form or 'no certain format'} by now: {other}"

    def _why_not_booking(self, change: RecordChange, past: BookingPast) -> str | None:
        """Why values of the run are not for what the number is booked for by now."""
        if not past.runs:
            return None  # nobody has a history of it
        known = past.runs.get(self.run)
        if known is None:
            return f"the history does not tell of run {self.run} at this number, so whose its values are is not known"
        if "status" not in change.after and not is_given(self._then(change, "status")):
            return "the number is free by now, and what the run wrote was for a booking"
        freed = "isbn" not in change.after and not is_given(self._then(change, "status"))
        if freed and (self.verb != UNDO or known.turned is not None):
            # A release that is done again clears what it knew of; what came since would stay in a free number's row.
            kind = self.session.system.assignments
            stays = [kind.column(name).header for name in BOOKING if self._then(change, name) is not None]
            if stays:
                return f"it would be free and hold what was entered since ({', '.join(stays)})"
        met = known.before, known.after
        if past.now[0] not in {booking for booking, _ in met}:
            return self._booked_now(past)
        brings = any(change.after.get(field) is not None for field in (*BOOKING, *_TIMES))
        return self._booked_now(past) if past.now not in met and brings else None

    def _booked_now(self, past: BookingPast) -> str:
        if past.now == NOBODY:
            return "the number was given back since the run, and what the run wrote was for the booking before that"
        since = (past.now[1] or past.now[0] or "").rpartition(".")[0]
        return f"by now the number is booked for something else, since run {since}"

    def _coming(self, changes: Sequence[RecordChange]) -> dict[str, list[HistoryEntry]]:
        """The rows of the history that are put in again with a reapply, by number."""
        kind = self.session.system.history
        found: dict[str, list[HistoryEntry]] = {}
        for one in changes:
            if one.sheet == kind.sheet and one.before is None:
                cells = {column.name: one.after.get(column.name) for column in kind.columns}
                entry = HistoryEntry(**{name: self._read(kind, name, value) for name, value in cells.items()})
                found.setdefault(entry.isbn, []).append(entry)
        return found

    def _then(self, change: RecordChange, field: str) -> Any:
        """What a field of a number holds after the turn; None where it is blank, or the row is taken out."""
        if field in change.after:
            return self._read(self.session.system.assignments, field, change.after[field])
        try:
            row = self.session.assignments.get(change.key[0])
        except Unsound:
            row = None
        return None if row is None else getattr(row, field)

    def _read(self, kind: RecordType[Any], field: str, value: CellValue) -> Any:
        if value is None:
            return None
        try:
            return kind.column(field).kind.read(value, str(value))
        except Wrong:
            return str(value)

    def _why_not_block(self, change: RecordChange, refused: Refused) -> str | None:
        if any(value is not None for value in change.after.values()) or not change.after:
            return None
        block = self.session.blocks.get(change.key[0])
        if block is None:
            return None
        rows = self.session.assignments.where(isbn=Between(block.first, block.last))
        stay = [row.isbn for row in rows if not self._goes(row.isbn, refused)]
        if not stay:
            return None
        return f"{len(stay):,} of its numbers have rows, such as {self.session.show(stay[0])}"

    def _goes(self, isbn: str, refused: Refused) -> bool:
        """Whether the row of a number is taken out with its block."""
        change = self.changed.get(isbn)
        if change is None or (change.sheet, change.key) in refused:
            return False
        return all(value is None for value in change.after.values())

    def _history(self, change: RecordChange) -> Iterator[RecordChange]:
        system = self.session.system
        before, after = change.before or {}, change.after
        if change.sheet == system.blocks.sheet:
            first = self._read(system.blocks, "first", before.get("first") or after.get("first"))
            if first is not None:
                yield self._entry(str(first), "block", before.get("block"), after.get("block"))
            return
        # Of a row that comes or goes its state says enough; nor are times told beside the step that they belong to.
        whole = "isbn" in after
        times = () if before.get("status") != after.get("status") else _TIMES
        for field in ("status", *BOOKING, *times):
            if field in after and before.get(field) != after[field] and (field == "status" or not whole):
                yield self._entry(change.key[0], field, before.get(field), after[field])

    def _entry(self, isbn: str, field: str, before: CellValue, after: CellValue) -> RecordChange:
        kind, session = self.session.system.history, self.session
        entry = HistoryEntry(
            entry=session.next_entry(self.actor.run),
            at=self.actor.now,
            who=self.actor.user,
            what=self.verb,
            isbn=isbn,
            field=field,
            before=self._text(field, before),
            after=self._text(field, after),
            reason=f"run {self.run}",
        )
        values = {name: getattr(entry, name) for name in (column.name for column in kind.columns)}
        cells = {name: kind.column(name).kind.write(value) for name, value in values.items() if value is not None}
        return RecordChange(kind.sheet, (entry.entry,), None, cells)

    def _text(self, field: str, value: CellValue) -> str | None:
        if value is None:
            return None
        kind = self.session.system.blocks if field == "block" else self.session.system.assignments
        read = self._read(kind, field, value)
        return read if isinstance(read, str) else kind.column(field).kind.show(read)
