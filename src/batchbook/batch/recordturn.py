"""Undoing and putting back what a run did to records: each record as a whole, and the system has its say.

A record of which any changed column no longer holds what it should hold is left alone and listed. New records are
taken out again: their cells are emptied, and the row is a gap. Put in again they come to the row that they had, where
that is a gap still, else behind the last one. Rows of append-only sheets stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from batchbook.batch.lostkeys import LostRecords, tell_lost
from batchbook.batch.recordedits import RecordEdits, plan_records
from batchbook.batch.recordlook import Does, Keep, Look, Step, Values, Wish
from batchbook.batch.systems import Actor, System, short_label
from batchbook.batch.waitingrecords import WaitingRecords
from batchbook.errors import CannotSave, Finding
from batchbook.storage.celltexts import folded
from batchbook.storage.ledger import Ledger, RunRecord
from batchbook.storage.runchanges import RunChange, RunChanges, changed_in
from batchbook.tables.codec import decanonical
from batchbook.tables.records import RecordChange
from batchbook.tables.recordsheet import RecordSheet, canonical_key
from batchbook.tables.workspace import Unsound, Workspace
from batchbook.xlsx import Book
from batchbook.xlsx.values import CellValue


@dataclass(frozen=True, slots=True)
class TurnedRecords:
    """What a turn writes, and how many cells of the run it brought into the wanted state, or found there."""

    edits: RecordEdits
    cells: int
    steps: Sequence[Step]
    """What is done to each record, rows of append-only sheets included."""
    unchanged: int
    """Records that are in the wanted state already."""


class RecordTurn:
    """One undo or reapply of a run that changed records of a system."""

    def __init__(
        self,
        ledger: Ledger,
        run: RunRecord,
        system: System,
        actor: Actor,
        verb: str,
        pair: Callable[[str, str], tuple[str, str]],
        *,
        back: bool,
        already: str | None = None,
    ) -> None:
        """`pair` makes the states expected and wanted of those before and after the run; `back`: it is an undo.

        already: the undo that took the run back before, and stands.
        """
        self._ledger = ledger
        self._run = run
        self._system = system
        self._actor = actor
        self._verb = verb
        self._pair = pair
        self._back = back
        self._already = already

    def plan(self, book: Book, changes: RunChanges, keep: Keep) -> TurnedRecords:
        """What is to be written; `keep` is told of what is left alone.

        Raises ConfigurationError where sheets or headers are gone, CannotSave where the system's own rows do not fit.
        """
        workspace = Workspace.read(book, self._system.types)
        tell_lost(workspace, LostRecords(self._ledger, self._run.workbook, book.digest), self._system.types)
        waiting = WaitingRecords(self._ledger, self._run.workbook, self._system)
        waiting.stage(workspace)
        wishes = list(self._wishes(book, workspace, changes, keep))
        look = Look(workspace, wishes, keep, back=self._back, taken_out=self._taken_out)
        steps = [step for wish in wishes if (step := look.at(wish)) is not None]
        steps = [step for step in steps if _is_free(step, waiting, keep)]
        edits = RecordEdits()
        steps, besides = self._agreed(workspace, steps, keep)
        for step in steps:
            _write(step, edits)
        if edits.changes:
            self._add(workspace, besides, edits)
        cells = look.cells + sum(len(step.wish.wanted) for step in steps)
        return TurnedRecords(edits, cells, steps, look.records)

    def _taken_out(self, wish: Wish) -> bool:
        return self._already is not None and changed_in(self._ledger, self._already, wish.sheet.kind.sheet, wish.text)

    def _agreed(self, workspace: Workspace, steps: list[Step], keep: Keep) -> tuple[list[Step], Sequence[RecordChange]]:
        """The steps that sheets and system allow, all together, and what the system writes besides."""
        while steps := _allowed(workspace, steps, keep):
            changes = [step.change for step in steps]
            turning = self._system.turned(workspace, self._verb, self._run.id, changes, self._actor)
            told = {(sheet, tuple(key)): why for (sheet, key), why in turning.refused.items()}
            left = [step for step in steps if step.wish.named_in not in told]
            if len(left) == len(steps):
                return steps, turning.changes
            for step in steps:
                if step.wish.named_in in told:
                    keep(f"{step.wish.named} is left as it is: {told[step.wish.named_in]}")
            steps = left  # asked again: what stays may be why others have to stay
        return [], ()

    def _wishes(self, book: Book, workspace: Workspace, changes: RunChanges, keep: Keep) -> Iterator[Wish]:
        for name in changes.sheets():
            kind = next((k for k in self._system.types if k.sheet.casefold() == name.casefold()), None)
            if kind is None:
                keep(f"the sheet {name} is none of the system {self._system.name}; what the run wrote there stays")
                continue
            known = [title for column in kind.columns for title in column.headers]
            also = [title for title in changes.columns(name) if folded(title) not in map(folded, known)]
            sheet = RecordSheet.find(book, kind, also)
            for change in changes.of(name):
                # A key of text can stand there as a number that shows more than its digits.
                key = workspace.table(kind).key_at(change.key) or canonical_key(kind, change.key)
                wish = self._wish(sheet, key, change, workspace)
                if not (kind.append_only and wish.does != "put in"):
                    yield wish

    def _wish(self, sheet: RecordSheet, named: tuple[str, ...], change: RunChange, workspace: Workspace) -> Wish:
        before, after = (_named(sheet, text) for text in (change.before, change.after))
        expected, wanted = (_named(sheet, text) for text in self._pair(change.before, change.after))
        expected = {name: expected.get(name) for name in after}
        wanted = {name: wanted.get(name) for name in after}
        key = sheet.kind.key
        does: Does = "change"
        if all(name in after for name in key) and _has(before, key) != _has(after, key):
            does = "put in" if _has(wanted, key) else "take out"
        label = _label(workspace, sheet, named, (wanted, expected))
        return Wish(sheet, change.key, named, expected, wanted, does, change.number, label)

    def _add(self, workspace: Workspace, changes: Sequence[RecordChange], edits: RecordEdits) -> None:
        """What the system writes besides, such as rows of a history."""
        workspace.take()
        findings = workspace.apply(changes)
        if findings:
            raise CannotSave(
                f"What the {self._verb} of run {self._run.id} has to write besides does not fit; nothing was changed.",
                "Mend the places named, then do it again.",
                findings=findings,
            )
        plan_records(workspace, workspace.take(), edits)


class _Back(Exception):
    """Nothing of what was staged is to stay."""


def _allowed(workspace: Workspace, steps: Sequence[Step], keep: Keep) -> list[Step]:
    """The steps that leave records which their sheets allow, in whatever order they have to be made for that."""
    refused: dict[int, Finding] = {}
    pending = list(range(len(steps)))
    with suppress(_Back), workspace.whole():
        while pending:
            found = ((place, _refusal(workspace, steps[place])) for place in pending)
            refused = {place: finding for place, finding in found if finding is not None}
            if len(refused) == len(pending):
                break
            pending = list(refused)
        raise _Back
    for place, finding in refused.items():
        keep(f"{steps[place].wish.named} is left as it is: {finding}")
    return [step for place, step in enumerate(steps) if place not in refused]


def _refusal(workspace: Workspace, step: Step) -> Finding | None:
    """Stage a step; the first reason where it cannot be."""
    return next(iter(workspace.apply([step.change])), None)


def _is_free(step: Step, waiting: WaitingRecords, keep: Keep) -> bool:
    """Whether no unfinished run is to change the record."""
    run = waiting.run_of(step.change)
    if run is not None:
        keep(f"{step.wish.named} is left as it is: run {run} changes it, whose results are not in the workbook yet")
    return run is None


def _write(step: Step, edits: RecordEdits) -> None:
    wish = step.wish
    number = step.number if step.number is not None else edits.free(wish.sheet)
    after = {n: v for n, v in step.after.items() if v is not None} if wish.does == "put in" else step.after
    edits.add(wish.sheet, number, wish.text, {name: step.before[name] for name in after}, after)


def _named(sheet: RecordSheet, text: str) -> dict[str, CellValue]:
    """Cells by own name; under their header where the type does not know them."""
    return {sheet.name_of(title) or title: value for title, value in decanonical(text).items()}


def _label(workspace: Workspace, sheet: RecordSheet, key: tuple[str, ...], known: Sequence[Values]) -> str | None:
    """What people call a record: by the run where that knows it, else as it stands in the workbook."""
    name = sheet.kind.label
    if not name:
        return None
    told = next((values[name] for values in known if values.get(name) not in (None, "")), None)
    if told is None:
        with suppress(Unsound):
            record = workspace.table(sheet.kind).record_of(key)
            told = None if record is None else getattr(record, name)
    return None if told is None else short_label(str(told))


def _has(values: Values, key: Sequence[str]) -> bool:
    return all(values.get(name) not in (None, "") for name in key)
