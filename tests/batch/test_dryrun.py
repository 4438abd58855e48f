import pytest

from batchbook.batch.interrupt import StopToken
from batchbook.batch.progress import CellChange
from batchbook.errors import ConfigurationError, Rejected, UsageError, WorkbookDamaged, WorkbookMissing
from tests.batch.helpers import Site, shout


def state(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("before", [False, True], ids=["first", "after a run"])
def test_a_dry_run_changes_no_file_and_makes_none(site, before):
    if before:
        site.run(keys=("K1", "K2"))
    files = state(site.path)
    folders = sorted(site.path.rglob("*"))
    result = site.run(dry_run=True)
    assert (result.status, result.exit_code, result.saves, result.run_id, result.report) == (
        "dry_run",
        0,
        0,
        None,
        None,
    )
    assert state(site.path) == files
    assert sorted(site.path.rglob("*")) == folders


def test_it_tells_every_cell_that_a_run_would_change(site):
    dry = site.run(dry_run=True, keys=("K1", "K3"))
    told = [event for event in site.events if isinstance(event, CellChange)]
    assert [(one.cell, one.key, one.column, one.before, one.after) for one in told] == [
        ("C2", "K1", "Result", None, "name 1!"), ("C4", "K3", "Result", None, "name 3!"),
    ]  # fmt: skip
    assert [one["cell"] for one in dry.as_dict()["changes"]] == ["C2", "C4"]
    assert dry.rows.done == 2


def test_it_foresees_conflicts_from_what_earlier_runs_wrote(site):
    site.run()
    site.cell("C2", "mine")
    site.use(lambda row: {"Result": "second"})
    dry = site.run(dry_run=True)
    assert (dry.conflicts, len(dry.changes)) == (1, 5)
    real = site.run()
    assert (real.conflicts, real.rows) == (dry.conflicts, dry.rows)


def test_results_that_vanished_are_foreseen_as_a_run_finds_them(site):
    site.run()
    content = site.book.read_bytes()
    site.use(lambda row: {"Result": "second"})
    lost = site.run().run_id
    site.book.write_bytes(content)
    site.cell("D2", "a note")
    site.use(lambda row: {"Result": "third"})
    files = state(site.path)
    dry = site.run(dry_run=True)
    assert [one.run for one in dry.vanished] == [lost]
    assert any(lost in line for line in site.warnings())
    assert state(site.path) == files
    real = site.run()
    assert (dry.conflicts, len(dry.changes)) == (real.conflicts, 6) == (0, 6)


def test_a_ledger_of_an_older_form_is_not_renewed_by_a_dry_run(site):
    site.run()
    with site.ledger() as ledger:
        ledger.execute("PRAGMA user_version = 3")
    files = state(site.path)
    assert site.run(dry_run=True).status == "dry_run"
    assert "older form" in " ".join(site.warnings())
    assert state(site.path) == files


def test_bad_rows_are_counted_as_in_a_run(site):
    def work(row):
        if row.key == ("K2",):
            raise Rejected("no")
        return shout(row)

    site.use(work)
    dry, real = site.run(dry_run=True), site.run()
    assert dry.rows == real.rows
    assert dry.as_dict()["problems"] == [{"row": 3, "key": "K2", "outcome": "rejected", "reason": "no"}]


@pytest.mark.parametrize("fail_on", [["rejected"], ["failed"]])
def test_it_ends_with_the_exit_code_of_the_run_that_it_foresees(site, fail_on):
    def work(row):
        raise Rejected("no")

    site.make_job(fail_on=fail_on)
    site.use(work)
    dry, real = site.run(dry_run=True), site.run()
    assert dry.status == "dry_run"
    assert dry.exit_code == real.exit_code == (3 if fail_on == ["rejected"] else 0)


def test_it_does_not_need_the_workbook_closed(site):
    (site.path / ".~lock.book.xlsx#").write_text(",ann,desk,21.11.2026 10:00,file:///home/ann;")
    assert site.run(dry_run=True).rows.done == 6


def test_an_output_that_is_not_there_yet_is_not_made(site):
    out = site.path / "out.xlsx"
    result = site.run(dry_run=True, overrides={"output": str(out)})
    assert (result.rows.done, out.exists()) == (6, False)


def test_it_can_be_stopped(site):
    stop = StopToken()

    def work(row):
        stop.stop()
        return shout(row)

    site.use(work)
    result = site.run(dry_run=True, stop=stop)
    assert (result.status, result.exit_code, result.rows.done) == ("interrupted", 130, 1)


def test_rows_of_an_input_are_shown_where_they_would_go(site):
    (site.path / "in.csv").write_text("Key,Name\nK9,z\n")
    site.make_job(input="in.csv")
    site.run(dry_run=True)
    told = [event for event in site.events if isinstance(event, CellChange)]
    assert [(one.cell, one.after) for one in told] == [("A8", "K9"), ("C8", "z!")]


def test_a_workbook_that_cannot_be_read_is_an_error_here_too(site):
    site.book.write_bytes(b"PK\x03\x04")
    with pytest.raises(WorkbookDamaged):
        site.run(dry_run=True)
    site.book.unlink()
    with pytest.raises(WorkbookMissing):
        site.run(dry_run=True)


def test_a_dry_run_refuses_bad_keys_as_the_run_would(tmp_path):
    site = Site(tmp_path / "w", on_bad_key="refuse")
    site.cell("A3", "K1")
    with pytest.raises(ConfigurationError, match="empty or doubled key"):
        site.run(dry_run=True)


def test_a_dry_run_from_a_row_is_refused_and_not_taken_for_a_whole_one(tmp_path):
    site = Site(tmp_path / "w")
    with pytest.raises(UsageError, match="dry run"):
        site.run("row", number=2, dry_run=True)
