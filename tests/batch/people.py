"""People at the workbook of a run, and an oracle that knows what must become of their edits and of the results.

The oracle is a picture of the sheet in plain Python values. It is compared with the file before each edit: whatever
differs then, the machine wrote, and whether it may have is judged by what people did before. Nothing here is taken
from the code that merges.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.styles import PatternFill

from batchbook.xlsx import Book, BookEdits, splice

READ, WRITTEN = ("Name", "Size"), ("Result", "Rank")
COLUMNS = ("Key", *READ, *WRITTEN, "Note")
COLOURS = ("FFFFFF00", "FF00FF00", "FFFF0000")

Value = Any
Cells = dict[str, Value]


def answer(name: Value, size: Value, version: int) -> Cells:
    """What the run makes of a row: two results, or blanks where it is rejected."""
    if str(name).startswith("bad"):
        return dict.fromkeys(WRITTEN)
    return {"Result": f"{name}/{size}" + "'" * version, "Rank": None if size is None else size * 10 + version}


@dataclass
class Line:
    """One row of the sheet: a value and a colour by column."""

    values: Cells = field(default_factory=dict)
    colours: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> Value:
        return self.values.get("Key")

    def copy(self) -> Line:
        return Line(dict(self.values), dict(self.colours))


@dataclass
class Cell:
    """What is known of one written cell during a run."""

    base: Value
    """What the machine wrote last, else what stood there when the run began."""
    persons: bool = False
    wrote: bool = False
    """The machine wrote it in this run."""
    same: Value = None
    """What a person typed that the run finds out, too. If a save saw it there, it counts as the machine's."""
    emptied: bool = False
    """A person emptied it. If a save saw that, and the row had no result, that blank counts as the machine's."""


@dataclass(frozen=True)
class Listed:
    """A conflict that the run has to list; `base` is not compared where it is unclear."""

    key: str
    column: str
    theirs: Value
    ours: Value
    kept: str


class People:
    """Everybody who edits the workbook, and what they expect to find."""

    def __init__(self, book: Path, count: int, overwrite: frozenset[str]) -> None:
        self.book = book
        self.overwrite = overwrite
        self.columns = {name: name for name in COLUMNS}
        """Header by column, in the sheet's order."""
        self.lines = [
            Line({"Key": f"K{n}", "Name": f"name {n}", "Size": n, "Note": f"note {n}"}) for n in range(1, count + 1)
        ]
        self.sheets: dict[str, str] = {}
        self.last: dict[str, Cells] = {}
        """By key and column: what the machine wrote last, in whatever run."""
        self.edits = 0
        self.broken: Callable[[], None] | None = None
        """Mends the header that somebody broke."""
        self.selected: dict[str, dict[str, Cell]] = {}
        self.lost: set[str] = set()
        """Keys of the run that were deleted, retyped or emptied."""
        self.must_list: list[Listed] = []
        self.unnamed: list[Line] = []
        """Rows whose key was empty or doubled when the run began."""
        self.clearable: Counter[tuple[Value, str, Value]] = Counter()
        """By key, column and value: how many cells of these rows held it and were not cleared yet."""
        self.frozen = frozenset[str]()
        """Columns that nobody edits just now."""
        book_ = openpyxl.Workbook()
        book_.worksheets[0].title = "Data"
        self._lay(book_)
        book_.save(book)

    # --- what the run does -----------------------------------------------------------------------------------------

    def run_begins(self) -> None:
        """A fresh run takes what stands there now."""
        self.sync()
        self.lost, self.must_list, self.selected, self.unnamed = set(), [], {}, []
        self.clearable = Counter()
        for line in self.lines:
            if line.key is None or self._doubled(line.key):
                if any(line.values.get(one) is not None for one in ("Key", *READ, *WRITTEN)):
                    self.unnamed.append(line)
                    self.clearable.update((line.key, name, line.values.get(name)) for name in WRITTEN)
                continue
            known = self.last.get(line.key, {})
            self.selected[line.key] = {}
            for name in WRITTEN:
                held = line.values.get(name)
                base = None if held is None else known.get(name, held)
                self.selected[line.key][name] = Cell(base, persons=held is not None and held != base)

    def sync(self) -> None:
        """Compare the picture with the file, and take over what the machine wrote."""
        book = openpyxl.load_workbook(self.book)
        sheet = book["Data"]
        headers = [sheet.cell(1, place).value for place in range(1, len(self.columns) + 1)]
        assert headers == list(self.columns.values()), "somebody's columns were moved or renamed"
        assert sheet.max_column <= len(self.columns), "a column came from nowhere"
        filled = [n for n, row in enumerate(sheet.iter_rows(2, values_only=True)) if any(v is not None for v in row)]
        assert not filled or filled[-1] < len(self.lines), "a row was resurrected or came from nowhere"
        cleared = {line.key: dict(self.last.get(line.key, {})) for line in self.lines if line.key}
        for number, line in enumerate(self.lines, 2):
            for place, name in enumerate(self.columns, 1):
                cell = sheet.cell(number, place)
                colour = cell.fill.fgColor.rgb if cell.fill.fill_type else None
                assert colour == line.colours.get(name), f"the colour of {cell.coordinate} was lost"
                if cell.value != line.values.get(name):
                    self._machine_wrote(line, name, cell.value, cleared)
        for name, text in self.sheets.items():
            assert book[name]["A1"].value == text, f"the sheet {name} was lost"

    def _machine_wrote(self, line: Line, name: str, value: Value, cleared: dict[str, Cells]) -> None:
        key, held = line.key, line.values.get(name)
        assert name in WRITTEN, f"{name} of {key} is people's: {held!r} became {value!r}"
        if key not in self.selected:
            self._cleared_without_key(line, name, value, cleared.get(key, {}))
            return
        if self._doubled(key):
            assert value is None, f"the key {key} is doubled, but its {name} became {value!r}"
            known_as = (cleared[key].get(name), self.selected[key][name].same)
            assert held in known_as or name in self.overwrite, f"{held!r} was cleared"
        assert key not in self.lost, f"{key} was gone, but its {name} became {value!r}"
        known = self.selected[key][name]
        if known.persons and not self._doubled(key) and (held is None or held != known.same):
            assert name in self.overwrite, f"{name} of {key} was a person's: {held!r} became {value!r}"
            self.must_list.append(Listed(key, name, held, value, "ours"))
        line.values[name] = value
        self.last.setdefault(key, {})[name] = value
        self.selected[key][name] = Cell(value, wrote=True)

    def _cleared_without_key(self, line: Line, name: str, value: Value, known: Cells) -> None:
        """A row that no key names goes by its place, and nothing tells it from a copy that somebody made of it.

        So it does not count which of equal rows were cleared, but how many: as many as the run began with. What the
        machine is known to have written goes from every row of a doubled key, as where that was doubled during the run.
        """
        key, held = line.key, line.values.get(name)
        assert value is None, f"{key} is no row of the run, but its {name} became {value!r}"
        line.values[name] = None
        if key is not None and self._doubled(key) and name in known and held == known[name]:
            return
        if name not in known and self.clearable[key, name, held]:
            self.clearable[key, name, held] -= 1
            return
        assert name in self.overwrite, f"{key} is no row of the run, but its {name} {held!r} was cleared"
        self.must_list.append(Listed(f"{key or ''}|row {self._number(line)}", name, held, None, "ours"))

    # --- what people do --------------------------------------------------------------------------------------------

    def session(self, how: str, edits: list[tuple[str, int]]) -> None:
        """Open the workbook, edit, save: as another program does, or by cells alone."""
        self.sync()
        self.edits += 1
        if how == "cells":
            before = [line.copy() for line in self.lines]
            for what, pick in edits:
                if what in CELL_EDITS:
                    getattr(self, what)(pick)
            self._splice(before)
            return
        for what, pick in edits:
            getattr(self, what)(pick)
        self._rewrite()

    def mend(self) -> None:
        """Put the headers right again."""
        if self.broken is not None:
            self.broken()
            self.broken = None
            self._rewrite()

    def _rewrite(self) -> None:
        book = openpyxl.load_workbook(self.book)
        self._lay(book)
        for name, text in self.sheets.items():
            if name not in book.sheetnames:
                book.create_sheet(name)["A1"] = text
        aside = self.book.with_suffix(".aside.xlsx")
        book.save(aside)
        aside.replace(self.book)

    def _lay(self, book: Any) -> None:
        sheet = book["Data"]
        sheet.delete_rows(1, sheet.max_row)
        for place, header in enumerate(self.columns.values(), 1):
            sheet.cell(1, place, header)
        for number, line in enumerate(self.lines, 2):
            for place, name in enumerate(self.columns, 1):
                cell = sheet.cell(number, place, line.values.get(name))
                if name in line.colours:
                    cell.fill = PatternFill("solid", fgColor=line.colours[name])

    def _splice(self, before: list[Line]) -> None:
        changed: dict[int, dict[int, Value]] = {}
        for number, (old, new) in enumerate(zip(before, self.lines, strict=True), 2):
            for place, name in enumerate(self.columns, 1):
                if old.values.get(name) != new.values.get(name):
                    changed.setdefault(number, {})[place] = new.values.get(name)
        aside = self.book.with_suffix(".aside.xlsx")
        with Book.open(self.book) as book, aside.open("wb") as out:
            splice(book, BookEdits(cells={"Data": iter(sorted(changed.items()))}), out)
        aside.replace(self.book)

    # Each edit picks its row, or does nothing where there is none.

    def _line(self, pick: int) -> Line | None:
        there = [line for line in self.lines if line.key is not None]
        return there[pick % len(there)] if there else None

    def _number(self, line: Line) -> int:
        return next(number for number, other in enumerate(self.lines, 2) if other is line)

    def _doubled(self, key: str) -> bool:
        return sum(line.key == key for line in self.lines) > 1

    def _typed(self, line: Line, name: str, value: Value) -> None:
        if name in self.frozen:
            return
        held, line.values[name] = line.values.get(name), value
        known = self.selected.get(line.key or "", {}).get(name)
        if known is not None and held != value:
            known.persons = value != known.base
            known.emptied = known.emptied or value is None

    def _forget(self, line: Line) -> None:
        """The row is no longer one of its key."""
        key = line.key
        left = [other for other in self.lines if other is not line and other.key == key]
        if not left and key in self.selected:
            self.lost.add(key)
        elif len(left) == 1 and key in self.selected:
            for name in WRITTEN:  # the key's row is another one from now on
                known = self.selected[key][name]
                known.persons = left[0].values.get(name) != known.base

    def type_result(self, pick: int) -> None:
        if line := self._line(pick):
            self._typed(line, "Result", f"mine {self.edits}")

    def type_rank(self, pick: int) -> None:
        if line := self._line(pick):
            self._typed(line, "Rank", 1000 + self.edits)

    def empty_result(self, pick: int) -> None:
        if line := self._line(pick):
            self._typed(line, "Result", None)

    def empty_rank(self, pick: int) -> None:
        if line := self._line(pick):
            self._typed(line, "Rank", None)

    def type_the_same(self, pick: int) -> None:
        """Just what the run finds out, too."""
        if line := self._line(pick):
            same = answer(line.values.get("Name"), line.values.get("Size"), 0)["Result"]
            self._typed(line, "Result", same)
            known = self.selected.get(line.key or "", {}).get("Result")
            if known is not None and line.values.get("Result") == same:
                known.same = same

    def type_name(self, pick: int) -> None:
        if line := self._line(pick):
            line.values["Name"] = f"new {self.edits}"

    def type_bad_name(self, pick: int) -> None:
        if line := self._line(pick):
            line.values["Name"] = f"bad {self.edits}"

    def type_size(self, pick: int) -> None:
        if line := self._line(pick):
            line.values["Size"] = None if pick % 3 == 0 else 100 + self.edits

    def type_note(self, pick: int) -> None:
        if line := self._line(pick):
            line.values["Note"] = f"note! {self.edits}"

    def retype_key(self, pick: int) -> None:
        if line := self._line(pick):
            self._forget(line)
            line.values["Key"] = f"R{self.edits}-{pick}"
            self._unique(line)

    def empty_key(self, pick: int) -> None:
        if line := self._line(pick):
            self._forget(line)
            line.values["Key"] = None

    def _unique(self, line: Line) -> None:
        while self._doubled(line.key):
            line.values["Key"] += "'"

    def colour(self, pick: int) -> None:
        if line := self._line(pick):
            names = list(self.columns)
            line.colours[names[self.edits % len(names)]] = COLOURS[pick % len(COLOURS)]

    def delete(self, pick: int) -> None:
        if line := self._line(pick):
            self._forget(line)
            self.lines.remove(line)

    def insert(self, pick: int) -> None:
        line = Line({"Key": f"N{self.edits}-{pick}", "Name": f"name {self.edits}", "Note": "new"})
        self.lines.insert(pick % (len(self.lines) + 1), line)
        self._unique(line)

    def gap(self, pick: int) -> None:
        self.lines.insert(pick % (len(self.lines) + 1), Line())

    def double(self, pick: int) -> None:
        """Copy a whole row below itself, as for a new one that is like it, and forget the key."""
        if line := self._line(pick):
            self.lines.insert(self.lines.index(line) + 1, line.copy())

    def undouble(self, pick: int) -> None:
        twins = [line for line in self.lines if line.key is not None and self._doubled(line.key)]
        if twins:
            line = twins[pick % len(twins)]
            self._forget(line)
            # By identity: twins are equal.
            self.lines = [other for other in self.lines if other is not line]

    def sort(self, pick: int) -> None:
        self.lines.sort(key=lambda line: str(line.values.get("Note" if pick % 2 else "Name")), reverse=pick % 3 == 0)

    def move_column(self, pick: int) -> None:
        names = list(self.columns)
        name = names.pop(pick % len(names))
        names.insert((pick + self.edits) % (len(names) + 1), name)
        self.columns = {one: self.columns[one] for one in names}

    def add_column(self, pick: int) -> None:
        name = f"X{self.edits}-{pick}"
        if name not in self.columns:
            items = list(self.columns.items())
            items.insert(pick % (len(items) + 1), (name, name))
            self.columns = dict(items)
            for line in self.lines[::2]:
                line.values[name] = self.edits

    def add_sheet(self, pick: int) -> None:
        self.sheets[f"Sheet {self.edits}"] = f"theirs {pick}"

    def nothing(self, pick: int) -> None:
        """Saved without a change."""

    def break_header(self, pick: int) -> None:
        """Rename, empty or double a header that the run needs."""
        if self.broken is not None:
            return
        name = ("Key", *READ, *WRITTEN)[pick % 5]
        if pick % 3 == 2:
            self.columns["twin"] = name
            self.broken = lambda: self.columns.update(twin="twin")
        else:
            self.columns[name] = f"{name} of old" if pick % 3 else None  # type: ignore[assignment]
            self.broken = lambda: self.columns.update({name: name})


CELL_EDITS = (
    "type_result", "type_rank", "empty_result", "empty_rank", "type_the_same", "type_name", "type_bad_name",
    "type_size", "type_note", "retype_key",
)  # fmt: skip
EDITS = (
    *CELL_EDITS, "empty_key", "colour", "delete", "insert", "gap", "double", "undouble", "sort", "move_column",
    "add_column", "add_sheet", "nothing", "break_header",
)  # fmt: skip
