"""What an undo or reapply of a run has to leave as it is, and what it adds to the history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from batchbook.batch.systems import Actor, Turning
from batchbook.isbn.bookings import BOOKING, LIVING, held_by
from batchbook.isbn.chronicle import is_given, life_of
from batchbook.isbn.records import HistoryEntry
from batchbook.isbn.session import Session
from batchbook.tables.filters import Between
from batchbook.tables.kinds import CellValue, Wrong
from batchbook.tables.records import RecordChange, RecordType
from batchbook.tables.workspace import Unsound, Workspace

if TYPE_CHECKING:
    from batchbook.isbn.system import IsbnSystem

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
        self.entries = 0

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
        status = self._then(change, "status")
        if not is_given(status):
            spent = life_of(self.session.history, isbn).spent_besides(self.run)
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
        for field in ("status", *BOOKING):
            # Of a row that comes or goes its state says enough.
            whole = "isbn" in after
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
