from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchbook.storage.ledger import Ledger
from batchbook.storage.runlog import RunLog, StoredOutcome
from tests.storage.ledgers import AT, begin, commit, outcome, selected


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.db") as opened:
        yield opened


def again(log: RunLog) -> RunLog:
    """The log as the next process finds it."""
    return RunLog(log.ledger, log.run)


def tamper(log: RunLog, sql: str) -> None:
    with log.ledger.transaction():
        log.ledger.execute(sql)


def test_what_was_committed_is_there_for_the_next_process(ledger: Ledger) -> None:
    log = begin(ledger)
    commit(log, 1, 2)
    commit(log, 3)
    found = again(log)
    assert list(found.outcomes()) == [outcome(1), outcome(2), outcome(3)]
    assert (found.seq, found.batch, found.counts(), found.unsaved()) == (2, 2, {"done": 3}, 3)
    assert [row.ordinal for row in found.selection(pending=True)] == [4, 5, 6, 7, 8, 9]


def test_pending_rows_come_in_pages_without_a_gap(ledger: Ledger) -> None:
    log = begin(ledger)
    commit(log, 2, 3, 5)
    assert [row.ordinal for row in log.pending_page(0, 3)] == [1, 4, 6]
    assert [row.ordinal for row in log.pending_page(6, 3)] == [7, 8, 9]
    assert log.pending_page(9, 3) == []
    commit(log, 1, 4, 6, 7, 8, 9)
    assert log.nothing_pending()


def test_a_row_that_is_done_again_counts_once_with_its_latest_outcome(ledger: Ledger) -> None:
    log = begin(ledger)
    commit(log, 1, 2)
    commit(log, 2, kind="rejected")
    assert log.counts() == {"done": 1, "rejected": 1}
    assert log.sound_until() == log.seq == 2


def test_dropped_results_make_their_rows_pending_and_leave_the_chain_whole(ledger: Ledger) -> None:
    log = begin(ledger)
    commit(log, 1, 2)
    log.drop_unsaved(1, AT)
    assert [row.ordinal for row in log.selection(pending=True)][:2] == [1, 2]
    assert log.sound_until() == log.seq == 2


FIELDS = list(StoredOutcome.__slots__)


@pytest.mark.parametrize("field", FIELDS)
def test_a_change_of_any_field_of_an_outcome_breaks_the_chain_from_there_on(ledger: Ledger, field: str) -> None:
    log = begin(ledger)
    commit(log, 1, 2)
    commit(log, 3, 4)
    commit(log, 5)
    value = "77" if field in ("ordinal", "number") else "'forged'"
    tamper(log, f"UPDATE outcomes SET {field} = {value} WHERE ordinal = 4")
    assert log.sound_until() == 1


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM outcomes WHERE ordinal = 4",
        "INSERT INTO outcomes SELECT run, 2, 9, key, number, outcome, reason, inputs, taken, writes, details, save,"
        " superseded FROM outcomes WHERE ordinal = 4",
        "DELETE FROM commits WHERE seq = 2",
        "UPDATE commits SET batch = 9 WHERE seq = 2",
        "UPDATE commits SET rows = 9 WHERE seq = 2",
        "UPDATE commits SET chain = (SELECT chain FROM commits WHERE seq = 1) WHERE seq = 2",
        "UPDATE outcomes SET seq = 3 WHERE ordinal = 4",
    ],
)
def test_a_commit_that_was_changed_removed_or_added_to_breaks_the_chain(ledger: Ledger, sql: str) -> None:
    log = begin(ledger)
    commit(log, 1, 2)
    commit(log, 3, 4)
    commit(log, 5)
    tamper(log, sql)
    assert log.sound_until() == 1


@pytest.mark.parametrize("change", ["key = '[\"K8\"]' WHERE ordinal = 9", "ordinal = 10 WHERE ordinal = 9"])
def test_a_selection_that_was_changed_makes_nothing_believable(ledger: Ledger, change: str) -> None:
    log = begin(ledger)
    commit(log, 1)
    tamper(log, f"UPDATE selection SET {change}")
    assert log.sound_until() == 0


@pytest.mark.parametrize("field", ["definition", "processor", "selection_hash"])
def test_the_chain_of_one_run_does_not_hold_for_another_definition(ledger: Ledger, field: str) -> None:
    log = begin(ledger)
    commit(log, 1)
    other = RunLog(ledger, replace(log.run, **{field: "another"}))
    assert other.sound_until() == 0


def test_a_cut_forgets_the_tail_its_checkpoints_and_nothing_else(ledger: Ledger) -> None:
    log = begin(ledger)
    commit(log, 1, 2)
    log.checkpoint(AT, "one")
    commit(log, 3, 4)
    log.checkpoint(AT, "two")
    assert log.cut(1) == 2
    assert [o.ordinal for o in log.outcomes()] == [1, 2]
    assert [point.number for point in log.checkpoints()] == [1]
    commit(log, 3)
    assert log.sound_until() == log.seq == 2


def test_what_a_cut_outcome_had_replaced_is_not_believed_again(ledger: Ledger) -> None:
    log = begin(ledger)
    commit(log, 1)
    commit(log, 1, kind="failed")
    log.cut(1)
    assert [row.ordinal for row in log.pending_page(0, 1)] == [1]


def test_a_checkpoint_holds_the_head_of_the_chain_the_counts_and_the_digest(ledger: Ledger) -> None:
    log = begin(ledger)
    commit(log, 1, 2)
    point = log.checkpoint(AT, "digest")
    assert log.checkpoints() == [point]
    assert (point.seq, point.counts, point.digest) == (1, {"done": 2}, "digest")
    assert log.chain_at(point.seq) == point.chain
    assert log.chain_at(7) is None
    assert log.chain_at(0)
    assert ledger.run("run1").digest == "digest"  # type: ignore[union-attr]


def test_batches_tell_their_rows_seconds_and_first_row(ledger: Ledger) -> None:
    log = begin(ledger)
    commit(log, 1, 3, batch=1)
    commit(log, 2, batch=1)
    commit(log, 4, batch=2)
    found = [(row["batch"], row["rows"], row["seconds"], row["first"]) for row in log.batches()]
    assert found == [(1, 3, 1.0, 1), (2, 1, 0.5, 4)]


def test_a_cleared_run_keeps_its_outcomes_and_gives_up_what_is_needed_to_resume(ledger: Ledger) -> None:
    log = begin(ledger)
    commit(log, 1)
    log.checkpoint(AT, "digest")
    with ledger.transaction():
        log.clear_state()
    assert (list(log.selection()), log.checkpoints(), log.counts()) == ([], [], {"done": 1})


def test_runs_in_one_ledger_know_nothing_of_each_other(ledger: Ledger) -> None:
    one, other = begin(ledger, "one"), begin(ledger, "other")
    commit(one, 1, 2)
    assert (other.counts(), other.unsaved(), len(other.pending_page(0, 100))) == ({}, 0, 9)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sets(st.integers(1, 9), min_size=1, max_size=4), max_size=6), st.data())
def test_the_chain_holds_after_any_commits_and_up_to_the_first_that_was_touched(
    batches: list[set[int]], data: st.DataObject
) -> None:
    with Ledger.vanishing(Path()) as ledger:
        log = begin(ledger)
        for batch in batches:
            commit(log, *sorted(batch))
        assert log.sound_until() == len(batches)
        ended = set().union(*batches)
        assert {row.ordinal for row in log.selection(pending=True)} == {row.ordinal for row in selected(9)} - ended
        if batches:
            hit = data.draw(st.integers(1, len(batches)))
            field = data.draw(st.sampled_from(["writes", "inputs", "taken", "reason", "details", "outcome", "key"]))
            tamper(log, f"UPDATE outcomes SET {field} = {field} || ' ' WHERE seq = {hit}")
            assert log.sound_until() == hit - 1
