"""The records of one type: asked for by key and by value, staged as new or changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Generic

from batchbook.errors import Finding
from batchbook.storage.scratch import Scratch
from batchbook.tables.checking import Checker, Problem
from batchbook.tables.codec import same_cells
from batchbook.tables.findings import Findings, Trouble, shortened
from batchbook.tables.keys import key_of_text, key_shown, key_text
from batchbook.tables.querying import Questions
from batchbook.tables.records import R, RecordChange
from batchbook.tables.recordsheet import RecordSheet
from batchbook.tables.refusals import RecordRefused, Unsound
from batchbook.tables.shapes import Held, Shape
from batchbook.tables.staging import Staging
from batchbook.xlsx import Book

_PAGE = 500
_MOST_FINDINGS = 200
"""So many findings an error carries; the others are counted."""
_MEND = "Mend these cells in Excel or LibreOffice and save; then try again."


@dataclass(frozen=True, slots=True)
class Shared:
    """What the tables of a workspace have in common."""

    scratch: Scratch
    findings: Findings
    staging: Staging
    checker: Checker
    file: str

    def index_keys(self, shape: Shape[Any]) -> None:
        """Make keys quick to find."""
        self.scratch.execute(f"CREATE INDEX keys_of_{shape.table} ON {shape.table} (key)")


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a record stands: its row in the sheet, None where it is staged as new, and its key cells' texts there."""

    number: int | None
    key_cells: tuple[str, ...]


class RecordTable(Generic[R]):
    """The records of one type, those that are staged included. Keys are given as values of the key's fields.

    Rows that break a rule are `unsound`: they are counted and named by findings, but never given as records.
    """

    def __init__(self, shape: Shape[R], shared: Shared) -> None:
        self.kind = shape.kind
        self._shape = shape
        self._shared = shared
        self._questions = Questions(shared.scratch, shape)
        self._location: RecordSheet | None = None
        self._last: tuple[tuple[str, ...], int, R | None] | None = None
        """The record that was asked for or inserted last: its key, the version of the records, and it or None."""

    # --- asking --------------------------------------------------------------------------------------------------

    def get(self, *key: Any) -> R | None:
        """The record of a key, None where there is none. Raises Unsound where its row breaks a rule."""
        return self.record_of(self._shape.canonical(key))

    def record_of(self, key: tuple[str, ...]) -> R | None:
        """The record of a canonical key, as RecordChange has it; None where there is none. Raises Unsound."""
        if self._last is None or self._last[:2] != (key, self.version):
            held = self.held(key)
            self._last = key, self.version, None if held is None else self._shape.record(held.values)
        return self._last[2]

    @property
    def version(self) -> int:
        """A number that is another one whenever a record was staged since, or went back to what it was.

        Nothing else changes the records: what was found out under one number still holds as long as it is the same.
        """
        return self._shared.staging.version(self._shape)

    def held(self, key: tuple[str, ...]) -> Held | None:
        """The row of a canonical key, None where there is none. Raises Unsound where it breaks a rule."""
        held = self._shape.held(self._shared.scratch, key)
        if held is None:
            return None
        if not held.sound:
            self._refuse(key, held)
        return held

    def _refuse(self, key: tuple[str, ...], held: Held) -> None:
        assert held.number is not None
        found = tuple(self._shared.findings.of_row(self._shape.index, held.number))
        shown = shortened(key_shown(key))
        what = f"Row {held.number} of the sheet {self.kind.sheet} in {self._shared.file} ({shown}) breaks its rules."
        raise Unsound(what, _MEND, findings=found)

    def where(self, *, order: Sequence[str] = (), **wanted: Any) -> Iterator[R]:
        """Sound records whose fields equal these values (or fit a filter, see `filters`), in the sheet's order.

        order: fields to sort by instead; ``-field`` descending; blanks last. Records may be staged while they are gone
        through: new ones do not come, and, without an order, changed ones only where they still fit.
        """
        for values in self._questions.where(order, wanted):
            yield self._shape.record(values)

    def first(self, *, order: Sequence[str] = (), **wanted: Any) -> R | None:
        """The first record that `where` gives, None where it gives none; quick where it is asked again and again."""
        values = self._questions.first(order, wanted)
        return None if values is None else self._shape.record(values)

    def count(self, **wanted: Any) -> int:
        """How many sound records `where` gives."""
        return self._questions.count(wanted)

    def tally(self, *by: str, **wanted: Any) -> Mapping[tuple[Any, ...], int]:
        """How many sound records `where` gives, by the values of some fields; sorted, blanks last."""
        return self._questions.tally(by, wanted)

    @property
    def unsound(self) -> int:
        """How many rows break a rule."""
        found = self._shared.scratch.one(f"SELECT count(*) FROM {self._shape.table} WHERE NOT sound")
        return int(found[0]) if found else 0

    def unsound_keys(self) -> Iterator[tuple[str, ...]]:
        """The canonical keys of rows that break a rule, each once; rows whose key cannot be read are left out."""
        sql = f"SELECT DISTINCT key FROM {self._shape.table} WHERE NOT sound AND key IS NOT NULL ORDER BY key"
        return (key_of_text(key) for (key,) in self._shared.scratch.query(sql))

    def must_be_sound(self, check: str = "") -> None:
        """Raise Unsound where rows break a rule, with the findings (the first 200 of very many).

        check: the command that names all of them.
        """
        rows = self.unsound
        if not rows:
            return
        found: list[Finding] = []
        for finding in self._shared.findings.of_sheet(self._shape.index):
            if len(found) == _MOST_FINDINGS:
                break
            found.append(finding)
        said = "1 row breaks" if rows == 1 else f"{rows:,} rows break"
        raise Unsound(
            f"In {self._shared.file}, sheet {self.kind.sheet}, {said} its rules.",
            f"{_MEND} `{check}` names all of them." if check else _MEND,
            findings=found,
        )

    # --- where they stand ----------------------------------------------------------------------------------------

    def stands(self, location: RecordSheet) -> None:
        """Told where the records are in a workbook."""
        self._location = location

    def reopened(self, book: Book) -> None:
        """Told the workbook that they stand in, opened anew in the same state."""
        self._location = replace(self.location, book=book)

    @property
    def location(self) -> RecordSheet:
        """Where the records are in the workbook; TypeError where they were read from none."""
        if self._location is None:
            raise TypeError("this workspace was read from no workbook")
        return self._location

    @property
    def sheet(self) -> str:
        """The sheet's name as it is in the workbook."""
        return self.location.sheet

    def key_of(self, *key: Any) -> tuple[str, ...]:
        """The canonical key, as RecordChange has it, of values of the key's fields."""
        return self._shape.canonical(key)

    def standing(self, *key: Any) -> Standing | None:
        """Where the record of a key stands; None where there is none. Raises Unsound."""
        return self.standing_of(self._shape.canonical(key))

    def standing_of(self, key: tuple[str, ...]) -> Standing | None:
        """Where the record of a canonical key stands; None where there is none. Raises Unsound."""
        held = self.held(key)
        return None if held is None else Standing(held.number, key_of_text(held.raw))

    def place(self, *key: Any) -> int | None:
        """The sheet's row of a record; None where there is none, or it is staged as a new one. Raises Unsound."""
        held = self.held(self._shape.canonical(key))
        return None if held is None else held.number

    def numbers(self, key: tuple[str, ...]) -> list[int]:
        """The sheet's rows that a canonical key stands in, sound or not; none of a record that is staged as new."""
        sql = f"SELECT number FROM {self._shape.table} WHERE key = ? AND number IS NOT NULL ORDER BY number"
        return [number for (number,) in self._shared.scratch.query(sql, (key_text(key),))]

    def there(self, key: tuple[str, ...]) -> bool:
        """Whether a canonical key stands in any row, sound or not, or is staged."""
        sql = f"SELECT 1 FROM {self._shape.table} WHERE key = ? LIMIT 1"
        return self._shared.scratch.one(sql, (key_text(key),)) is not None

    def key_at(self, text: str) -> tuple[str, ...] | None:
        """The canonical key of a row whose key cells have this text (`keys.key_text`), None where there is no such."""
        sql = f"SELECT key FROM {self._by_raw} WHERE raw = ? AND key IS NOT NULL LIMIT 1"
        row = self._shared.scratch.one(sql, (text,))
        return None if row is None else key_of_text(row[0])

    @property
    def _by_raw(self) -> str:
        """The type's table, in which rows are quick to find by the texts of their key cells."""
        table = self._shape.table
        self._shared.scratch.execute(f"CREATE INDEX IF NOT EXISTS raw_of_{table} ON {table} (raw)")
        return table

    def absent(self, texts: Iterable[str]) -> Iterator[str]:
        """Those of some texts of key cells (`keys.key_text`) that no row's key cells have, letter by letter."""
        table, scratch = self._by_raw, self._shared.scratch
        each = iter(texts)
        while page := list(islice(each, _PAGE)):
            marks = ",".join("?" * len(page))
            found = {raw for (raw,) in scratch.query(f"SELECT raw FROM {table} WHERE raw IN ({marks})", page)}
            yield from (text for text in page if text not in found)

    def are_new(self, changes: Sequence[RecordChange]) -> bool:
        """Whether each of some changes (a few hundred) is of a new record that is staged, with just these values."""
        shape = self._shape
        texts = [key_text(change.key) for change in changes]
        sql = f"SELECT key, number, {shape.names} FROM {shape.table} WHERE key IN ({','.join('?' * len(texts))})"
        rows = {row[0]: row for row in self._shared.scratch.query(sql, texts)}
        for text, change in zip(texts, changes, strict=True):
            row = rows.get(text)
            if change.before is not None or row is None or row[1] is not None:
                return False
            if not same_cells(shape.cells(row[2:]), change.after):
                return False
        return True

    # --- staging -------------------------------------------------------------------------------------------------

    def insert(self, record: R) -> R:
        """Stage a new record, and give it as its cells will: texts without blanks around them, empty ones as None.

        Raises RecordRefused with everything that is wrong with it (its key may be taken).
        """
        shape = self._shape
        looks = {name: shape[name].check(value) for name, value in shape.values(record).items()}
        values, key, problems = self._shared.checker.new(shape, looks)
        if problems:
            raise self._refused("A new record", problems)
        self._shared.staging.insert(shape, values, key)
        record = shape.record(values)
        self._last = tuple(str(values[column.position]) for column in shape.key), self.version, record
        return record

    def update(self, *key: Any, **changes: Any) -> R:
        """Stage changes of a record, and give it as it is then.

        Raises RecordRefused with everything that is wrong with them (fields that a person owns, the key, any of an
        append-only type), KeyError where there is no such record, Unsound.
        """
        shape = self._shape
        held = self._there(key)
        looks = {name: shape[name].check(value) for name, value in changes.items()}
        values, problems = self._shared.checker.changed(shape, held, looks)
        problems += self._not_ours(changes)
        if problems:
            raise self._refused(f"The change of {key_shown(self._shape.canonical(key))}", problems, held.number)
        if values != held.values:
            self._shared.staging.update(shape, held, values)
        return shape.record(values)

    def rests_on(self, *key: Any, fields: Sequence[str]) -> None:
        """Say that what is staged of a record rests on these fields besides those that change.

        The next `take` has them in `RecordChange.before`, with what they held before the first change, so that the
        change is dropped or decided again where somebody changed them meanwhile. Raises KeyError, Unsound.
        """
        columns = [self._shape[name] for name in fields]
        self._shared.staging.rests_on(self._shape, self._there(key).id, columns)

    def _there(self, key: Sequence[Any]) -> Held:
        canonical = self._shape.canonical(key)
        held = self.held(canonical)
        if held is None:
            raise KeyError(f"there is no {key_shown(canonical)} in the sheet {self.kind.sheet}")
        return held

    def _not_ours(self, changes: Mapping[str, Any]) -> Iterator[Problem]:
        for name in changes:
            column = self._shape[name]
            if self.kind.append_only:
                yield column, Trouble("append-only", "is never changed: rows of this sheet are only added")
            elif column.column.owner == "person":
                yield column, Trouble("owner", "is for people to fill: commands never change it")

    def _refused(self, which: str, problems: Sequence[Problem], row: int | None = None) -> RecordRefused:
        file, sheet = self._shared.file, self.kind.sheet
        found = [
            Finding(trouble.said, file, sheet, row, column.column.header, trouble.value, rule=trouble.rule)
            for column, trouble in problems
        ]
        what = f"{which} breaks the rules of the sheet {sheet}."
        return RecordRefused(what, "Give values that the sheet allows; nothing was changed.", findings=found)
