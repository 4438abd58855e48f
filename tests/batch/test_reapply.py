"""Putting back what vanished."""

from __future__ import annotations

import contextlib
import itertools

import openpyxl
import pytest

from batchbook.batch.checkpoints import CheckpointManager
from batchbook.batch.controller import local_now
from batchbook.batch.undo import reapply_run, undo_run
from batchbook.errors import CannotSave, UsageError, WorkbookInUse
from batchbook.storage import files
from batchbook.storage.pendingfile import pending_path
from tests.batch.helpers import Detailed, Site, shout
from tests.storage.helpers import Crash, FaultyOperations

MARK = ",ann,desk,21.11.2026 10:00,file:///home/ann;"


def reapply(site, run):
    with site.ledger() as ledger:
        return reapply_run(site.job().base, ledger, run, wait=0, clock=local_now, warn=print)


def undo(site, run):
    with site.ledger() as ledger:
        return undo_run(site.job().base, ledger, run, wait=0, clock=local_now, warn=print)


def second(row):
    return {"Result": f"second {row['Name']}"}


SECOND = {f"K{n}": f"second name {n}" for n in range(1, 7)}


@pytest.fixture
def overwritten(site):
    """A site whose second run was saved over with the state from before it; gives the site and the run."""
    site.run()
    content = site.book.read_bytes()
    site.use(second)
    run = site.run()
    site.book.write_bytes(content)
    site.cell("D2", "a note")
    return site, run.run_id


def test_cells_that_hold_what_they_held_before_the_run_get_what_it_wrote(overwritten):
    site, run = overwritten
    done = reapply(site, run)
    assert (done.run, done.restored, list(done.kept)) == (run, 6, [])
    assert site.results() == SECOND
    assert site.results(3)["K1"] == "a note"


def test_what_a_person_changed_otherwise_stays_and_is_listed(overwritten):
    site, run = overwritten
    site.edit(lambda sheet: (sheet.__setitem__("C3", "mine"), sheet.__setitem__("C4", None), sheet.delete_rows(7)))
    done = reapply(site, run)
    assert done.restored == 3
    assert site.results() == {"K1": SECOND["K1"], "K2": "mine", "K3": None, "K4": SECOND["K4"], "K5": SECOND["K5"]}
    assert [word in line for word, line in zip(("'mine'", "nothing", "K6"), list(done.kept), strict=True)] == [True] * 3
    assert "which it held before the run" in next(iter(done.kept))


def test_it_is_a_run_of_its_own_and_can_be_undone(overwritten):
    site, run = overwritten
    before = site.rows()
    done = reapply(site, run)
    with site.ledger() as ledger:
        recorded = ledger.run(done.reapply_run)
        assert (recorded.status, recorded.job) == ("completed", f"reapply of {run}")
        assert run in recorded.note
    assert undo(site, done.reapply_run).restored == 6
    assert site.rows() == before


def test_a_second_one_has_nothing_to_do(overwritten):
    site, run = overwritten
    reapply(site, run)
    state = site.book.read_bytes()
    done = reapply(site, run)
    assert (done.restored, list(done.kept), site.book.read_bytes()) == (0, [], state)


def test_after_it_the_next_run_knows_the_cells_for_its_own(overwritten):
    site, run = overwritten
    reapply(site, run)
    site.use(lambda row: {"Result": "third"})
    result = site.run()
    assert (result.conflicts, set(site.results().values())) == (0, {"third"})
    assert "vanished" not in result.as_dict()


def test_several_runs_are_put_back_in_their_order(site):
    content = site.book.read_bytes()
    first = site.run().run_id
    site.use(second)
    later = site.run().run_id
    site.book.write_bytes(content)
    site.cell("D2", "a note")
    assert reapply(site, first).restored == 6
    assert reapply(site, later).restored == 6
    assert site.results() == SECOND


def test_cells_that_a_later_run_wrote_are_left_alone(site):
    first = site.run().run_id
    site.use(second)
    site.run()
    done = reapply(site, first)
    assert (done.restored, len(done.kept), site.results()) == (0, 6, SECOND)


def test_a_run_that_wrote_nothing_or_is_not_there_is_refused(site):
    site.run()
    with pytest.raises(UsageError, match="changed nothing"):
        reapply(site, site.run().run_id)
    with pytest.raises(UsageError, match="no run"):
        reapply(site, "never")


def test_a_workbook_that_somebody_has_open_is_not_touched(overwritten):
    site, run = overwritten
    (site.path / ".~lock.book.xlsx#").write_text(MARK)
    state = site.book.read_bytes()
    with pytest.raises(WorkbookInUse):
        reapply(site, run)
    assert site.book.read_bytes() == state


def test_where_the_header_is_gone_nothing_is_changed(overwritten):
    site, run = overwritten
    site.cell("C1", "Outcome")
    state = site.book.read_bytes()
    with pytest.raises(CannotSave, match="reapply again") as caught:
        reapply(site, run)
    assert caught.value.exit_code == 6
    assert site.book.read_bytes() == state


def test_an_unfinished_run_gets_back_what_it_had_saved(site):
    content = site.book.read_bytes()
    run = site.interrupted(5).run_id
    assert sum(value is not None for value in site.results().values()) == 6 - list(site.results().values()).count(None)
    done = [key for key, value in site.results().items() if value]
    site.book.write_bytes(content)
    site.cell("D2", "a note")
    assert reapply(site, run).restored == len(done)
    assert site.run("auto").run_id == run
    assert site.results() == {f"K{n}": f"name {n}!" for n in range(1, 7)}


def test_detail_rows_are_put_back_too_unless_a_person_changed_them(tmp_path, monkeypatch):
    site = Site(tmp_path / "w", processor=Detailed)
    first = site.run().run_id
    content = site.book.read_bytes()
    monkeypatch.setattr(Detailed, "facts", 2)
    run = site.run()
    after = site.rows("Facts")
    site.book.write_bytes(content)
    book = openpyxl.load_workbook(site.book)
    book["Facts"]["B2"] = "mine"
    book.save(site.book)
    done = reapply(site, run.run_id)
    assert (done.restored, len(done.kept)) == (5, 1)
    assert "K1 in Facts" in next(iter(done.kept))
    assert site.rows("Facts") == [["K1", "mine"], *after[2:]]
    book = openpyxl.load_workbook(site.book)
    del book["Facts"]
    book.save(site.book)
    assert "the sheet Facts is not there" in list(reapply(site, first).kept)[-1]


@pytest.mark.parametrize("verb", ["reapply", "undo"])
def test_one_that_dies_at_any_file_operation_is_over_at_the_next_start(tmp_path, monkeypatch, verb):
    for k in itertools.count(1):
        site = Site(tmp_path / f"{k}")
        content = site.book.read_bytes()
        run = site.run().run_id
        if verb == "reapply":
            site.book.unlink()
            site.book.write_bytes(content)
        turn = reapply if verb == "reapply" else undo
        ops = FaultyOperations(k, Crash)
        with monkeypatch.context() as patch:
            patch.setattr(files, "ops", ops)
            with contextlib.suppress(Crash):
                turn(site, run)
        state = set(site.results().values())
        site.run(keys=("nobody",))
        assert {path.name for path in site.path.iterdir() if "batchbook" in path.name} == set(), k
        with site.ledger() as ledger:
            turns = [one for one in ledger.runs() if one.job.startswith(verb)]
            assert not [one for one in ledger.runs() if one.unfinished], k
        assert set(site.results().values()) == state
        if turns and turns[0].status == "completed" and len(state) == (6 if verb == "reapply" else 1):
            assert undo(site, turns[0].id).restored == 6
        if not ops.dead:
            break
    assert k > 5


# --- inputs that are not those of the results ----------------------------------------------------------------------


@pytest.fixture
def typed(site):
    """A site where two inputs were typed before the run, and an old copy from before that was saved over it."""
    content = site.book.read_bytes()
    site.edit(lambda sheet: (sheet.__setitem__("B2", "typed"), sheet.__setitem__("B4", "typed too")))
    run = site.run().run_id
    site.book.write_bytes(content)
    site.cell("D2", "a note")
    return site, run


def test_no_result_goes_beside_inputs_that_it_does_not_belong_to(typed):
    site, run = typed
    done = reapply(site, run)
    assert site.results() == {**{f"K{n}": f"name {n}!" for n in range(1, 7)}, "K1": None, "K3": None}
    assert (done.restored, list(done.kept)) == (
        4,
        [
            f"row {number} ({key}): its inputs are not those that the run read; the next run of small does it again"
            for number, key in ((2, "K1"), (4, "K3"))
        ],
    )
    result = site.run()
    assert (result.conflicts, site.results()) == (0, {f"K{n}": f"name {n}!" for n in range(1, 7)})


def test_a_row_left_alone_is_the_next_runs_to_write_also_where_it_holds_an_older_result(site):
    site.run()
    content = site.book.read_bytes()
    site.use(second)
    site.cell("B2", "typed")
    run = site.run().run_id
    site.book.write_bytes(content)
    site.cell("D2", "a note")
    assert (reapply(site, run).restored, site.results()["K1"]) == (5, "name 1!")
    site.use(lambda row: {"Result": "third"})
    result = site.run()
    assert (result.conflicts, set(site.results().values())) == (0, {"third"})


def test_nor_by_a_reapply_of_that_reapply(typed):
    site, run = typed
    content = site.book.read_bytes()
    turn = reapply(site, run).reapply_run
    site.book.write_bytes(content)
    site.cell("B3", "typed since")
    done = reapply(site, turn)
    assert (done.restored, len(done.kept), site.results()["K2"], site.results()["K4"]) == (3, 1, None, "name 4!")


def test_an_undo_that_vanished_needs_no_inputs(typed):
    site, run = typed
    reapply(site, run)
    content = site.book.read_bytes()
    turn = undo(site, run).undo_run
    site.book.write_bytes(content)
    site.cell("B3", "typed since")
    assert reapply(site, turn).restored == 4
    assert set(site.results().values()) == {None}


def test_a_row_that_holds_the_result_anyway_is_not_listed(site):
    run = site.run().run_id
    site.cell("B2", "typed since")
    done = reapply(site, run)
    assert (done.restored, list(done.kept)) == (0, [])


@pytest.mark.parametrize(
    "settings",
    [
        {"reads": None},
        {"columns": {"Key": "Key", "Label": ["Name", "Title"], "Out": "Result"}, "reads": ["Label"], "writes": ["Out"]},
        {"reads": ["Name", "Result", "Note"]},
        {"header_row": 1, "marks": {"status": "Note"}},
    ],
    ids=["all columns", "own names", "it reads what it writes", "marks"],
)
def test_rows_are_read_again_as_the_job_reads_them(tmp_path, settings):
    job = {"processor": lambda row: {settings.get("writes", ["Result"])[0]: f"of {len(row)}"}, **settings}
    site = Site(tmp_path / "w", **job)
    content = site.book.read_bytes()
    site.cell("B2", "typed")
    run = site.run()
    after = site.results()
    assert run.rows.done == 6
    site.book.write_bytes(content)
    site.cell("A9", " ")
    done = reapply(site, run.run_id)
    assert [line.split(":")[0] for line in done.kept] == ["row 2 (K1)"]
    assert {key: value for key, value in site.results().items() if key in after} == {**after, "K1": None}


def test_results_of_an_earlier_attempt_whose_row_was_done_again_stay_out(site):
    content = site.book.read_bytes()
    run = site.interrupted(5).run_id
    site.cell("B2", "typed")
    site.run("auto")
    site.book.write_bytes(content)
    site.cell("D2", "a note")
    done = reapply(site, run)
    assert (done.restored, len(done.kept), site.results()["K1"]) == (5, 1, None)


def test_where_what_was_read_is_gone_nothing_is_changed(typed):
    site, run = typed
    site.cell("B1", "Called")
    state = site.book.read_bytes()
    with pytest.raises(CannotSave, match=f"no longer has what run {run} read"):
        reapply(site, run)
    assert site.book.read_bytes() == state


def test_of_an_older_run_it_is_said_that_inputs_could_not_be_compared(typed, capsys):
    site, run = typed
    with site.ledger() as ledger, ledger.transaction():
        ledger.execute("UPDATE runs SET settings = json_remove(settings, '$.table.read')")
    assert reapply(site, run).restored == 6
    assert "could not be compared" in capsys.readouterr().out


def test_rows_of_an_input_are_not_in_the_workbook_and_need_no_comparison(tmp_path, capsys):
    site = Site(tmp_path / "w", input="rows.csv")
    (site.path / "rows.csv").write_text("Key,Name\nK1,one\nK2,two\n")
    content = site.book.read_bytes()
    run = site.run().run_id
    site.book.write_bytes(content)
    site.cell("D2", "a note")
    assert reapply(site, run).restored == 2
    assert (site.results()["K1"], capsys.readouterr().out) == ("one!", "")


def test_detail_rows_go_with_the_inputs_of_their_row(tmp_path, monkeypatch):
    site = Site(tmp_path / "w", processor=Detailed)
    site.run()
    content = site.book.read_bytes()
    monkeypatch.setattr(Detailed, "facts", 2)
    site.edit(lambda sheet: sheet.__setitem__("B2", "typed"))
    run = site.run().run_id
    site.book.write_bytes(content)
    site.edit(lambda sheet: sheet.delete_rows(4))
    done = reapply(site, run)
    assert done.restored == 4
    assert [("K1" in line, "K3" in line) for line in done.kept] == [(True, False), (False, True)]
    assert [row[0] for row in site.rows("Facts")].count("K1") == 1


# --- a save that waits ---------------------------------------------------------------------------------------------


@pytest.fixture
def waiting(tmp_path):
    """A site whose run left its finished save beside the open workbook, which is closed now."""
    site = Site(tmp_path / "w", on_open="later")
    mark = site.path / ".~lock.book.xlsx#"
    mark.write_text(MARK)
    run = site.run().run_id
    mark.unlink()
    return site, run


def test_a_finished_save_that_waits_is_published_and_that_is_all(waiting):
    site, run = waiting
    done = reapply(site, run)
    assert (done.reapply_run, done.restored) == (None, 6)
    assert site.results() == {f"K{n}": f"name {n}!" for n in range(1, 7)}
    with site.ledger() as ledger:
        assert [one.status for one in ledger.runs()] == ["completed"]


def test_where_the_workbook_was_changed_since_its_job_has_to_merge(waiting):
    site, run = waiting
    site.cell("D2", "a note")
    with pytest.raises(CannotSave, match="--resume-auto") as caught:
        reapply(site, run)
    assert caught.value.exit_code == 6
    assert not pending_path(site.book).exists()
    site.use(shout)
    site.run("auto", keys=("K1",))
    assert site.results() == {f"K{n}": f"name {n}!" for n in range(1, 7)}


def test_of_a_run_that_died_after_its_save_was_put_by_a_changed_workbook_asks_for_the_resume_too(tmp_path, monkeypatch):
    site = Site(tmp_path / "w", on_open="later")
    mark = site.path / ".~lock.book.xlsx#"
    mark.write_text(MARK)

    def dies(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(CheckpointManager, "end", dies)
        with pytest.raises(KeyboardInterrupt):
            site.run()
    with site.ledger() as ledger:
        (run,) = (one.id for one in ledger.runs())
    mark.unlink()
    site.cell("D2", "a note")
    with pytest.raises(CannotSave, match="--resume-auto"):
        reapply(site, run)
    assert site.run("auto").resumed["run_id"] == run
    assert site.results() == {f"K{n}": f"name {n}!" for n in range(1, 7)}


def test_an_undo_publishes_it_first(waiting):
    site, run = waiting
    assert undo(site, run).restored == 6
    assert set(site.results().values()) == {None}
    assert not pending_path(site.book).exists()


def test_a_reapply_that_leaves_a_row_for_the_next_run_tells_it_even_if_it_puts_nothing_back(site):
    site.run()
    site.use(second)
    run = site.run().run_id
    site.edit(lambda sheet: (sheet.__setitem__("C2", "name 1!"), sheet.__setitem__("B2", "other")))
    done = reapply(site, run)
    assert (done.restored, len(done.kept)) == (0, 1)
    site.use(second)
    assert site.run().conflicts == 0
    assert site.results()["K1"] == "second other"
