import datetime as dt
import errno

import openpyxl
import pytest

from batchbook.batch.controller import local_now
from batchbook.batch.history import find_run
from batchbook.batch.undo import undo_run
from batchbook.errors import BatchbookError, CannotSave, UsageError, WorkbookInUse
from batchbook.storage import files
from batchbook.storage.saver import AtomicSaver
from batchbook.storage.settling import settle_intents
from tests.batch.helpers import Detailed, Site
from tests.storage.helpers import FaultyOperations


def undo(site, run, clock=local_now):
    with site.ledger() as ledger:
        return undo_run(site.job().base, ledger, run, wait=0, clock=clock, warn=print)


def test_every_cell_that_holds_what_the_run_wrote_gets_back_what_it_held_before(site):
    site.run()
    before = site.rows()
    site.use(lambda row: {"Result": "second"})
    run = site.run()
    undone = undo(site, run.run_id)
    assert (undone.restored, list(undone.kept)) == (6, [])
    assert site.rows() == before


def test_a_cell_that_a_person_changed_since_is_left_alone_and_listed(site):
    run = site.run()
    site.cell("C3", "mine")
    undone = undo(site, run.run_id)
    assert site.results() == {**dict.fromkeys(site.results()), "K2": "mine"}
    (kept,) = undone.kept
    assert "C3" in kept
    assert "'mine'" in kept


def test_a_header_that_was_written_in_another_way_during_the_run_is_the_same_column(tmp_path):
    site = Site(tmp_path / "w", [[f"K{n}", f"name {n}", f"before {n}", None] for n in range(1, 7)])
    site.interrupted(3)

    def change(sheet):
        sheet["C1"], sheet["B2"] = " RESULT", "other"

    site.edit(change)
    run = site.run("auto")
    assert site.results()["K1"] == "other!"
    assert list(undo(site, run.run_id).kept) == []
    assert site.results() == {f"K{n}": f"before {n}" for n in range(1, 7)}


def test_sorted_and_deleted_rows_are_followed_by_key(site):
    run = site.run()
    site.edit(lambda sheet: (sheet.delete_rows(2), sheet.insert_rows(3)))
    undone = undo(site, run.run_id)
    assert undone.restored == 5
    assert any("K1" in line for line in undone.kept)
    assert set(site.results().values()) == {None}


def test_an_undo_can_be_undone_and_two_in_one_second_are_two_runs(site):
    moment = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)
    run = site.run()
    first = undo(site, run.run_id, lambda: moment)
    second = undo(site, first.undo_run, lambda: moment)
    assert first.undo_run != second.undo_run
    assert site.results()["K6"] == "name 6!"


def test_after_an_undo_the_cells_are_free_for_the_next_run(site):
    run = site.run()
    undo(site, run.run_id)
    result = site.run()
    assert (result.rows.done, result.conflicts) == (6, 0)


def test_a_run_that_changed_nothing_cannot_be_undone(site):
    site.run()
    with pytest.raises(UsageError, match="changed nothing"):
        undo(site, site.run().run_id)
    with pytest.raises(UsageError, match="no run"):
        undo(site, "never")


def test_where_the_header_is_gone_nothing_is_changed_and_no_run_is_left_open(site):
    run = site.run()
    site.cell("C1", "Outcome")
    state = site.book.read_bytes()
    with pytest.raises(CannotSave, match="no longer has") as caught:
        undo(site, run.run_id)
    assert caught.value.exit_code == 6
    assert "'Result'" in str(caught.value.findings[0])
    assert site.book.read_bytes() == state
    with site.ledger() as ledger:
        assert [one.id for one in ledger.runs()] == [run.run_id]


def test_one_with_nothing_to_do_is_no_run(site):
    run = site.run()
    assert undo(site, run.run_id).undo_run is not None
    again = undo(site, run.run_id)
    assert (again.undo_run, again.restored) == (None, 6)
    site.edit(lambda sheet: [sheet.__setitem__(f"C{n}", "mine") for n in range(2, 8)])
    kept = undo(site, run.run_id)
    assert (kept.undo_run, len(kept.kept)) == (None, 6)
    with site.ledger() as ledger:
        assert len(ledger.runs()) == 2
        assert ledger.one("SELECT count(*) FROM attempts")[0] == 2


def test_last_is_the_newest_run_of_a_job_or_turn_that_changed_something(site, monkeypatch):
    run = site.run().run_id
    with monkeypatch.context() as patch:
        patch.setattr(AtomicSaver, "save", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            undo(site, run)
    with site.ledger() as ledger:
        assert find_run(ledger, "last").id == run, "the undo died before its save"
    done = undo(site, "last")
    assert done.run == run
    with site.ledger() as ledger:
        assert find_run(ledger, "last").id == done.undo_run
        assert [one.status for one in ledger.runs() if one.job.startswith("undo")] == ["completed", "cleared"]


@pytest.mark.parametrize("k", range(1, 60))
def test_an_undo_that_failed_at_any_file_operation_is_never_the_last_run(tmp_path, monkeypatch, k):
    site = Site(tmp_path / "w")
    run = site.run().run_id
    ops = FaultyOperations(k, errno.EIO)
    with monkeypatch.context() as patch:
        patch.setattr(files, "ops", ops)
        try:
            undone = undo(site, run).undo_run
        except BatchbookError:
            undone = None
    held = set(site.results().values())
    with site.ledger() as ledger:
        assert not [one for one in ledger.runs() if one.unfinished]
        settle_intents(ledger, site.book)
        last = find_run(ledger, "last")
    assert undone in (None, last.id)
    if None in held:
        assert (last.job, last.status) == (f"undo of {run}", "completed")
    else:
        assert last.id == run
        assert undo(site, "last").restored == 6


def test_a_workbook_that_somebody_has_open_is_not_touched(site):
    run = site.run()
    (site.path / ".~lock.book.xlsx#").write_text(",ann,desk,21.11.2026 10:00,file:///home/ann;")
    with pytest.raises(WorkbookInUse):
        undo(site, run.run_id)


def test_rows_that_an_input_added_are_empty_again(tmp_path):
    site = Site(tmp_path / "w")
    (site.path / "in.csv").write_text("Key,Name\nK9,z\n")
    site.make_job(input="in.csv")
    run = site.run()
    assert site.results()["K9"] == "z!"
    undo(site, run.run_id)
    assert "K9" not in site.results()


def test_detail_rows_are_put_back_too_unless_a_person_changed_them(tmp_path, monkeypatch):
    site = Site(tmp_path / "w", processor=Detailed)
    site.run()
    before = site.rows("Facts")
    monkeypatch.setattr(Detailed, "facts", 2)
    run = site.run()
    assert len(site.rows("Facts")) == 12
    book = openpyxl.load_workbook(site.book)
    book["Facts"]["B2"] = "mine"
    book.save(site.book)
    undone = undo(site, run.run_id)
    assert any("K1 in Facts" in line for line in undone.kept)
    assert site.rows("Facts") == [["K1", "mine"], ["K1", "fact 1"], *before[1:]]


def test_what_an_undo_that_died_left_among_the_backups_is_gone_after_the_next(site):
    run = site.run()
    (first, *_) = (site.path / "data" / "backups").glob("*/*_before_*")
    part = first.with_name(f"{first.name}.0123abcd.part")
    part.write_bytes(b"half")
    link = first.with_name(first.name.replace("_before_", "_checkpoint_"))
    link.hardlink_to(site.book)
    undo(site, run.run_id)
    assert not part.exists()
    assert not link.exists()


def test_undone_a_second_time_rows_of_a_detail_sheet_are_as_before_too(tmp_path):
    site = Site(tmp_path / "w", processor=Detailed, reads=None)
    run = site.run().run_id
    first = undo(site, run)
    second = undo(site, run)
    assert (second.undo_run, list(second.kept)) == (None, [])
    assert second.restored == first.restored
