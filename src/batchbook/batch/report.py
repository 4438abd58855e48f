"""What a run ends with: the result as an object, as JSON, as a report file."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil

from batchbook.batch.checkpoints import shown_key
from batchbook.batch.outcomes import Counts, Outcome
from batchbook.batch.vanished import Vanished
from batchbook.config import JobConfig
from batchbook.errors import EXIT_FAILED, EXIT_OK, EXIT_OUTCOMES, BatchbookError
from batchbook.storage import files
from batchbook.storage.ledger import Ledger
from batchbook.storage.private import make_state_folder, write_private
from batchbook.storage.runlog import RunLog
from batchbook.storage.savelog import conflicts_of
from batchbook.storage.scratch import Spool
from batchbook.storage.temporary import SUFFIX

REJECTED = "-rejected"
"""Behind the run's id in the name of the file of its rejected rows."""
_PROBLEMS = (Outcome.REJECTED, Outcome.UNKNOWN, Outcome.FAILED, Outcome.GONE)


@dataclass(frozen=True)
class RunResult:
    """How a run ended; `as_dict` is what ``--json`` prints. Rows and counts are totals of the whole run."""

    run_id: str | None
    job: str
    status: str
    """completed, completed_with_failures, interrupted, failed or dry_run."""
    workbook: str
    output: str | None
    rows: Counts
    resumed: Mapping[str, Any] | None
    batches: int
    saves: int
    conflicts: int
    seconds: Mapping[str, float]
    peak_rss_bytes: int
    report: str | None
    error: BatchbookError | None = None
    stopped_with: int | None = None
    """The exit code of an interrupted run (128 and the signal's number)."""
    reference: Mapping[str, str] = field(default_factory=dict)
    """The date of each set of reference data."""
    changes: Spool | None = None
    """The cell changes of a dry run, as plain data."""
    problems: Spool | None = None
    """The rows of a dry run that would not end well, as plain data; those of a run are in its report."""
    foreseen: str = "completed"
    """How the run would end that a dry run is of: completed or completed_with_failures."""
    overwritten: int = 0
    """In how many of the conflicts the run's value is written; in the others the person's is kept."""
    vanished: tuple[Vanished, ...] = ()
    """What earlier runs wrote and was not there any more when this one began."""
    report_workbook: str | None = None
    """The report workbook that the job wants of each run, where it could be written."""
    rejected_rows: str | None = None
    """The file of the rows of an input that were rejected or failed, as they were given, with the reasons."""
    warned: int = 0
    """How many rows ended well with a remark."""
    records: str = ""
    """The records of a system that the run changed: a few by key and label, the others by their number."""
    remarks: tuple[str, ...] = ()
    """What the processor tells of its last attempt as a whole, such as a source that did not answer."""
    pending: Mapping[str, str] | None = None
    """Where the finished save lies that could not be published, who has the workbook open, and how it gets in."""

    @property
    def exit_code(self) -> int:
        """The exit code of ``batchbook run``; a dry run has that of the run which it foresees."""
        if self.error is not None:
            return self.error.exit_code
        if self.stopped_with is not None:
            return self.stopped_with
        status = self.foreseen if self.status == "dry_run" else self.status
        return {"completed": EXIT_OK, "completed_with_failures": EXIT_OUTCOMES}.get(status, EXIT_FAILED)

    def as_dict(self, *, spooled: bool = False) -> dict[str, Any]:
        """The result as plain data; with `spooled` the lists of a dry run stay iterables that take no memory."""
        plain: dict[str, Any] = {
            "run_id": self.run_id,
            "job": self.job,
            "status": self.status,
            "workbook": self.workbook,
            "output": self.output,
            "rows": self.rows.as_dict(),
            "resumed": dict(self.resumed) if self.resumed else None,
            "batches": self.batches,
            "saves": self.saves,
            "conflicts": self.conflicts,
            "seconds": dict(self.seconds),
            "peak_rss_bytes": self.peak_rss_bytes,
            "report": self.report,
            "error": self.error.as_dict() if self.error else None,
        }
        if self.report_workbook is not None:
            plain["report_workbook"] = self.report_workbook
        if self.rejected_rows is not None:
            plain["rejected_rows"] = self.rejected_rows
        if self.reference:
            plain["reference"] = dict(self.reference)
        if self.conflicts:
            plain["overwritten"] = self.overwritten
        if self.warned:
            plain["warned"] = self.warned
        if self.records:
            plain["changed_records"] = self.records
        if self.remarks:
            plain["remarks"] = list(self.remarks)
        if self.pending is not None:
            plain["pending"] = dict(self.pending)
        if self.vanished:
            plain["vanished"] = [one.as_dict() for one in self.vanished]
        for name, long in (("changes", self.changes), ("problems", self.problems)):
            if long is not None:
                plain[name] = long if spooled else list(long)
        return plain


def vars_of(change: Any) -> dict[str, Any]:
    """A cell change as plain data."""
    return {name: getattr(change, name) for name in type(change).__slots__}


def failed_before(job: str, workbook: str, error: BatchbookError | None) -> RunResult:
    """The result of a run that could not begin."""
    none = dict.fromkeys(("total", "process", "ledger", "save"), 0.0)
    return RunResult(None, job, "failed", workbook, None, Counts(), None, 0, 0, 0, none, peak_rss(), None, error)


def stopped_before(job: JobConfig, code: int) -> RunResult:
    """The result of a run that was stopped, with this exit code, before it could begin."""
    failed = failed_before(job.job, str(job.workbook), None)
    return replace(failed, status="interrupted", output=str(job.output) if job.output else None, stopped_with=code)


def peak_rss() -> int:
    """The most memory this process has held, in bytes."""
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource  # does not exist on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def problems_of(log: RunLog) -> Iterator[dict[str, Any]]:
    """Every row that did not end well, as plain data."""
    for one in log.outcomes():
        if one.outcome in _PROBLEMS:
            yield {"row": one.number, "key": shown_key(one.key), "outcome": one.outcome, "reason": one.reason}


def warnings_of(log: RunLog) -> Iterator[dict[str, Any]]:
    """Every row that ended well, though with a remark, as plain data."""
    for number, key, said in log.remarked():
        yield {"row": number, "key": shown_key(key), "warning": said}


def conflicts_in(log: RunLog) -> Iterator[dict[str, Any]]:
    """Every conflict with a person's value, as plain data."""
    for one in conflicts_of(log.ledger, log.run.id):
        yield {
            "sheet": one.sheet, "row": one.number, "key": shown_key(one.key), "column": one.column,
            "base": json.loads(one.base), "theirs": json.loads(one.theirs), "ours": json.loads(one.ours),
            "kept": one.kept,
        }  # fmt: skip


def write_report(folder: Path, log: RunLog, result: Mapping[str, Any]) -> Path:
    """Write the run's report (JSON) below the reports folder; gives its path."""
    path = folder / f"{log.run.id}.json"
    make_state_folder(folder)
    write_private(path, (text.encode() for text in _pieces(log, result)))
    return path


def sweep_reports(folder: Path, ledger: Ledger, workbook: str) -> None:
    """Remove half-written reports, and files of rejected rows, of this workbook's runs (its name in the ledger).

    The caller holds its lock. The folder is shared: what other workbooks' runs are writing at this moment stays.
    """
    with suppress(OSError):
        for path in folder.glob(f".*{SUFFIX}"):
            run = ledger.run(path.name[1:].partition(".")[0].removesuffix(REJECTED))
            if run is not None and run.workbook == workbook:
                files.unlink(path, missing_ok=True)


def _pieces(log: RunLog, result: Mapping[str, Any]) -> Iterator[str]:
    """The report piece by piece: its lists can be longer than memory."""
    lists = {
        "problems": problems_of(log),
        "warnings": warnings_of(log) if result.get("warned") else iter(()),
        "conflict_list": conflicts_in(log),
    }
    start = "{\n"
    for name, value in result.items():
        yield f"{start} {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}"
        start = ",\n"
    for name, rows in lists.items():
        yield f"{start} {json.dumps(name)}: ["
        comma = "\n  "
        for row in rows:
            yield comma + json.dumps(row, ensure_ascii=False)
            comma = ",\n  "
        yield "]"
        start = ",\n"
    yield "\n}\n"
