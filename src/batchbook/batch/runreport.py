"""Making the report workbook of a run: asked for by a person, or left by each run of a job that wants one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from batchbook.batch.assembly import Assembly
from batchbook.batch.generalreport import general_report
from batchbook.batch.history import find_run
from batchbook.batch.loader import find_processor
from batchbook.batch.processors import Processor, ReportWish
from batchbook.batch.reportplace import report_place
from batchbook.batch.runview import ReportStopped, RunView
from batchbook.config import BaseConfig, JobConfig, load_job, read_yaml
from batchbook.errors import BatchbookError, ConfigurationError, UsageError
from batchbook.storage import files
from batchbook.storage.ledger import Ledger, RunRecord
from batchbook.storage.links import followed
from batchbook.storage.private import make_state_folder
from batchbook.storage.temporary import SUFFIX
from batchbook.storage.turns import COMMAND, turn_of
from batchbook.tables.reportbook import ReportFile, report_mark, report_target, write_report

_LABEL = "report"


@dataclass(frozen=True, slots=True)
class MadeReport:
    """A report that was written."""

    run_id: str
    path: Path
    sheets: Mapping[str, int]
    """How many rows each sheet has."""
    changes_only: bool
    kind: str
    """The processor whose report it is; ``general`` where it has none of its own, or its job is not known."""
    note: str = ""
    """Why it is a general one, where a job file could have told more."""


def report_run(
    base: BaseConfig,
    ledger: Ledger,
    name: str,
    to: Path,
    *,
    changes_only: bool = False,
    job_file: Path | None = None,
    installed: Mapping[str, Path] = {},
) -> MadeReport:
    """Write a report on a run to a file (see `reportbook.report_target`: which file that may be).

    Without a job file, that of the run's job is looked for among the job files of the base folder, then among those
    that came along with batchbook (`installed`, by the job's name). Raises UsageError
    where the run's details were pruned or the file cannot be a report, and what reading the job and the disk raise.
    """
    run = find_run(ledger, name)
    target = report_target(to)
    if target == followed(ledger.path_of(run.workbook)):
        raise UsageError(f"{target} is the workbook of run {run.id}, not a report.", "Give another name.")
    job, note = _job_of(base, ledger, run, job_file, installed)
    kind = _kind_of(job) if job is not None else None
    file = ReportFile(target, run.id, _title(run))
    made = _make(ledger, run, file, kind, job, changes_only=changes_only)
    return replace(made, note=note)


def nightly_report(
    assembly: Assembly,
    ledger: Ledger,
    run: str,
    now: dt.datetime,
    stopping: Callable[[], bool],
    warn: Callable[[str], None],
) -> str | None:
    """The path of the report that a job wants of each run, written; None where it wants none, or none was written.

    What is in the way of it is a warning: the run is what it is.
    """
    then = f"`batchbook runs report {run} --to FILE.xlsx` writes it"
    try:
        wish = assembly.processor.report_wish()
        return str(leave_report(assembly, ledger, run, wish, now, stopping).path) if wish is not None else None
    except ReportStopped:
        warn(f"the report workbook was not written, for the run was asked to stop; {then}")
    except Exception as trouble:  # noqa: BLE001 - a processor's own report may raise anything
        said = trouble.what if isinstance(trouble, BatchbookError) else f"{type(trouble).__name__}: {trouble}"
        warn(f"the report workbook could not be written: {said}; {then}")
    return None


def leave_report(
    assembly: Assembly, ledger: Ledger, run: str, wish: ReportWish, now: dt.datetime, stopping: Callable[[], bool]
) -> MadeReport:
    """Write the report that a job wants of each run. The caller holds the workbook's lock.

    What lies there already stays, unless it is a report on the same run: the new one then has the run in its name.
    Raises BatchbookError or OSError where it cannot be written, ReportStopped where `stopping` came to be true.
    """
    record = find_run(ledger, run)
    base = assembly.job.base
    file = _nightly_file(base, record, wish, now)
    _sweep(file.path.parent, ledger, record)
    kind = type(assembly.processor)
    return _make(ledger, record, file, kind, assembly.job, changes_only=wish.changes_only, stopping=stopping)


def _make(
    ledger: Ledger,
    run: RunRecord,
    file: ReportFile,
    kind: type[Processor] | None,
    job: JobConfig | None,
    *,
    changes_only: bool,
    stopping: Callable[[], bool] = lambda: False,
) -> MadeReport:
    view = RunView(ledger, run, _headers(kind, job), job.marks if job is not None else None)
    view.stopping = stopping
    try:
        own = kind.report(view, changes_only=changes_only) if kind is not None else None
        sheets = own if own is not None else general_report(view, changes_only=changes_only)
        counts = write_report(file, sheets)
    finally:
        view.close()
    called = f"{kind.__module__}:{kind.__qualname__}" if kind is not None and own is not None else "general"
    return MadeReport(run.id, file.path, counts, changes_only, called)


def _headers(kind: type[Processor] | None, job: JobConfig | None) -> dict[str, Sequence[str]]:
    found: dict[str, Sequence[str]] = {}
    for name, titles in (kind.columns if kind is not None else {}).items():
        found[name] = (titles,) if isinstance(titles, str) else tuple(titles)
    return found | dict(job.columns if job is not None else {})


def _title(run: RunRecord) -> str:
    return f"{run.job}: run {run.id}"


# --- the job of a run -------------------------------------------------------------------------------------------------


def _job_of(
    base: BaseConfig, ledger: Ledger, run: RunRecord, given: Path | None, installed: Mapping[str, Path]
) -> tuple[JobConfig | None, str]:
    """The job of a run, or None and why it is not known.

    Which code runs is for job files to say, never for the ledger: it only has the job's name.
    """
    if given is not None:
        job = load_job(given)
        if job.job != run.job:
            raise UsageError(
                f"Run {run.id} is one of the job {run.job!r}, not of {job.job!r} ({given}).", "Give that job's file."
            )
        return job, ""
    if turn_of(run.job, run.settings) is not None or COMMAND in run.settings:
        return None, ""
    found = [path for path in _job_files(base) if _says(path).get("job") == run.job]
    if len(found) > 1:
        workbook = ledger.path_of(run.workbook)
        found = [path for path in found if _means(base, _says(path).get("workbook"), workbook)] or found
    if len(found) > 1:
        raise UsageError(
            f"Several files describe the job {run.job!r}: {', '.join(map(str, found))}.", "Say which one: --job FILE."
        )
    if found:
        return load_job(found[0]), ""
    if run.job in installed:
        return load_job(installed[run.job], folder=base.folder), ""
    return None, (
        f"no file in {base.folder / 'config' / 'jobs'} describes the job {run.job!r}: this is the general report; "
        "with --job FILE it is the job's own"
    )


def _job_files(base: BaseConfig) -> list[Path]:
    folders = (base.folder / "config" / "jobs", base.folder)
    return [path for folder in folders for path in sorted(folder.glob("*")) if path.suffix in (".yaml", ".yml")]


def _says(path: Path) -> Mapping[str, object]:
    with suppress(ConfigurationError, OSError):
        data = read_yaml(path).data
        return data if isinstance(data, dict) else {}
    return {}


def _means(base: BaseConfig, given: object, workbook: Path) -> bool:
    return isinstance(given, str) and followed(base.resolve(given)) == followed(workbook)


def _kind_of(job: JobConfig) -> type[Processor] | None:
    target = find_processor(job)
    return target.target if target.is_class else None


# --- the report that each run leaves ----------------------------------------------------------------------------------


def _nightly_file(base: BaseConfig, run: RunRecord, wish: ReportWish, now: dt.datetime) -> ReportFile:
    path = report_place(base, wish, job=run.job, run=run.id, now=now)
    if path.suffix.lower() != ".xlsx":
        raise UsageError(f"{path} is not the name of a report workbook.", "Give a name that ends in .xlsx.")
    state = path.is_relative_to(base.reports)
    if state:
        make_state_folder(path.parent)
    else:
        files.make_folder(path.parent)
    if path.exists() and not _is_of(path, run.id):
        path = path.with_name(f"{path.stem}-{run.id}{path.suffix}")
        if path.exists() and not _is_of(path, run.id):
            raise UsageError(f"{path} is there and is no report on run {run.id}, so it is not replaced.", "")
    return ReportFile(path, run.id, _title(run), label=f"{_LABEL}-{run.id}", state=state)


def _is_of(path: Path, run: str) -> bool:
    mark = report_mark(path)
    return mark is not None and mark.run == run and not mark.edited


def _sweep(folder: Path, ledger: Ledger, run: RunRecord) -> None:
    """Remove half-written reports that killed runs over this workbook left, as far as that can be done."""
    with suppress(OSError, BatchbookError):
        for path in folder.glob(f".*.{_LABEL}-*{SUFFIX}"):
            found = ledger.run(path.name.removesuffix(SUFFIX).rpartition(f".{_LABEL}-")[2].rpartition("-")[0])
            if found is not None and found.workbook == run.workbook:
                files.unlink(path, missing_ok=True)
