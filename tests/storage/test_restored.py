"""Whatever is saved and put back, the ledger knows what the machine had written in the state that is there."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchbook.storage.lastwritten import last_written
from batchbook.storage.ledger import Ledger
from batchbook.storage.restored import forget_written, last_restored, remember_restore, saves_in
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
        self.states: list[tuple[str, dict[int, Any], dict[int, Any]]] = []
        self.remember()

    def remember(self) -> None:
        self.steps += 1
        self.digest = hashlib.sha256(f"{self.steps}".encode()).hexdigest()
        self.states.append((self.digest, dict(self.holds), dict(self.wrote)))

    def edit(self, n: int) -> None:
        """A person's edit."""
        self.holds[n] = f"person {self.steps}"
        self.remember()

    def save(self, cells: set[int]) -> int:
        """A save that overwrites these cells, people's too."""
        old, value = self.digest, f"machine {self.steps}"
        self.log.clear_plan()
        self.log.plan(Change("Data", key(n), n, cell(self.holds.get(n)), cell(value)) for n in sorted(cells))
        self.log.plan_conflicts(
            ConflictRecord("Data", key(n), n, "Result", json.dumps(self.wrote[n]), json.dumps(self.holds[n]),
                           json.dumps(value), "ours")
            for n in sorted(cells) if n in self.wrote and self.wrote[n] != self.holds[n]
        )  # fmt: skip
        for n in cells:
            self.holds[n] = self.wrote[n] = value
        self.remember()
        save = self.log.intend(old, self.digest, ".tmp")
        self.log.saved(save, None)
        return save

    def restore(self, place: int) -> None:
        digest, holds, wrote = self.states[place % len(self.states)]
        # Backups are known by the first part of their digest.
        assert remember_restore(self.ledger, BOOK, digest[:16], self.digest[:16]).known
        self.digest, self.holds, self.wrote = digest, dict(holds), dict(wrote)

    def anew(self) -> None:
        forget_written(self.ledger, BOOK, self.digest)
        self.holds, self.wrote = {}, {}
        self.remember()

    def check(self) -> None:
        found = last_written(self.ledger, BOOK, "Data", [key(n) for n in range(CELLS)])
        known = {n: json.loads(found[key(n)] or "{}").get("Result") for n in range(CELLS) if key(n) in found}
        assert {n: known.get(n) for n in self.wrote} == self.wrote


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("edit"), st.integers(0, CELLS - 1)),
        st.tuples(st.just("save"), st.sets(st.integers(0, CELLS - 1), min_size=1)),
        st.tuples(st.just("restore"), st.integers(0, 40)),
        st.tuples(st.just("anew"), st.none()),
    ),
    max_size=14,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_after_any_saves_edits_and_restores_what_was_written_last_is_that_of_the_state_there(
    steps: list[tuple[str, Any]],
) -> None:
    with Ledger.vanishing(Path("/w")) as ledger:
        model = Model(ledger)
        known: set[str] = set()
        for what, value in steps:
            if what == "restore":
                place = value % len(model.states)
                if model.states[place][0] not in known:
                    continue  # a state of which no backup can be there: no save and no restore began from it
                known.add(model.digest)
                model.restore(place)
            elif what == "save":
                known.add(model.digest)
                model.save(value)
                known.add(model.digest)
            elif what == "anew":
                known.add(model.digest)
                model.anew()
            else:
                model.edit(value)
            model.check()


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return Model(Ledger.open(tmp_path / "ledger.db"))


def test_a_state_put_back_and_forward_again_is_known(model: Model) -> None:
    model.save({0})
    second = model.save({0, 1})
    model.edit(2)
    newest = len(model.states) - 1
    model.restore(1)
    assert saves_in(model.ledger, BOOK) == [second - 1]
    model.check()
    model.restore(newest)
    assert saves_in(model.ledger, BOOK) == [second - 1, second]
    model.check()


def test_the_runs_whose_saves_a_restore_takes_back_are_named(model: Model) -> None:
    model.save({0})
    model.save({1})
    digest = model.states[1][0]
    assert remember_restore(model.ledger, BOOK, digest, model.digest).lost == (("run1", "small"),)
    assert remember_restore(model.ledger, BOOK, digest, digest).lost == (), "they are taken back already"


def test_a_state_that_the_ledger_does_not_know_changes_nothing_of_what_was_written(model: Model) -> None:
    model.save({0})
    found = remember_restore(model.ledger, BOOK, "f" * 16, model.digest)
    assert (found.known, found.lost) == (False, ())
    model.check()
    assert last_restored(model.ledger, BOOK) == 1


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
    before = len(model.states) - 1
    model.save({0, 1})
    model.restore(before)
    third = model.save({2})
    assert saves_in(model.ledger, BOOK) == [third - 2, third]


def test_a_ledger_of_the_form_before_goes_on_from_the_last_restore(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger.open(path) as ledger:
        model = Model(ledger)
        model.save({0})
        ledger.execute("DROP TABLE restores")
        ledger.execute("INSERT INTO facts VALUES ('restored ' || ?, 1)", [BOOK])
        ledger.execute("PRAGMA user_version = 3")
    with Ledger.open(path) as ledger:
        assert (last_restored(ledger, BOOK), saves_in(ledger, BOOK)) == (1, [1])
        assert ledger.one("SELECT 1 FROM facts WHERE name LIKE 'restored %'") is None
