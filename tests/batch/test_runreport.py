"""Reports on runs as workbooks: what they tell of whatever happened to a run, and which files they may become."""

import datetime as dt
import json
import tracemalloc

import openpyxl
import pytest

from batchbook.batch import DetailSheet, Processor, ReportSheet, ReportWish, RowResult, SheetColumn, runview
from batchbook.batch.history import open_ledger
from batchbook.batch.interrupt import StopToken
from batchbook.batch.runreport import report_run
from batchbook.batch.undo import reapply_run, undo_run
from batchbook.config import load_base
from batchbook.errors import ConfigurationError, LedgerDamaged, Rejected, SaveFailed, Unknown, UsageError
from batchbook.storage.ledger import Ledger
from batchbook.tables.reportbook import report_mark
from tests.batch.helpers import NOW, Site, people, shout
from tests.storage.helpers import names

NOTHING = {
    "Changes": "Nothing was changed.",
    "Problems": "No row was rejected, unknown, failed or gone.",
    "Conflicts": "No person's value and the run's differ.",
}


def report(site, run="last", *, to="out.xlsx", job_file="job.yaml", **more):
    """Write a report as the command does, with a ledger that is only read."""
    base = site.job().base
    with open_ledger(base, reading=True) as ledger:
        job_file = site.path / job_file if job_file else None
        return report_run(base, ledger, run, site.path / to, job_file=job_file, **more)


def sheet(path, name):
    """The rows below the header."""
    return [list(row) for row in openpyxl.load_workbook(path)[name].iter_rows(2, values_only=True)]


def summary(path):
    lines = [[cell for cell in row if cell is not None] for row in
             openpyxl.load_workbook(path)["Summary"].iter_rows(values_only=True)]  # fmt: skip
    return [(line[0], line[1]) for line in lines if len(line) == 2]


def notes(path):
    return [value for name, value in summary(path) if name == "Please note"]


class Fickle:
    """Gives what it is told by key; else what `shout` gives."""

    def __init__(self, **answers):
        self.answers = answers

    def __call__(self, row):
        answer = self.answers.get(row.key[0], None)
        if isinstance(answer, Exception):
            raise answer
        return {"Result": answer} if answer is not None else shout(row)


# --- what it tells ----------------------------------------------------------------------------------------------------


def test_every_changed_cell_problem_and_conflict_is_there_and_the_counts_are_the_runs(tmp_path):
    site = Site(tmp_path / "site", people(6), on_problem="clear")
    site.run()
    site.cell("C3", "typed by hand")
    site.use(Fickle(K1="=new", K2="mine", K3=Rejected("bad data"), K4=Unknown("nobody knows")))
    run = site.run()
    made = report(site)
    assert (made.run_id, made.kind, made.note) == (run.run_id, "general", "")
    assert made.sheets["Changes"] == 3
    assert sheet(made.path, "Changes") == [
        ["Data", 2, "K1", "Result", "name 1!", "=new"],
        ["Data", 4, "K3", "Result", "name 3!", None],
        ["Data", 5, "K4", "Result", "name 4!", None],
    ]
    assert sheet(made.path, "Problems") == [[4, "K3", "rejected", "bad data"], [5, "K4", "unknown", "nobody knows"]]
    assert sheet(made.path, "Conflicts") == [["Data", 3, "K2", "Result", "typed by hand", "mine", "the person's"]]
    assert sheet(made.path, "Rows") == [row[:3] for row in site.rows()]  # the job knows no other column
    told = dict(summary(made.path))
    assert {name: told[name] for name in ("selected", "unchanged", "done", "rejected", "unknown")} == {
        "selected": 6, "unchanged": 2, "done": 2, "rejected": 1, "unknown": 1,
    }  # fmt: skip
    assert (told["Run"], told["Workbook"]) == (run.run_id, str(site.book))


def test_with_changes_only_and_nothing_changed_every_sheet_says_so_in_words(site):
    site.run()
    site.run()
    made = report(site, changes_only=True)
    assert made.sheets == {"Summary": len(summary(made.path)) + 2, "Changes": 0, "Problems": 0, "Conflicts": 0}
    for name, said in NOTHING.items():
        assert sheet(made.path, name)[0][0] == said


def test_a_first_run_says_that_it_is_one_and_a_later_one_which_it_is_compared_with(site):
    first = site.run()
    site.make_job(job="other", writes=["Note"])
    site.make_job()
    second = site.run()
    assert (
        "this is the first run of this job over this workbook"
        in dict(summary(report(site, first.run_id).path))["Compared with"]
    )
    compared = dict(summary(report(site, second.run_id).path))["Compared with"]
    assert compared.startswith(f"run {first.run_id} of ")
    assert compared.endswith("which was completed")


def test_only_another_time_of_the_check_is_no_change(tmp_path):
    site = Site(tmp_path / "site", [["K1", "n", None, None]], marks={"checked_at": "Note"})
    site.run(clock=lambda: NOW)
    site.run(clock=lambda: NOW + dt.timedelta(days=1))
    made = report(site)
    assert made.sheets["Changes"] == 0
    assert "Note" in dict(summary(made.path))["Not a change"]


class Facts(Processor):
    writes = ("Result",)
    details = {"Facts": DetailSheet((SheetColumn("Key"), SheetColumn("Fact")))}  # noqa: RUF012
    facts = ("one", "two")

    def process(self, row):
        return RowResult({"Result": "x"}, {"Facts": [[row.key[0], fact] for fact in self.facts]})


def test_rows_of_a_sheet_that_the_job_fills_are_compared_row_by_row(tmp_path):
    site = Site(tmp_path / "site", people(1), Facts, writes=None)
    site.run()
    site.use(type("Later", (Facts,), {"facts": ("two", "=three")}))
    site.run()
    assert sheet(report(site).path, "Changes") == [
        ["Facts", None, "K1", "the whole row", "K1 | one", None],
        ["Facts", None, "K1", "the whole row", None, "K1 | '=three"],
    ]


def test_a_row_that_a_person_deleted_since_is_told_all_the_same(site):
    site.run()
    site.edit(lambda data: data.delete_rows(3))
    found = sheet(report(site).path, "Changes")
    assert sorted((row[2], row[1]) for row in found)[:3] == [("K1", 2), ("K2", None), ("K3", 3)]
    assert len(found) == 6


def test_a_row_without_a_key_of_its_own_is_a_problem_with_its_place(tmp_path):
    site = Site(tmp_path / "site", [["K1", "a", None, None], ["K1", "b", None, None], [None, "c", None, None]])
    site.run()
    made = report(site)
    assert [(row[0], row[2]) for row in sheet(made.path, "Problems")] == [(n, "rejected") for n in (2, 3, 4)]


# --- whatever happened to the run -------------------------------------------------------------------------------------


def test_a_resumed_run_is_told_as_one(site):
    first = site.interrupted(4)
    site.run("auto")
    found = sheet(report(site, first.run_id).path, "Changes")
    assert [(row[2], row[4], row[5]) for row in found] == [(f"K{n}", None, f"name {n}!") for n in range(1, 7)]


def test_an_interrupted_run_says_how_many_rows_have_no_result_yet(site):
    site.interrupted(4)
    (said,) = notes(report(site).path)
    assert "interrupted and 2 of its 6 rows have no result yet" in said


def test_results_that_are_not_in_the_workbook_are_said_to_be_missing(site):
    site.died(4)
    said = " ".join(notes(report(site).path))
    assert "6 results of the run are not in the workbook yet and are not in this report" in said


def test_results_that_wait_for_a_closed_workbook_count_and_are_said_to_wait(tmp_path):
    site = Site(tmp_path / "site", on_open="later")
    owner = site.path / ".~lock.book.xlsx#"
    owner.write_text(",ann,host,01.03.2026 12:00,file:///home/ann;")
    run = site.run()
    assert run.pending is not None
    made = report(site)
    assert made.sheets["Changes"] == 6
    assert [row[2] for row in sheet(made.path, "Rows")] == [f"name {n}!" for n in range(1, 7)]
    assert any("waits in book.xlsx.batchbook-pending" in said for said in notes(made.path))
    assert site.results()["K1"] is None


def test_an_undone_run_is_told_as_it_was_and_said_to_be_undone(site):
    run = site.run()
    with site.ledger() as ledger:
        for turn, at in ((undo_run, NOW), (reapply_run, NOW + dt.timedelta(hours=1))):
            turn(site.job().base, ledger, run.run_id, wait=0, clock=lambda at=at: at, warn=print)
    made = report(site, run.run_id)
    assert made.sheets["Changes"] == 6
    said = " ".join(notes(made.path))
    assert said.index("undone by run") < said.index("reapplied by run")


def test_an_undo_has_a_report_of_its_own_that_names_the_run(site):
    run = site.run()
    with site.ledger() as ledger:
        undo = undo_run(site.job().base, ledger, run.run_id, wait=0, clock=lambda: NOW, warn=print).undo_run
    made = report(site, undo, job_file=None)
    assert dict(summary(made.path))["Compared with"].endswith(f"this run is the undo of run {run.run_id}")
    assert [row[4:] for row in sheet(made.path, "Changes")] == [[f"name {n}!", None] for n in range(1, 7)]


def test_a_pruned_run_has_no_report_and_the_file_is_left_as_it_was(site):
    old = site.run(clock=lambda: NOW)
    site.run(clock=lambda: NOW + dt.timedelta(days=100))
    with pytest.raises(UsageError, match=f"details of run {old.run_id} were pruned"):
        report(site, old.run_id)
    assert not (site.path / "out.xlsx").exists()


def test_a_run_before_that_was_pruned_is_said_to_be(site):
    site.run(clock=lambda: NOW)
    site.run(clock=lambda: NOW + dt.timedelta(days=100))
    assert "its details were pruned since" in dict(summary(report(site).path))["Compared with"]


def test_a_damaged_record_of_changes_is_no_report(site):
    site.run()
    with site.ledger() as ledger, ledger.transaction():
        ledger.execute("UPDATE changes SET after = replace(after, 'name', 'nome')")
    with pytest.raises(LedgerDamaged):
        report(site)


@pytest.mark.parametrize("spoil", ["missing", "damaged", "header"])
def test_without_a_workbook_that_can_be_read_the_changes_are_told_and_the_rest_is_said_to_be_missing(site, spoil):
    site.run()
    if spoil == "missing":
        site.book.unlink()
    elif spoil == "damaged":
        site.book.write_bytes(site.book.read_bytes()[:2000])
    else:
        site.cell("A1", "Renamed")
    made = report(site)
    assert sorted(row[2] for row in sheet(made.path, "Changes")) == [f"K{n}" for n in range(1, 7)]
    assert any("could not be read" in said for said in notes(made.path))


def test_a_run_over_some_rows_says_that_it_is_silent_about_the_others(site):
    site.run(end_row=3)
    made = report(site)
    assert made.sheets["Changes"] == 2
    assert any("took some rows only" in said for said in notes(made.path))


def test_the_ledger_and_the_workbook_are_only_read(site):
    site.run()
    before = {path: path.read_bytes() for path in (site.ledger_path, site.book)}
    report(site)
    assert {path: path.read_bytes() for path in before} == before


def test_memory_does_not_grow_with_the_workbook(tmp_path):
    def most(count):
        site = Site(tmp_path / str(count), people(count), batch={"strategy": "fixed", "size": 100, "concurrency": 1})
        site.run()
        tracemalloc.start()
        try:
            assert report(site).sheets["Changes"] == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    small, large = most(1_000), most(2_500)
    assert large < small + 600_000


# --- which job, which file --------------------------------------------------------------------------------------------


def test_the_job_is_looked_for_among_the_job_files_and_never_taken_from_the_ledger(site):
    site.run()
    assert report(site, job_file=None).note == ""
    (site.path / "job.yaml").rename(site.path / "elsewhere")
    with Ledger.open(site.ledger_path) as ledger:
        made = report_run(load_base(site.path), ledger, "last", site.path / "out.xlsx")
    assert made.kind == "general"
    assert "--job FILE" in made.note
    assert made.sheets["Changes"] == 6


def test_of_several_files_for_one_job_that_of_the_workbook_is_taken(site):
    site.run()
    settings = json.loads((site.path / "job.yaml").read_text())
    (site.path / "b.yaml").write_text(json.dumps({**settings, "workbook": "another.xlsx"}))
    assert report(site, job_file=None).note == ""
    (site.path / "c.yaml").write_text(json.dumps(settings))
    with pytest.raises(UsageError, match="Several files describe the job 'small'"):
        report(site, job_file=None)
    with pytest.raises(UsageError, match="is one of the job 'small'"):
        (site.path / "c.yaml").write_text(json.dumps({**settings, "job": "large"}))
        report(site, job_file="c.yaml")


def test_the_runs_own_workbook_is_never_replaced_even_where_it_is_missing(site):
    site.run()
    before = site.book.read_bytes()
    with pytest.raises(UsageError, match="no report"):
        report(site, to="book.xlsx")
    assert site.book.read_bytes() == before
    site.book.unlink()
    with pytest.raises(UsageError, match="is the workbook of run"):
        report(site, to="book.xlsx")
    assert not site.book.exists()


# --- a report of a processor's own, left by each run ------------------------------------------------------------------


class Reporting(Processor):
    """Wants a report of each run, with one sheet of its own."""

    writes = ("Result",)
    wish = ReportWish("data/reports/{job}-{date}.xlsx", changes_only=True)

    def process(self, row):
        return {"Result": "x"}

    def report_wish(self):
        return self.wish

    @classmethod
    def report(cls, run, *, changes_only):
        rows = ([row.key, row.outcome, row.new, row.new_input, str(changes_only)] for row in run.rows())
        return [ReportSheet("Own", [SheetColumn(c) for c in ("Key", "Outcome", "New", "New Input", "Only")], rows)]


def wishing(tmp_path, to="data/reports/{job}-{date}.xlsx", **more):
    kind = type("Wishing", (Reporting,), {"wish": ReportWish(to, changes_only=True), **more})
    return Site(tmp_path / "site", people(3), kind, writes=None)


def test_each_run_leaves_the_report_that_its_job_wants(tmp_path):
    site = wishing(tmp_path)
    result = site.run(clock=lambda: NOW)
    path = site.path / "data" / "reports" / "small-2026-03-01.xlsx"
    assert (result.status, result.report_workbook) == ("completed", str(path))
    assert result.as_dict()["report_workbook"] == site.report(result)["report_workbook"] == str(path)
    assert sheet(path, "Own") == [[f"K{n}", "done", True, False, "True"] for n in (1, 2, 3)]
    assert report_mark(path).run == result.run_id
    assert path.stat().st_mode & 0o777 == 0o600
    assert site.warnings() == []


def test_a_row_with_another_input_or_that_no_run_took_before_is_told_from_the_others(tmp_path):
    site = wishing(tmp_path)
    site.run()
    site.edit(lambda data: (data.__setitem__("B3", "changed"), data.append(["K9", "n", None, None])))
    site.run()
    found = {row[0]: (row[2], row[3]) for row in sheet(report(site).path, "Own")}
    assert found == {"K1": (False, False), "K2": (False, True), "K3": (False, False), "K9": (True, False)}


def test_what_lies_there_stays_unless_it_is_the_same_runs_report(tmp_path):
    site = wishing(tmp_path, to="night.xlsx")
    first = site.run()
    path = site.path / "night.xlsx"
    kept = path.read_bytes()
    second = site.run()
    assert second.report_workbook == str(site.path / f"night-{second.run_id}.xlsx")
    assert path.read_bytes() == kept
    assert report_mark(path).run == first.run_id
    assert site.warnings() == []


@pytest.mark.parametrize("to", ["book.xlsx", "./sub/../book.xlsx", "linked.xlsx", "hard.xlsx", "{job}.xlsx"])
def test_a_report_that_would_lie_where_the_jobs_workbook_does_stops_the_job_at_its_start(tmp_path, to):
    site = wishing(tmp_path, to=to)
    (site.path / "linked.xlsx").symlink_to("book.xlsx")
    (site.path / "hard.xlsx").hardlink_to(site.path / "book.xlsx")
    (site.path / "small.xlsx").symlink_to("book.xlsx")
    before = (site.path / "book.xlsx").read_bytes()
    with pytest.raises(ConfigurationError, match="which is the job's own workbook") as raised:
        site.run()
    assert "another name" in raised.value.advice
    assert (site.path / "book.xlsx").read_bytes() == before
    assert not list(site.path.glob("book-*.xlsx"))


def test_a_report_may_not_lie_where_the_output_does_and_may_lie_beside_it(tmp_path):
    site = wishing(tmp_path, to="out.xlsx")
    with pytest.raises(ConfigurationError, match="which is the job's own output"):
        site.run(overrides={"output": site.path / "out.xlsx"})
    assert site.run(overrides={"output": site.path / "other.xlsx"}).report_workbook == str(site.path / "out.xlsx")


def test_a_wish_that_raises_is_told_with_the_report_and_stops_nothing(tmp_path):
    def broken(self):
        raise ZeroDivisionError("by zero")

    site = wishing(tmp_path, report_wish=broken)
    assert site.run().status == "completed"
    assert "ZeroDivisionError: by zero" in site.warnings()[0]


def test_a_report_that_cannot_be_written_is_a_warning_and_not_the_runs_failure(tmp_path, monkeypatch):
    site = wishing(tmp_path, to="night.xlsx")
    (site.path / "night.xlsx").write_bytes(b"a person's")
    before = site.run()
    assert before.report_workbook == str(site.path / f"night-{before.run_id}.xlsx")

    def broken(cls, run, *, changes_only):
        raise ZeroDivisionError("by zero")

    site.use(type("Broken", (Reporting,), {"report": classmethod(broken)}))
    result = site.run()
    assert (result.status, result.report_workbook) == ("completed", None)
    (said,) = site.warnings()
    assert said.startswith("the report workbook could not be written: ZeroDivisionError: by zero")
    assert f"runs report {result.run_id} --to FILE.xlsx" in said
    monkeypatch.setattr("batchbook.batch.runreport.write_report", failing(SaveFailed("The disk is full.", "")))
    site.use(Reporting)
    result = site.run()
    assert (result.status, result.report_workbook) == ("completed", None)
    assert "The disk is full." in site.warnings()[0]


def failing(error):
    def fail(*_):
        raise error

    return fail


def test_an_interrupted_run_leaves_no_report_and_its_resume_does(tmp_path):
    site = Site(tmp_path / "site", people(4), writes=None)
    seen = []

    class Stopping(Reporting):
        def process(self, row):
            seen.append(row.key[0])
            if len(seen) == 2:
                stop.stop()
            return super().process(row)

    stop = StopToken()
    site.make_job(Stopping, writes=None)
    first = site.run(stop=stop)
    assert (first.status, first.report_workbook) == ("interrupted", None)
    stop = StopToken()
    second = site.run("auto")
    assert second.run_id == first.run_id
    assert second.report_workbook is not None
    assert [row[1] for row in sheet(second.report_workbook, "Own")] == ["done"] * 4


def test_a_run_that_is_asked_to_stop_while_it_reports_gives_the_report_up(tmp_path, monkeypatch):
    site = wishing(tmp_path)
    monkeypatch.setattr(runview, "_LOOK_EVERY", 1)
    stop = StopToken()

    def stopping(cls, run, *, changes_only):
        stop.stop()
        return [ReportSheet("Own", [SheetColumn("Key")], ([row.key] for row in run.rows()))]

    site.use(type("Stopping", (Reporting,), {"report": classmethod(stopping)}))
    result = site.run(stop=stop)
    assert (result.status, result.report_workbook) == ("completed", None)
    assert "asked to stop" in site.warnings()[0]
    assert names(site.path / "data" / "reports") == {f"{result.run_id}.json"}


def test_half_a_report_that_a_killed_run_left_is_swept_by_the_next(tmp_path):
    site = wishing(tmp_path, to="reports/{run}.xlsx")
    first = site.run()
    folder = site.path / "reports"
    stray = folder / f".{first.run_id}.xlsx.report-{first.run_id}-0123abcd.batchbook-tmp"
    others = folder / ".some.xlsx.report-19990101-000000-ffff-0123abcd.batchbook-tmp"
    for path in (stray, others):
        path.write_bytes(b"half")
    last = site.run()
    assert names(folder) == {f"{first.run_id}.xlsx", f"{last.run_id}.xlsx", others.name}


def test_a_dry_run_leaves_no_report(tmp_path):
    site = wishing(tmp_path, to="night.xlsx")
    site.run(dry_run=True)
    assert not (site.path / "night.xlsx").exists()
