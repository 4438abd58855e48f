"""What the workbook says to the undo or reapply of single records: which cells hold what, and what can be turned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from batchbook.batch.checkpoints import shown_key
from batchbook.batch.wording import shown_value
from batchbook.tables.codec import same
from batchbook.tables.records import RecordChange
from batchbook.tables.recordsheet import RecordSheet
from batchbook.tables.table import filled
from batchbook.tables.workspace import Workspace
from batchbook.xlsx import Cell
from batchbook.xlsx.values import CellValue, Formula

Does: TypeAlias = Literal["change", "take out", "put in"]
Values: TypeAlias = Mapping[str, CellValue]
Keep: TypeAlias = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wish:
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
    label: str | None = None
    """What people call it, such as a title; as the run knows it, else as it stands in the workbook."""

    @property
    def named(self) -> str:
        """Its key, label and sheet in words."""
        label = f" ({self.label})" if self.label is not None else ""
        return f"{shown_key(self.text)}{label} in {self.sheet.sheet}"

    @property
    def named_in(self) -> tuple[str, tuple[str, ...]]:
        """Its sheet and key, by which a system names it."""
        return self.sheet.kind.sheet, self.key


@dataclass(frozen=True, slots=True)
class Step:
    """A record that can be turned: its row (None: a new one), what its cells hold, and what they get."""

    wish: Wish
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


class Look:
    """What the workbook says to each wish."""

    def __init__(
        self,
        workspace: Workspace,
        wishes: Sequence[Wish],
        keep: Keep,
        *,
        back: bool,
        taken_out: Callable[[Wish], bool] = lambda _: False,
    ) -> None:
        """`taken_out`: whether an earlier undo took the record out, so that it is no wonder that it is gone."""
        self._keep = keep
        self._back = back
        self._taken_out = taken_out
        self._numbers = {id(wish): workspace.table(wish.sheet.kind).numbers(wish.key) for wish in wishes}
        self._rows: dict[str, dict[int, dict[int, Cell]]] = {}
        for sheet in {wish.sheet.sheet: wish.sheet for wish in wishes}.values():
            mine = [wish for wish in wishes if wish.sheet.sheet == sheet.sheet]
            wanted = {n for wish in mine for n in (*self._numbers[id(wish)], wish.number)}
            self._rows[sheet.sheet] = sheet.rows_at(wanted)
        self._given: set[tuple[str, int]] = set()
        self.cells = 0
        """Cells that are in the wanted state already."""
        self.records = 0
        """Records that are."""

    def at(self, wish: Wish) -> Step | None:
        """The step that fulfils a wish; None where there is nothing to do, or the record is left alone."""
        numbers = self._numbers[id(wish)]
        if len(numbers) > 1:
            self._keep(f"{wish.named}: its key stands in {len(numbers)} rows")
        elif not numbers and wish.does == "put in":
            number = self._gap(wish)
            return self._possible(Step(wish, number, dict.fromkeys(wish.wanted), wish.wanted))
        elif not numbers and wish.does == "take out" and self._taken_out(wish):
            self._stands(wish)
        elif not numbers:
            self._keep(f"{wish.named}: the row is no longer there")
        else:
            return self._of_row(wish, numbers[0], self._rows[wish.sheet.sheet].get(numbers[0], {}))
        return None

    def _of_row(self, wish: Wish, number: int, cells: Mapping[int, Cell]) -> Step | None:
        held = {name: wish.sheet.held(cells, name) for name in wish.wanted}
        if wish.does != "take out" and all(same(held[name], value) for name, value in wish.wanted.items()):
            self._stands(wish)
            return None
        differing = self._differing(wish, cells, held)
        if differing is not None:
            name, theirs, expected = differing
            place = wish.sheet.place(number, name)
            self._keep(
                f"{wish.named} is left as it is: {place} holds {shown_value(theirs)}, not {shown_value(expected)}"
            )
            return None
        return self._possible(Step(wish, number, held, wish.wanted))

    def _stands(self, wish: Wish) -> None:
        """A record is as it is wanted already."""
        self.cells += len(wish.wanted) if self._back else 0
        self.records += 1

    def _differing(
        self, wish: Wish, cells: Mapping[int, Cell], held: Values
    ) -> tuple[str, CellValue, CellValue] | None:
        """A cell that no longer holds what it should: of a record that is taken out, any that the type knows.

        A cell that holds what is wanted already is none, unless the record goes as a whole.
        """
        for name, value in wish.expected.items():
            if wish.does != "take out" and same(held[name], wish.wanted.get(name)):
                continue
            if not same(held[name], value):
                return name, held[name], value
        others = [column.name for column in wish.sheet.kind.columns if column.name not in held]
        for name in others if wish.does == "take out" else ():
            value = wish.sheet.held(cells, name)
            if value is not None:
                return name, value, None
        return None

    def _gap(self, wish: Wish) -> int | None:
        """The row that a record had, where nothing stands in it that its type knows."""
        sheet, number = wish.sheet, wish.number
        cells = self._rows[sheet.sheet].get(number, {})
        if not sheet.header.row < number < sheet.next_row or any(map(filled, cells.values())):
            return None
        if (sheet.sheet, number) in self._given:
            return None
        self._given.add((sheet.sheet, number))
        return number

    def _possible(self, step: Step) -> Step | None:
        """The step, unless one of its cells cannot be written."""
        wish = step.wish
        for name, value in step.after.items():
            said = wish.sheet.why_locked(step.number, name)
            if said is None and isinstance(value, Formula):
                said = f"it held a formula, which is not put back: ={value.text}"
            if said is not None:
                self._keep(f"{wish.named} is left as it is: {wish.sheet.title(name)} cannot be written: {said}")
                return None
        return step
