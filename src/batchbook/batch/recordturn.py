"""Undoing and putting back what a run did to records: each record as a whole, and the system has its say.

A record of which any changed column no longer holds what it should hold is left alone and listed. New records are
taken out again: their cells are emptied, and the row is a gap. Put in again they come to the row that they had, where
that is a gap still, else behind the last one. Rows of append-only sheets stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, TypeAlias

from batchbook.batch.checkpoints import shown_key
from batchbook.batch.lostkeys import LostRecords, tell_lost
from batchbook.batch.recordsheets import RecordEdits, RecordSheet, canonical_key, plan_records, why_locked
from batchbook.batch.systems import Actor, System
from batchbook.batch.waitingrecords import WaitingRecords
from batchbook.batch.wording import shown_value
from batchbook.errors import CannotSave, Finding
from batchbook.storage.celltexts import folded
from batchbook.storage.ledger import Ledger, RunRecord
from batchbook.storage.runchanges import RunChange, RunChanges
from batchbook.tables.codec import decanonical, same
from batchbook.tables.records import RecordChange
from batchbook.tables.table import filled
from batchbook.tables.workspace import Workspace
from batchbook.xlsx import Book, Cell
from batchbook.xlsx.values import CellValue, Formula

Does: TypeAlias = Literal["change", "take out", "put in"]
Values: TypeAlias = Mapping[str, CellValue]
Keep: TypeAlias = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Wish:
    """What is to become of one record, by own names of columns (headers of those that its type does not know)."""

    sheet: RecordSheet
    text: str
    """Its key, as the ledger has it."""
    key: tuple[str, ...]
    expected: Values
    """What its cells have to hold."""
    wanted: Values
    does: Does
    number: int
    """The row that it had when the run wrote it."""

    @property
    def named(self) -> str:
        return f"{shown_key(self.text)} in {self.sheet.sheet}"

    @property
    def named_in(self) -> tuple[str, tuple[str, ...]]:
        """Its sheet and key, by which a system names it."""
        return self.sheet.kind.sheet, self.key


@dataclass(frozen=True, slots=True)
class _Step:
    """A record that can be turned: its row (None: a new one), what its cells hold, and what they get."""

    wish: _Wish
    number: int | None
    before: Values
    after: Values

    @property
    def change(self) -> RecordChange:
        """The same for rules: only what the type knows."""
        kind = self.wish.sheet.kind
        names = [column.name for column in kind.columns]
        if self.wish.does == "put in":
            new = {n: self.after[n] for n in names if self.after.get(n) is not None}
            return RecordChange(kind.sheet, self.wish.key, None, new)
        before = {n: self.before[n] for n in names if n in self.before}
        nothing: Values = dict.fromkeys(names)
        after = nothing if self.wish.does == "take out" else {n: self.after[n] for n in before}
        return RecordChange(kind.sheet, self.wish.key, before, after)


@dataclass(frozen=True, slots=True)
class TurnedRecords:
    """What a turn writes, and how many cells of the run it brought into the wanted state (or found there)."""

    edits: RecordEdits
    cells: int


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
    ) -> None:
        """`pair` makes the states expected and wanted of those before and after the run; `back`: it is an undo."""
        self._ledger = ledger
        self._run = run
        self._system = system
        self._actor = actor
        self._verb = verb
        self._pair = pair
        self._back = back

    def plan(self, book: Book, changes: RunChanges, keep: Keep) -> TurnedRecords:
        """What is to be written; `keep` is told of what is left alone.

        Raises ConfigurationError where sheets or headers are gone, CannotSave where the system's own rows do not fit.
        """
        workspace = Workspace.read(book, self._system.types)
        tell_lost(workspace, LostRecords(self._ledger, self._run.workbook, book.digest), self._system.types)
        waiting = WaitingRecords(self._ledger, self._run.workbook, self._system)
        waiting.stage(workspace)
        wishes = list(self._wishes(book, workspace, changes, keep))
        look = _Look(book, workspace, wishes, keep, back=self._back)
        steps = [step for wish in wishes if (step := look.at(wish)) is not None]
        steps = [step for step in steps if _is_free(step, waiting, keep)]
        edits = RecordEdits()
        steps, besides = self._agreed(workspace, steps, keep)
        for step in steps:
            _write(step, edits)
        if edits.changes:
            self._add(book, workspace, besides, edits)
        return TurnedRecords(edits, look.cells + sum(len(step.wish.wanted) for step in steps))

    def _agreed(
        self, workspace: Workspace, steps: list[_Step], keep: Keep
    ) -> tuple[list[_Step], Sequence[RecordChange]]:
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

    def _wishes(self, book: Book, workspace: Workspace, changes: RunChanges, keep: Keep) -> Iterator[_Wish]:
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
                wish = self._wish(sheet, key, change)
                if not (kind.append_only and wish.does != "put in"):
                    yield wish

    def _wish(self, sheet: RecordSheet, named: tuple[str, ...], change: RunChange) -> _Wish:
        before, after = (_named(sheet, text) for text in (change.before, change.after))
        expected, wanted = (_named(sheet, text) for text in self._pair(change.before, change.after))
        expected = {name: expected.get(name) for name in after}
        wanted = {name: wanted.get(name) for name in after}
        key = sheet.kind.key
        does: Does = "change"
        if all(name in after for name in key) and _has(before, key) != _has(after, key):
            does = "put in" if _has(wanted, key) else "take out"
        return _Wish(sheet, change.key, named, expected, wanted, does, change.number)

    def _add(self, book: Book, workspace: Workspace, changes: Sequence[RecordChange], edits: RecordEdits) -> None:
        """What the system writes besides, such as rows of a history."""
        workspace.take()
        findings = workspace.apply(changes)
        if findings:
            raise CannotSave(
                f"What the {self._verb} of run {self._run.id} has to write besides does not fit; nothing was changed.",
                "Mend the places named, then do it again.",
                findings=findings,
            )
        sheets = [RecordSheet.find(book, kind) for kind in self._system.types]
        plan_records(book, sheets, workspace, workspace.take(), edits)


class _Look:
    """What the workbook says to each wish."""

    def __init__(self, book: Book, workspace: Workspace, wishes: Sequence[_Wish], keep: Keep, *, back: bool) -> None:
        self._keep = keep
        self._back = back
        self._numbers = {id(wish): workspace.table(wish.sheet.kind).numbers(wish.key) for wish in wishes}
        self._rows: dict[str, dict[int, dict[int, Cell]]] = {}
        for sheet in {wish.sheet.sheet: wish.sheet for wish in wishes}.values():
            mine = [wish for wish in wishes if wish.sheet.sheet == sheet.sheet]
            wanted = {n for wish in mine for n in (*self._numbers[id(wish)], wish.number)}
            self._rows[sheet.sheet] = sheet.rows_at(book, wanted)
        self._given: set[tuple[str, int]] = set()
        self.cells = 0
        """Cells that are in the wanted state already."""

    def at(self, wish: _Wish) -> _Step | None:
        """The step that fulfils a wish; None where there is nothing to do, or the record is left alone."""
        numbers = self._numbers[id(wish)]
        if len(numbers) > 1:
            self._keep(f"{wish.named}: its key stands in {len(numbers)} rows")
        elif not numbers and wish.does == "put in":
            number = self._gap(wish)
            return self._possible(_Step(wish, number, dict.fromkeys(wish.wanted), wish.wanted))
        elif not numbers:
            self._keep(f"{wish.named}: the row is no longer there")
        else:
            return self._of_row(wish, numbers[0], self._rows[wish.sheet.sheet].get(numbers[0], {}))
        return None

    def _of_row(self, wish: _Wish, number: int, cells: Mapping[int, Cell]) -> _Step | None:
        held = {name: wish.sheet.held(cells, name) for name in wish.wanted}
        if wish.does != "take out" and all(same(held[name], value) for name, value in wish.wanted.items()):
            self.cells += len(held) if self._back else 0
            return None
        differing = self._differing(wish, cells, held)
        if differing is not None:
            name, theirs, expected = differing
            place = wish.sheet.place(number, name)
            self._keep(
                f"{wish.named} is left as it is: {place} holds {shown_value(theirs)}, not {shown_value(expected)}"
            )
            return None
        return self._possible(_Step(wish, number, held, wish.wanted))

    def _differing(
        self, wish: _Wish, cells: Mapping[int, Cell], held: Values
    ) -> tuple[str, CellValue, CellValue] | None:
        """A cell that no longer holds what it should: of a record that is taken out, any that the type knows."""
        for name, value in wish.expected.items():
            if not same(held[name], value):
                return name, held[name], value
        others = [column.name for column in wish.sheet.kind.columns if column.name not in held]
        for name in others if wish.does == "take out" else ():
            value = wish.sheet.held(cells, name)
            if value is not None:
                return name, value, None
        return None

    def _gap(self, wish: _Wish) -> int | None:
        """The row that a record had, where nothing stands in it that its type knows."""
        sheet, number = wish.sheet, wish.number
        cells = self._rows[sheet.sheet].get(number, {})
        if not sheet.header.row < number < sheet.free or any(map(filled, cells.values())):
            return None
        if (sheet.sheet, number) in self._given:
            return None
        self._given.add((sheet.sheet, number))
        return number

    def _possible(self, step: _Step) -> _Step | None:
        """The step, unless one of its cells cannot be written."""
        wish = step.wish
        for name, value in step.after.items():
            said = why_locked(wish.sheet, step.number, name)
            if said is None and isinstance(value, Formula):
                said = f"it held a formula, which is not put back: ={value.text}"
            if said is not None:
                self._keep(f"{wish.named} is left as it is: {wish.sheet.header.titles[name]} cannot be written: {said}")
                return None
        return step


class _Back(Exception):
    """Nothing of what was staged is to stay."""


def _allowed(workspace: Workspace, steps: Sequence[_Step], keep: Keep) -> list[_Step]:
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


def _refusal(workspace: Workspace, step: _Step) -> Finding | None:
    """Stage a step; the first reason where it cannot be."""
    return next(iter(workspace.apply([step.change])), None)


def _is_free(step: _Step, waiting: WaitingRecords, keep: Keep) -> bool:
    """Whether no unfinished run is to change the record."""
    run = waiting.run_of(step.change)
    if run is not None:
        keep(f"{step.wish.named} is left as it is: run {run} changes it, whose results are not in the workbook yet")
    return run is None


def _write(step: _Step, edits: RecordEdits) -> None:
    wish = step.wish
    number = step.number if step.number is not None else edits.free(wish.sheet)
    after = {n: v for n, v in step.after.items() if v is not None} if wish.does == "put in" else step.after
    edits.add(wish.sheet, number, wish.text, {name: step.before[name] for name in after}, after)


def _named(sheet: RecordSheet, text: str) -> dict[str, CellValue]:
    """Cells by own name; under their header where the type does not know them."""
    return {sheet.name_of(title) or title: value for title, value in decanonical(text).items()}


def _has(values: Values, key: Sequence[str]) -> bool:
    return all(values.get(name) not in (None, "") for name in key)
