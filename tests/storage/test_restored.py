"""Whatever is saved and put back, the ledger knows what the machine had written in the state that is there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchbook.storage.lastwritten import last_written
from batchbook.storage.ledger import Ledger
from batchbook.storage.restored import Lost, forget_written, intend_restore, remember_restore, saves_in, settle_restore
from batchbook.storage.savelog import Change, ConflictRecord, SaveLog
from tests.storage.ledgers import AT, begin

BOOK = "/w/book.xlsx"
CELLS = 3


def key(n: int) -> str:
    return f'["K{n}"]'


def cell(value: object) -> str:
    return json.dumps({"Result": value})


class Model:
    """A small workbook beside a ledger: what it holds, what the machine wrote last, every state there was."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        begin(ledger)
        self.log = SaveLog(ledger, "run1", BOOK, lambda: AT)
        self.holds: dict[int, Any] = {}
        self.wrote: dict[int, Any] = {}
        self.steps = 0
        self.states: dict[str, tuple[dict[int, Any], dict[int, Any]]] = {}
        self.kept: list[str] = []
        """States that a backup can have been taken of: a save or a restore began from them."""
        self.changed()

    def changed(self) -> None:
        self.steps += 1
        self.digest = hashlib.sha256(f"{self.steps}".encode()).hexdigest()
        self.known()

    def known(self) -> None:
        self.states[self.digest] = (dict(self.holds), dict(self.wrote))

    def edit(self, n: int) -> None:
        """A person's edit."""
        self.holds[n] = f"person {self.steps}"
        self.changed()

    def empty(self, n: int) -> None:
        """A person empties a cell: it is free."""
        self.holds[n] = None
        self.changed()

    def copied(self, n: int) -> None:
        """Somebody copies an old state over the workbook by hand; the ledger is not told."""
        self.digest = self.kept[n % len(self.kept)] if self.kept else self.digest
        self.holds = dict(self.states[self.digest][0])

    def begin(self) -> str:
        self.log.clear_plan()
        return self.digest

    def persons(self, cells: Iterable[int]) -> list[int]:
        """Of these cells, those that hold a person's value."""
        return [n for n in sorted(cells) if self.holds.get(n) is not None and self.holds[n] != self.wrote.get(n)]

    def conflict(self, n: int, value: str, kept: str) -> ConflictRecord:
        shown = (json.dumps(one) for one in (self.wrote.get(n), self.holds[n], value))
        return ConflictRecord("Data", key(n), n, "Result", *shown, kept)

    def save(self, cells: set[int]) -> int:
        """A save that overwrites these cells, people's too."""
        old, value = self.begin(), f"machine {self.steps}"
        self.log.plan(Change("Data", key(n), n, cell(self.holds.get(n)), cell(value)) for n in sorted(cells))
        self.log.plan_conflicts(self.conflict(n, value, "ours") for n in self.persons(cells) if n in self.wrote)
        for n in cells:
            self.holds[n] = self.wrote[n] = value
        self.kept.append(old)
        self.changed()
        save = self.log.intend(old, self.digest, ".tmp")
        self.log.saved(save, None)
        self.kept.append(self.digest)
        return save

    def keep(self, cells: set[int]) -> None:
        """People type into these cells while a run is going, which keeps them and has nothing else to write."""
        for n in cells:
            self.wrote.setdefault(n, self.holds.get(n))
            self.holds[n] = f"person {self.steps}"
        self.changed()
        self.begin()
        self.log.plan_conflicts(self.conflict(n, "ours", "theirs") for n in sorted(cells))
        self.log.settled_without_change()
        self.known()

    def restore(self, digest: str) -> None:
        # Backups are known by the first part of their digest.
        assert remember_restore(self.ledger, BOOK, digest[:16], self.digest[:16]).known
        self.kept.append(self.digest)
        self.digest = digest
        self.holds, self.wrote = (dict(one) for one in self.states[digest])

    def any_restore(self, n: int) -> None:
        if self.kept:
            self.restore(self.kept[n % len(self.kept)])

    def anew(self, _: object) -> None:
        """The workbook is made anew from another one; what was there is kept."""
        forget_written(self.ledger, BOOK, self.digest)
        self.kept.append(self.digest)
        self.holds, self.wrote = {}, {}
        self.changed()

    def written(self) -> dict[int, Any]:
        found = last_written(self.ledger, BOOK, "Data", [key(n) for n in range(CELLS)])
        known = {n: json.loads(found[key(n)] or "{}") for n in range(CELLS) if key(n) in found}
        return {n: cells["Result"] for n, cells in known.items() if "Result" in cells}

    def check(self) -> None:
        """No person's value passes for the machine's, nor the other way round; an empty cell is free anyway."""
        found = self.written()
        filled = [n for n in self.wrote if self.holds.get(n) is not None]
        persons = [n for n in filled if self.holds[n] != self.wrote[n]]
        assert [n for n in filled if self.holds[n] != found.get(n)] == persons

    def check_again_without_the_record(self) -> None:
        """What saves say is the same, where the record of what was written last is damaged."""
        self.ledger.execute("UPDATE written SET cells = cells || 'x'")
        self.check()


CELL = st.integers(0, CELLS - 1)
SOME = st.sets(CELL, min_size=1)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["edit", "empty"]), CELL),
        st.tuples(st.sampled_from(["save", "keep"]), SOME),
        st.tuples(st.just("any_restore"), st.integers(0, 40)),
        st.tuples(st.just("anew"), st.none()),
    ),
    max_size=16,
)


@settings(deadline=None, max_examples=300)
@given(steps=STEPS, damaged=st.booleans())
def test_after_any_saves_edits_and_restores_what_was_written_last_is_that_of_the_state_there(
    steps: list[tuple[str, Any]], damaged: bool
) -> None:
    with Ledger.vanishing(Path("/w")) as ledger:
        model = Model(ledger)
        for what, value in steps:
            getattr(model, what)(value)
            model.check()
        if damaged:
            model.check_again_without_the_record()


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return Model(Ledger.open(tmp_path / "ledger.db"))


def test_a_state_put_back_and_forward_again_is_known(model: Model) -> None:
    model.save({0})
    second = model.save({0, 1})
    model.edit(2)
    newest = model.digest
    model.restore(model.kept[1])
    assert saves_in(model.ledger, BOOK) == [second - 1]
    model.check()
    model.restore(newest)
    assert saves_in(model.ledger, BOOK) == [second - 1, second]
    model.check()


def test_what_was_written_in_a_cell_that_a_person_then_emptied_is_known_before_that_too(model: Model) -> None:
    model.save({0})
    filled = model.digest
    model.save({1})
    model.empty(0)
    model.save({0})
    model.restore(filled)
    assert model.written()[0] == model.holds[0]


def test_a_value_that_was_known_for_a_persons_is_so_again_after_the_way_back_and_forth(model: Model) -> None:
    model.edit(0)
    model.keep({0})
    theirs = model.digest
    model.save({1})
    model.anew(None)
    model.restore(theirs)
    assert model.written()[0] == "person 1"
    assert model.holds[0] != "person 1"


def test_the_runs_whose_saves_a_restore_takes_back_are_named(model: Model) -> None:
    model.save({0})
    model.save({1})
    digest = model.kept[1]
    assert remember_restore(model.ledger, BOOK, digest, model.digest).lost == (Lost("run1", "small", 1),)
    assert remember_restore(model.ledger, BOOK, digest, digest).lost == (), "they are taken back already"


def test_a_state_that_the_ledger_does_not_know_changes_nothing_of_what_was_written(model: Model) -> None:
    model.save({0})
    found = remember_restore(model.ledger, BOOK, "f" * 16, model.digest)
    assert (found.known, found.lost) == (False, ())
    model.check()
    assert saves_in(model.ledger, BOOK) == [1]


def test_a_state_before_a_save_that_was_not_made_is_known_too(model: Model) -> None:
    model.save({0})
    model.edit(1)
    before = model.digest
    model.log.clear_plan()
    model.log.abandoned(model.log.intend(before, "new", ".tmp"))
    model.edit(2)
    assert remember_restore(model.ledger, BOOK, before, model.digest).known
    assert saves_in(model.ledger, BOOK) == [1]
    model.check()


def test_a_save_after_a_restore_is_no_successor_of_the_saves_taken_back(model: Model) -> None:
    model.save({0})
    before = model.digest
    model.save({0, 1})
    model.restore(before)
    third = model.save({2})
    assert saves_in(model.ledger, BOOK) == [third - 2, third]


def test_a_state_copied_over_by_hand_is_no_other_place_for_the_states_that_saves_know(model: Model) -> None:
    first = model.digest
    model.save({0})
    second = model.digest
    model.copied(0)
    assert model.digest == first
    model.restore(second)
    model.restore(first)
    assert saves_in(model.ledger, BOOK) == []


def test_a_restore_that_was_not_recorded_is_completed_where_it_took_place(model: Model) -> None:
    first = model.digest
    model.save({0})
    intend_restore(model.ledger, BOOK, first, model.digest)
    settle_restore(model.ledger, BOOK, lambda: model.digest)
    assert saves_in(model.ledger, BOOK) == [1], "it did not take place"
    settle_restore(model.ledger, BOOK, lambda: first)
    assert saves_in(model.ledger, BOOK) == [1], "and is forgotten"
    intend_restore(model.ledger, BOOK, first, model.digest)
    settle_restore(model.ledger, BOOK, lambda: first)
    assert saves_in(model.ledger, BOOK) == []
    model.restore(model.digest)
    intend_restore(model.ledger, BOOK, "f" * 64, model.digest, anew=True)
    settle_restore(model.ledger, BOOK, lambda: "f" * 64)
    assert (saves_in(model.ledger, BOOK), model.written()) == ([], {})


def test_a_state_behind_pruned_saves_is_not_known(model: Model) -> None:
    model.save({0})
    model.save({1})
    newest = model.digest
    model.ledger.execute(
        """INSERT INTO pruned (run, at, counts, batches, saves, conflicts) VALUES ('run1', ?, '{}', 0, 2, 0)""", [AT]
    )
    model.anew(None)
    model.ledger.execute("DELETE FROM saves WHERE id = 1")
    assert not remember_restore(model.ledger, BOOK, newest, model.digest).known


def test_a_ledger_of_the_form_before_goes_on_from_the_last_restore(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger.open(path) as ledger:
        model = Model(ledger)
        for n in range(3):
            model.save({n})
        for table in ("lineage", "places", "left_states"):
            ledger.execute(f"DROP TABLE {table}")
        ledger.execute("INSERT INTO facts VALUES ('restored ' || ?, 2)", [BOOK])
        ledger.execute("PRAGMA user_version = 3")
    with Ledger.open(path) as ledger:
        assert saves_in(ledger, BOOK) == [3]
        assert ledger.one("SELECT 1 FROM facts WHERE name LIKE 'restored %'") is None
    with Ledger.open(path) as ledger:
        ledger.execute("DELETE FROM places")
        ledger.execute("INSERT INTO facts VALUES ('restored ' || ?, 3)", [BOOK])
        ledger.execute("PRAGMA user_version = 3")
    with Ledger.open(path) as ledger:
        assert saves_in(ledger, BOOK) == []
