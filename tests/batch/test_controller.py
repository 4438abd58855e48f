import contextlib
import itertools
import tempfile
import threading
from pathlib import Path

import pytest

from batchbook.batch import processor as engine
from batchbook.batch import waiting
from batchbook.batch.interrupt import StopToken
from batchbook.batch.processors import Processor
from batchbook.errors import (
    CannotSave,
    LedgerError,
    Rejected,
    Transient,
    Unknown,
    WorkbookDamaged,
    WorkbookInUse,
    WorkbookMissing,
)
from batchbook.storage.ledger import Ledger
from tests.batch.helpers import Died, Site, counted, people, shout

EXPECTED = {f"K{n}": f"name {n}!" for n in range(1, 7)}


def test_every_row_is_done_and_what_the_job_does_not_write_is_as_before(site):
    before = site.rows()
    result = site.run()
    assert (result.status, result.exit_code, result.rows.done) == ("completed", 0, 6)
    assert site.results() == EXPECTED
    assert [[*row[:2], *row[3:]] for row in site.rows()] == [[*row[:2], *row[3:]] for row in before]


def test_a_second_run_over_the_same_rows_changes_nothing_and_saves_nothing(site):
    site.run()
    state = site.book.read_bytes()
    result = site.run()
    assert (result.rows.unchanged, result.saves) == (6, 0)
    assert site.book.read_bytes() == state


def test_every_kind_of_end_is_counted_and_the_counts_add_up(site):
    def work(row):
        match row.key[0]:
            case "K1":
                raise Rejected("bad data")
            case "K2":
                raise Unknown("nobody knows", Result="?")
            case "K3":
                raise ValueError("broken")
            case "K4":
                return None
        return shout(row)

    site.use(work)
    result = site.run()
    rows = result.rows
    assert (rows.rejected, rows.unknown, rows.failed, rows.unchanged, rows.done) == (1, 1, 1, 1, 2)
    assert (rows.selected, rows.remaining, result.status, result.exit_code) == (6, 0, "completed_with_failures", 3)
    assert site.results() == {"K1": None, "K2": "?", "K3": None, "K4": None, "K5": "name 5!", "K6": "name 6!"}


def test_only_outcomes_that_the_job_calls_failures_fail_the_run(tmp_path):
    def work(row):
        raise Rejected("no")

    site = Site(tmp_path / "w", processor=work, fail_on=["failed"])
    assert site.run().exit_code == 0


def cut_off(monkeypatch, k, *, committed):
    """The ledger's k-th transaction is the last: rolled back with an error, or committed and then the process dies."""
    real, count, dead = Ledger.transaction, itertools.count(1), False

    @contextlib.contextmanager
    def transaction(self):
        nonlocal dead
        if dead:
            raise Died
        last = next(count) == k
        with real(self):
            yield
            if last and not committed:
                raise LedgerError("the disk is full")
        if last:
            dead = True
            raise Died

    monkeypatch.setattr(Ledger, "transaction", transaction)


@pytest.mark.parametrize("committed", [True, False], ids=["dies after the commit", "the commit fails"])
def test_a_run_cut_off_at_any_commit_resumes_to_the_same_end_and_does_no_committed_row_again(committed):
    for k in itertools.count(1):
        with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
            site = Site(Path(folder) / "w", batch={"strategy": "fixed", "size": 2, "checkpoint_frequency": 2})
            with patch.context() as cut:
                cut_off(cut, k, committed=committed)
                try:
                    first = site.run()
                except (LedgerError, Died):
                    first = None
            with site.ledger() as ledger:
                kept = {row[0] for row in ledger.query("SELECT key FROM outcomes WHERE superseded = 0")}
            work, seen = counted()
            site.use(work)
            result = site.run("auto")
            assert result.status == "completed", k
            assert site.results() == EXPECTED, k
            if first is not None:
                break
            unfinished = result.resumed is not None
            assert not unfinished or not {f'["{key}"]' for key in seen} & kept, k
            assert {path.name for path in site.path.iterdir()} == {"book.xlsx", "data", "job.yaml"}, k
    assert k > 10


@pytest.mark.parametrize("place", range(1, 7))
def test_a_run_stopped_at_any_row_keeps_what_was_done_and_resumes_to_the_same_end(site, place):
    first = site.interrupted(place)
    done = first.rows.done
    assert done == place
    assert (first.status, first.exit_code) == (("interrupted", 130) if done < 6 else ("completed", 0))
    assert sum(value is not None for value in site.results().values()) == done
    work, seen = counted()
    site.use(work)
    result = site.run("auto")
    assert result.rows.done + result.rows.unchanged == 6
    assert site.results() == EXPECTED
    if done < 6:
        assert len(seen) == 6 - done
        assert result.resumed == {"run_id": first.run_id, "attempt": 2, "rows_kept": done}


def test_after_a_failed_commit_nothing_more_is_tried_and_the_lock_is_free(site, monkeypatch):
    with monkeypatch.context() as patch:
        cut_off(patch, 3, committed=False)
        with pytest.raises(LedgerError):
            site.run()
    assert {path.name for path in site.path.iterdir()} == {"book.xlsx", "data", "job.yaml"}
    assert site.run("auto").rows.done == 6


def test_a_run_stopped_after_its_last_row_is_finished_all_the_same(tmp_path):
    site = Site(tmp_path / "w", conflicts_sheet=True)
    assert site.interrupted(6).status == "completed"
    assert site.rows("Conflicts") == []


def test_rows_side_by_side_end_as_one_by_one(tmp_path):
    together = threading.Barrier(3, timeout=20)

    def work(row):
        together.wait()
        return shout(row)

    batch = {"strategy": "fixed", "size": 6, "concurrency": 3, "checkpoint_frequency": 1}
    site = Site(tmp_path / "w", processor=work, batch=batch)
    assert site.run().rows.done == 6
    assert site.results() == EXPECTED


def test_an_async_function_does_the_rows(site):
    async def work(row):
        if row.key == ("K2",):
            raise Rejected("no")
        return shout(row)

    site.use(work)
    result = site.run()
    assert (result.rows.done, result.rows.rejected) == (5, 1)


def test_a_processor_of_whole_batches_gets_them_and_a_bad_row_fails_alone(tmp_path):
    sizes = []

    class Whole(Processor):
        writes = ("Result",)

        def process_batch(self, rows):
            sizes.append(len(rows))
            return [Rejected("no") if row.key == ("K2",) else shout(row) for row in rows]

    site = Site(tmp_path / "w", processor=Whole, batch={"strategy": "fixed", "size": 4})
    result = site.run()
    assert (sizes, result.rows.done, result.rows.rejected) == ([4, 2], 5, 1)


def test_trouble_that_passes_costs_a_retry_and_no_row(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "RETRY_FIRST", 0.001)
    tries = []

    def work(row):
        tries.append(row.key)
        if tries.count(row.key) < 3:
            raise Transient("busy")
        return shout(row)

    batch = {"strategy": "fixed", "size": 3, "concurrency": 1, "max_retry_attempts": 3}
    site = Site(tmp_path / "w", people(2), work, batch=batch)
    assert site.run().rows.done == 2
    assert len(tries) == 6


@pytest.mark.parametrize("fails", [False, True])
def test_the_processor_is_closed_once_however_the_run_ends(tmp_path, fails):
    closed = []

    class Closing(Processor):
        writes = ("Result",)

        def process(self, row):
            return shout(row)

        def close(self):
            closed.append(1)

    site = Site(tmp_path / "w", processor=Closing)
    if fails:
        site.book.unlink()
        with pytest.raises(WorkbookMissing):
            site.run()
    else:
        site.run()
    assert closed == [1]


def test_a_workbook_that_cannot_be_read_is_said_before_anything_is_made(site):
    site.book.write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(WorkbookDamaged):
        site.run()
    assert not site.ledger_path.exists()


def test_a_workbook_that_somebody_has_open_is_left_alone(site):
    (site.path / ".~lock.book.xlsx#").write_text(",ann,desk,21.11.2026 10:00,file:///home/ann;")
    state = site.book.read_bytes()
    with pytest.raises(WorkbookInUse, match="ann"):
        site.run()
    assert site.book.read_bytes() == state


def test_a_workbook_opened_in_mid_run_keeps_its_results_in_the_ledger_until_it_is_closed(site):
    mark = site.path / ".~lock.book.xlsx#"

    def work(row):
        if row.key == ("K5",):
            mark.write_text(",ann,desk,21.11.2026 10:00,file:///home/ann;")
        return shout(row)

    site.use(work)
    result = site.run()
    assert (result.status, result.exit_code, result.rows.done) == ("failed", 4, 6)
    mark.unlink()
    work, seen = counted()
    site.use(work)
    assert site.run("auto").status == "completed"
    assert (site.results(), seen) == (EXPECTED, [])


def test_a_job_that_waits_for_a_closed_workbook_saves_when_it_is_closed(tmp_path, monkeypatch):
    monkeypatch.setattr(waiting, "_POLL_SECONDS", 0.01)
    site = Site(tmp_path / "w", on_open="wait")
    mark = site.path / ".~lock.book.xlsx#"

    def work(row):
        if row.key == ("K5",):
            mark.write_text(",ann,desk,21.11.2026 10:00,file:///home/ann;")
            threading.Timer(0.2, mark.unlink).start()
        return shout(row)

    site.use(work)
    assert site.run().status == "completed"
    assert site.results() == EXPECTED
    assert any("Waiting until it is closed" in said for said in site.warnings())


def test_a_header_that_goes_in_mid_run_saves_nothing_and_keeps_all_results(site):
    def work(row):
        if row.key == ("K5",):
            site.cell("C1", "Outcome")
        return shout(row)

    site.use(work)
    result = site.run()
    assert (result.status, result.exit_code) == ("failed", 6)
    assert isinstance(result.error, CannotSave)
    site.cell("C1", "Result")
    work, seen = counted()
    site.use(work)
    assert site.run("auto").status == "completed"
    assert (site.results(), seen) == (EXPECTED, [])


def test_an_output_is_made_once_and_the_workbook_stays_as_it_is(site):
    state = site.book.read_bytes()
    stop = StopToken()

    def work(row):
        if row.key == ("K2",):
            stop.stop()
        return shout(row)

    site.use(work)
    out = {"output": str(site.path / "out.xlsx")}
    assert site.run(stop=stop, overrides=out).status == "interrupted"
    site.use(shout)
    result = site.run("auto", overrides=out)
    assert (result.status, result.rows.done, result.output) == ("completed", 6, out["output"])
    assert site.book.read_bytes() == state
    assert {row[0]: row[2] for row in site.rows(name="out.xlsx")} == EXPECTED


def test_an_output_that_was_there_becomes_a_backup_at_a_fresh_start(site):
    site.make_book([["OLD", "old", "old", "old"]], name="out.xlsx")
    old = (site.path / "out.xlsx").read_bytes()
    site.run(overrides={"output": str(site.path / "out.xlsx")})
    assert len(site.rows(name="out.xlsx")) == 6
    assert old in [path.read_bytes() for path in site.path.glob("data/backups/*/*.xlsx")]


def test_a_header_row_that_is_not_the_first_is_found_and_gaps_are_no_rows(site):
    site.make_book([["title"], [], ["Key", "Name", "Result"], ["K1", "a"], [], [], ["K2", "b"]], headers=())
    assert site.run().rows.done == 2


def test_aliases_name_the_same_column(tmp_path):
    site = Site(
        tmp_path / "w", columns={"name": ["Name", "Title"], "out": "Result"}, reads=["name"], writes=["out"],
        processor=lambda row: {"out": row["name"].upper()},
    )  # fmt: skip
    site.make_book(people(1), headers=("Key", "Title", "RESULT ", "Note"))
    assert site.run().status == "completed"
    assert site.results() == {"K1": "NAME 1"}


def test_text_that_looks_like_a_formula_is_text(site):
    site.use(lambda row: {"Result": "=1+1"})
    site.run()
    assert set(site.results().values()) == {"=1+1"}
