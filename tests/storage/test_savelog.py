from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from batchbook.storage.lastwritten import last_written
from batchbook.storage.ledger import Ledger
from batchbook.storage.savelog import (
    Change,
    ConflictRecord,
    SaveLog,
    changes_of,
    conflicts_of,
    count_conflicts,
    open_intents,
    saves_of,
    settle_abandoned,
    settle_saved,
    unsave,
)
from tests.storage.ledgers import AT, begin, commit

BOOK = "/w/book.xlsx"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.db") as opened:
        yield opened


def save_log(ledger: Ledger, run: str = "run1") -> SaveLog:
    log = SaveLog(ledger, run, BOOK, lambda: AT)
    log.clear_plan()
    return log


def change(n: int, before: object, after: object, column: str = "Result") -> Change:
    return Change("Data", f'["K{n}"]', n + 1, json.dumps({column: before}), json.dumps({column: after}))


def conflict(n: int, base: object, kept: str = "theirs") -> ConflictRecord:
    return ConflictRecord("Data", f'["K{n}"]', n + 1, "Result", json.dumps(base), '"mine"', '"ours"', kept)


def written(ledger: Ledger, *places: int) -> dict[str, Any]:
    found = last_written(ledger, BOOK, "Data", [f'["K{n}"]' for n in places])
    return {key: json.loads(cells) for key, cells in found.items()}


def test_an_intent_holds_the_plan_and_its_outcomes_and_is_open_until_it_is_settled(ledger: Ledger) -> None:
    run = begin(ledger)
    commit(run, 1, 2)
    log = save_log(ledger)
    log.plan([change(1, None, "a")])
    assert log.plan_outcomes(run.seq) == 2
    save = log.intend("old", "new", ".tmp")
    assert [one.id for one in open_intents(ledger, BOOK)] == [save]
    assert run.unsaved() == 0
    assert written(ledger, 1) == {}, "nothing counts as written before the file was replaced"
    log.saved(save, "backup.xlsx")
    assert open_intents(ledger, BOOK) == []
    assert written(ledger, 1) == {'["K1"]': {"Result": "a"}}
    assert [(one.state, one.backup) for one in saves_of(ledger, "run1")] == [("saved", "backup.xlsx")]
    assert ledger.run("run1").digest == "new"  # type: ignore[union-attr]


def test_an_abandoned_save_leaves_its_outcomes_unsaved_and_no_trace_of_changes(ledger: Ledger) -> None:
    run = begin(ledger)
    commit(run, 1)
    log = save_log(ledger)
    log.plan([change(1, None, "a")])
    log.plan_conflicts([conflict(2, None)])
    log.plan_outcomes(run.seq)
    log.abandoned(log.intend("old", "new", ".tmp"))
    assert run.unsaved() == 1
    assert (list(changes_of(ledger, "run1")), list(conflicts_of(ledger, "run1")), written(ledger, 1, 2)) == ([], [], {})


def test_outcomes_committed_after_the_plan_stay_unsaved(ledger: Ledger) -> None:
    run = begin(ledger)
    commit(run, 1)
    log = save_log(ledger)
    log.plan_outcomes(run.seq)
    commit(run, 2)
    log.saved(log.intend("old", "new", ".tmp"), None)
    assert [o.ordinal for o in run.outcomes(unsaved=True)] == [2]


def test_a_plan_begun_anew_forgets_the_last_one(ledger: Ledger) -> None:
    run = begin(ledger)
    commit(run, 1)
    log = save_log(ledger)
    log.plan([change(1, None, "a")])
    log.plan_conflicts([conflict(1, None)])
    log.plan_outcomes(run.seq)
    log.clear_plan()
    assert log.plan_size() == (0, 0)
    log.intend("old", "new", ".tmp")
    assert run.unsaved() == 1


def test_planned_changes_come_by_row_and_a_later_one_takes_the_earliers_place(ledger: Ledger) -> None:
    begin(ledger)
    log = save_log(ledger)
    log.plan([change(3, None, "c"), change(1, None, "a"), change(3, None, "C")])
    assert [(one.number, json.loads(one.after)["Result"]) for one in log.planned("Data")] == [(2, "a"), (4, "C")]
    assert log.plan_size() == (2, 0)


def test_where_nothing_has_to_change_outcomes_and_conflicts_are_settled_all_the_same(ledger: Ledger) -> None:
    run = begin(ledger)
    commit(run, 1)
    log = save_log(ledger)
    log.plan_outcomes(run.seq)
    log.plan_conflicts([conflict(1, None)])
    log.settled_without_change()
    assert run.unsaved() == 0
    assert len(list(conflicts_of(ledger, "run1"))) == count_conflicts(ledger, "run1") == 1
    assert ledger.run("run1").digest == "old"  # type: ignore[union-attr]
    log.clear_plan()
    log.settled_without_change()
    assert len(saves_of(ledger, "run1")) == 1, "an empty plan leaves no save"


def test_the_values_last_written_are_kept_column_by_column_a_blank_too(ledger: Ledger) -> None:
    begin(ledger)
    log = save_log(ledger)
    for one in (change(1, None, "a"), change(1, None, 7, "Other"), change(1, "a", None)):
        log.clear_plan()
        log.plan([one])
        log.saved(log.intend("old", "new", ".tmp"), None)
    assert written(ledger, 1) == {'["K1"]': {"Result": None, "Other": 7}}


def test_what_a_kept_value_of_a_person_was_weighed_against_is_remembered_but_never_over_what_was_written(
    ledger: Ledger,
) -> None:
    begin(ledger)
    log = save_log(ledger)
    log.plan([change(1, None, "a")])
    log.plan_conflicts(
        [conflict(1, "stale"), conflict(2, {"datetime": "2026-01-01T00:00:00"}), conflict(3, None, "ours")]
    )
    log.saved(log.intend("old", "new", ".tmp"), None)
    assert written(ledger, 1, 2, 3) == {
        '["K1"]': {"Result": "a"}, '["K2"]': {"Result": {"datetime": "2026-01-01T00:00:00"}},
    }  # fmt: skip


def test_values_are_remembered_by_workbook_and_sheet(ledger: Ledger) -> None:
    begin(ledger)
    log = save_log(ledger)
    log.plan([change(1, None, "a")])
    log.saved(log.intend("old", "new", ".tmp"), None)
    assert last_written(ledger, BOOK, "Other", ['["K1"]']) == {}
    assert last_written(ledger, "/w/other.xlsx", "Data", ['["K1"]']) == {}
    assert len(last_written(ledger, BOOK, "Data", [f'["K{n}"]' for n in range(1200)])) == 1


def test_a_save_can_be_settled_twice_by_two_starts_without_harm(ledger: Ledger) -> None:
    begin(ledger)
    log = save_log(ledger)
    log.plan([change(1, None, "a")])
    save = log.intend("old", "new", ".tmp")
    settle_saved(ledger, save, None)
    settle_saved(ledger, save, None)
    assert written(ledger, 1) == {'["K1"]': {"Result": "a"}}
    assert len(list(changes_of(ledger, "run1"))) == 1


def test_a_workbook_put_back_makes_what_its_saves_had_brought_unsaved(ledger: Ledger) -> None:
    run = begin(ledger)
    log = save_log(ledger)
    saves = []
    for n in (1, 2):
        commit(run, n)
        log.clear_plan()
        log.plan([change(n, "before", "a")])
        log.plan_outcomes(run.seq)
        saves.append(log.intend("old", "new", ".tmp"))
        log.saved(saves[-1], None)
    assert unsave(ledger, "run1", saves[1:]) == 1
    assert [o.ordinal for o in run.outcomes(unsaved=True)] == [2]
    assert [one.key for one in changes_of(ledger, "run1")] == ['["K1"]']


def test_a_superseded_outcome_is_not_planned(ledger: Ledger) -> None:
    run = begin(ledger)
    commit(run, 1)
    commit(run, 1)
    assert save_log(ledger).plan_outcomes(run.seq) == 1


def test_settling_one_save_leaves_another_open(ledger: Ledger) -> None:
    begin(ledger)
    log = save_log(ledger)
    first, second = log.intend("a", "b", ".1"), log.intend("b", "c", ".2")
    settle_abandoned(ledger, first)
    assert [one.id for one in open_intents(ledger, BOOK)] == [second]
