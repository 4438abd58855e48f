import errno
import json
import os
import stat
import sys

import pytest

from batchbook.batch.outcomes import Counts
from batchbook.batch.passes import RowPasses
from batchbook.batch.report import failed_before
from batchbook.errors import Rejected, RunFailed, WorkbookInUse
from tests.batch.helpers import shout

FIELDS = {
    "run_id", "job", "status", "workbook", "output", "rows", "resumed", "batches", "saves", "conflicts", "seconds",
    "peak_rss_bytes", "report", "error",
}  # fmt: skip


def test_the_result_has_the_fields_that_programs_rely_on(site):
    plain = site.run().as_dict()
    assert plain.keys() == FIELDS
    assert plain["rows"].keys() == {"selected", "done", "unchanged", "rejected", "unknown", "failed", "gone"}
    assert plain["seconds"].keys() == {"total", "process", "ledger", "save"}
    assert plain["peak_rss_bytes"] > 1_000_000
    json.dumps(plain)


def test_the_report_lists_every_bad_row_and_only_the_owner_can_read_it(site):
    def work(row):
        if row.key == ("K2",):
            raise Rejected("bad data")
        return shout(row)

    site.use(work)
    result = site.run()
    report = site.report(result)
    assert report["problems"] == [{"row": 3, "key": "K2", "outcome": "rejected", "reason": "bad data"}]
    assert report["rows"]["rejected"] == 1
    if sys.platform != "win32":
        (path,) = site.path.glob("data/reports/*.json")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_totals_of_a_resumed_run_are_those_of_the_whole_run(site):
    site.interrupted(2)
    result = site.run("auto")
    assert (result.rows.selected, result.rows.done) == (6, 6)
    assert site.report(result)["rows"]["done"] == 6


def test_a_run_that_could_not_begin_has_a_result_too():
    result = failed_before("small", "book.xlsx", WorkbookInUse("Ann has it.", "Wait."))
    assert (result.status, result.exit_code) == ("failed", 4)
    assert result.as_dict()["error"] == {"code": "workbook-in-use", "what": "Ann has it.", "advice": "Wait."}


def test_counts_that_do_not_add_up_fail_the_run():
    Counts(3, done=1, gone=1, failed=1).must_balance()
    with pytest.raises(RunFailed, match="3 rows were selected but 2"):
        Counts(3, done=2).must_balance()
    with pytest.raises(RunFailed):
        Counts(1, done=2).must_balance()


def test_half_a_report_that_a_dead_process_left_is_gone_after_the_next_start(site):
    run = site.run()
    folder = site.path / "data" / "reports"
    dead = folder / f".{run.run_id}.json.0123abcd.batchbook-tmp"
    rejected = folder / f".{run.run_id}-rejected.csv.rejected-0123abcd.batchbook-tmp"
    others = folder / ".20260101-000000-abcd.json.0123abcd.batchbook-tmp"
    for path in (dead, rejected, others):
        path.write_text("{")
    site.run()
    assert not dead.exists() and not rejected.exists()
    assert others.exists(), "another workbook's run may be writing it at this moment"


def test_what_the_system_refuses_in_mid_run_is_said_with_advice(site, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO), "book.xlsx")

    monkeypatch.setattr(RowPasses, "work", refuse)
    error = site.run().error
    assert error.code == "run-failed"
    assert "Input/output error (book.xlsx)" in error.what
    assert "device" in error.advice
    assert "--resume-auto" in error.advice
