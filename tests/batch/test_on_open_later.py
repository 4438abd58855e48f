"""`on_open: later`: a run over a workbook that somebody has open, and what becomes of its finished save."""

from __future__ import annotations

import pytest

from batchbook.batch.controller import BatchController
from batchbook.batch.history import clear_checkpoints
from batchbook.batch.interrupt import StopToken
from batchbook.batch.progress import RunStarted
from batchbook.batch.start import StartRequest
from batchbook.errors import CannotResume, UsageError, WorkbookInUse
from batchbook.storage.pendingfile import pending_path
from batchbook.xlsx import digest_of, inspect
from tests.batch.helpers import Site, counted, people, shout

EXPECTED = {f"K{n}": f"name {n}!" for n in range(1, 7)}


class Desk:
    """Ann, who opens and closes the workbook."""

    def __init__(self, site):
        self.mark = site.path / ".~lock.book.xlsx#"

    def open(self):
        self.mark.write_text(",ann,desk,21.11.2026 10:00,file:///home/ann;")

    def close(self):
        self.mark.unlink()


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path / "work", on_open="later")


@pytest.fixture
def ann(site):
    desk = Desk(site)
    desk.open()
    return desk


def status_of(site, run):
    with site.ledger() as ledger:
        return ledger.run(run).status


def test_an_open_workbook_is_not_touched_and_the_finished_save_lies_beside_it(site, ann):
    state = site.book.read_bytes()
    result = site.run()
    assert site.book.read_bytes() == state
    file = pending_path(site.book)
    assert inspect(file) == []
    assert {row[0]: row[2] for row in site.rows(name=_as_xlsx(site, file))} == EXPECTED
    assert (result.status, result.exit_code, result.rows.done, result.saves) == ("completed", 0, 6, 0)
    assert result.as_dict()["error"] is None
    assert result.as_dict()["pending"]["file"] == str(file)
    assert "ann in LibreOffice" in result.as_dict()["pending"]["open_in"]
    assert f"runs reapply {result.run_id}" in result.as_dict()["pending"]["advice"]
    assert site.report(result)["pending"] == result.as_dict()["pending"]
    assert status_of(site, result.run_id) == "pending"
    left = {path.name for path in site.path.iterdir() if "batchbook" in path.name}
    assert left == {file.name}


def _as_xlsx(site, file):
    (site.path / "copy.xlsx").write_bytes(file.read_bytes())
    return "copy.xlsx"


def test_the_next_run_publishes_it_where_the_workbook_is_as_it_was(site, ann):
    old = digest_of(site.book)
    first = site.run()
    new = digest_of(pending_path(site.book))
    ann.close()
    work, seen = counted()
    site.use(work)
    second = site.run("ask")
    assert any("is published" in said for said in site.warnings())
    assert (site.results(), len(seen)) == (EXPECTED, 6)
    assert not pending_path(site.book).exists()
    assert status_of(site, first.run_id) == "completed"
    assert second.rows.unchanged == 6
    with site.ledger() as ledger:
        (save, *_) = ledger.query("SELECT * FROM saves WHERE run = ?", [first.run_id])
        assert (save["state"], save["old"], save["new"]) == ("saved", old, new)
        assert save["backup"]


def test_where_the_workbook_was_changed_the_results_are_merged_and_the_file_goes(site, ann):
    first = site.run()

    def change(sheet):
        sheet["C3"] = "mine"
        sheet["D4"] = "a note"
        sheet.delete_rows(7)
        sheet.insert_rows(2)

    site.edit(change)
    ann.close()
    result = site.run("auto", keys=("K1",))
    assert any("is not published" in said for said in site.warnings())
    assert any("are merged" in said for said in site.warnings())
    assert not pending_path(site.book).exists()
    found = {row[0]: row[2] for row in site.rows() if row[0]}
    assert found == {"K1": "name 1!", "K2": "mine", "K3": "name 3!", "K4": "name 4!", "K5": "name 5!"}
    assert status_of(site, first.run_id) == "completed_with_failures"
    with site.ledger() as ledger:
        summary = ledger.run(first.run_id).summary
        assert summary["rows"]["gone"] == 1
        assert sum(summary["rows"].values()) == 2 * summary["rows"]["selected"]
        assert summary["conflicts"] == 1
    assert result.status == "completed"


def test_a_row_whose_input_changed_meanwhile_is_done_again_by_a_resume(site, ann):
    first = site.run()
    site.cell("B3", "other")
    ann.close()
    work, seen = counted()
    site.use(work)
    result = site.run("auto")
    assert result.run_id == first.run_id
    assert seen == ["K2"]
    assert site.results() == {**EXPECTED, "K2": "other!"}
    assert (result.status, result.rows.done) == ("completed", 6)


def test_while_it_is_still_open_nothing_is_begun_on_top(site, ann):
    first = site.run()
    with pytest.raises(WorkbookInUse, match=f"still open.*{first.run_id}"):
        site.run()
    site.edit(lambda sheet: sheet.__setitem__("D2", "saved in between"))
    with pytest.raises(WorkbookInUse, match="still open"):
        site.run("auto")
    assert not pending_path(site.book).exists()
    ann.close()
    site.run("auto")
    assert site.results() == EXPECTED


def test_what_a_person_saves_during_the_run_is_in_the_pending_file(site, ann):
    def work(row):
        if row.key == ("K4",):
            site.edit(lambda sheet: (sheet.insert_rows(2), sheet.__setitem__("B7", "changed")))
        return shout(row)

    site.use(work)
    result = site.run()
    assert (result.status, result.rows.done) == ("completed", 6)
    ann.close()
    site.use(shout)
    site.run(keys=("K1",))
    found = {row[0]: row[2] for row in site.rows() if row[0]}
    assert found == {**EXPECTED, "K5": "changed!"}


def test_a_workbook_that_is_opened_late_and_closed_again_is_saved_as_ever(site):
    ann = Desk(site)

    def work(row):
        if row.key == ("K2",):
            ann.open()
        if row.key == ("K6",):
            ann.close()
        return shout(row)

    site.use(work)
    result = site.run()
    assert (result.status, result.pending) == ("completed", None)
    assert site.results() == EXPECTED
    assert not pending_path(site.book).exists()


def test_a_run_that_saved_before_it_was_opened_leaves_the_rest_to_the_pending_file(site):
    ann = Desk(site)

    def work(row):
        if row.key == ("K5",):
            ann.open()
        return shout(row)

    site.use(work)
    result = site.run()
    assert result.saves == 1
    assert site.results() == {**EXPECTED, "K4": None, "K5": None, "K6": None}
    ann.close()
    site.use(shout)
    site.run(keys=("K1",))
    assert site.results() == EXPECTED
    with site.ledger() as ledger:
        assert ledger.run(result.run_id).status == "completed"


def test_an_interrupted_run_leaves_no_pending_file_and_is_resumed(site, ann):
    stop = StopToken()

    def work(row):
        if row.key == ("K2",):
            stop.stop()
        return shout(row)

    site.use(work)
    result = site.run(stop=stop)
    assert (result.status, result.pending) == ("interrupted", None)
    assert not pending_path(site.book).exists()
    work, seen = counted()
    site.use(work)
    assert site.run("auto").pending is not None
    assert "K1" not in seen
    ann.close()
    site.run("auto", keys=("K1",))
    assert site.results() == EXPECTED


def test_the_state_of_a_run_whose_save_waits_is_not_given_up(site, ann):
    run = site.run().run_id
    with site.ledger() as ledger, pytest.raises(UsageError, match="wait in"):
        clear_checkpoints(ledger, None, "now")
    pending_path(site.book).unlink()
    with site.ledger() as ledger:
        assert clear_checkpoints(ledger, run, "now") == [run]


def test_a_pending_file_that_was_deleted_costs_nothing(site, ann):
    first = site.run()
    pending_path(site.book).unlink()
    ann.close()
    work, seen = counted()
    site.use(work)
    site.run("auto", keys=("K1",))
    assert site.results() == EXPECTED
    assert seen == ["K1"]
    assert status_of(site, first.run_id) == "completed"


def test_a_pending_file_that_somebody_put_in_the_workbooks_place_counts_as_published(site, ann):
    first = site.run()
    pending_path(site.book).replace(site.book)
    ann.close()
    site.run("auto")
    assert status_of(site, first.run_id) == "completed"
    assert site.results() == EXPECTED


def test_one_that_was_put_there_by_hand_and_saved_again_leads_to_no_conflicts(site, ann):
    first = site.run()
    pending_path(site.book).replace(site.book)
    site.cell("D2", "a note")
    ann.close()
    result = site.run("auto")
    assert status_of(site, first.run_id) == "completed"
    with site.ledger() as ledger:
        assert ledger.run(first.run_id).summary["conflicts"] == 0
    assert (result.conflicts, site.results()) == (0, EXPECTED)


def test_a_pending_file_of_somebody_else_is_left_and_keeps_another_from_being_made(site, ann):
    site.edit(lambda sheet: None)
    file = pending_path(site.book)
    file.write_bytes(b"another folder's")
    result = site.run()
    assert (result.status, result.exit_code) == ("failed", 6)
    assert "not known here" in result.error.what
    assert file.read_bytes() == b"another folder's"
    ann.close()
    assert site.run("auto").status == "completed"
    assert site.results() == EXPECTED
    assert file.exists()


def test_a_damaged_pending_file_is_never_published(site, ann):
    first = site.run()
    file = pending_path(site.book)
    content = bytearray(file.read_bytes())
    content[200:260] = bytes(60)  # within the first part; the directory at the end stays
    file.write_bytes(content)
    ann.close()
    site.run("auto", keys=("K1",))
    assert site.results() == EXPECTED
    assert status_of(site, first.run_id) == "completed"
    assert not file.exists()


def test_another_definition_of_the_job_leaves_the_results_out_and_says_so(site, ann):
    site.run()
    site.cell("D2", "a note")
    ann.close()
    site.make_job(on_open="later", reads=["Key", "Name", "Note"])
    result = site.run("auto")
    assert any("stay out" in said for said in site.warnings())
    assert (result.status, site.results()) == ("completed", EXPECTED)


def test_with_marks_and_failures_the_counts_add_up_and_the_exit_code_is_that_of_the_run(tmp_path):
    def work(row):
        if row.key == ("K2",):
            raise ValueError("no")
        return shout(row)

    site = Site(tmp_path / "w", people(6), processor=work, on_open="later")
    ann = Desk(site)
    ann.open()
    result = site.run()
    assert (result.status, result.exit_code) == ("completed_with_failures", 3)
    assert result.rows.ended == result.rows.selected == 6
    ann.close()
    site.run("fresh", keys=("K1",))
    assert status_of(site, result.run_id) == "completed_with_failures"


def test_an_output_that_is_open_is_not_made_anew(site):
    out = site.path / "out.xlsx"
    overrides = {"output": str(out)}
    site.run(overrides=overrides)
    (site.path / ".~lock.out.xlsx#").write_text(",ann,desk,21.11.2026 10:00,file:///home/ann;")
    state = out.read_bytes()
    with pytest.raises(WorkbookInUse):
        site.run(overrides=overrides)
    assert out.read_bytes() == state


def test_a_header_that_goes_when_the_run_has_just_begun_is_exit_code_6_and_the_run_is_kept(site, ann):
    class Renaming(list):
        def append(self, event):
            if isinstance(event, RunStarted) and not any(isinstance(one, RunStarted) for one in self):
                site.cell("C1", "Outcome")
            super().append(event)

    events = Renaming()
    result = BatchController(site.job(), StartRequest(mode="fresh"), events=events.append).run()
    assert (result.exit_code, result.error.code) == (6, "cannot-save")
    assert "--resume-auto" in result.error.advice
    with pytest.raises(CannotResume):
        site.run("auto")
    site.cell("C1", "Result")
    ann.close()
    again = site.run("auto")
    assert (again.status, again.run_id) == ("completed", result.run_id)
    assert site.results() == EXPECTED
