"""`batchbook isbn bulk, assign-due`: many numbers at once, as jobs that can be resumed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from batchbook.cli import isbn_options as opt
from batchbook.cli.listing import Formats, check_format, write_csv
from batchbook.cli.output import manner
from batchbook.cli.places import WAIT_SECONDS, who
from batchbook.errors import UsageError

if TYPE_CHECKING:
    from batchbook.batch.report import RunResult
    from batchbook.config import JobConfig


def bulk(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The rows, CSV or XLSX.", show_default=False)],
    update_bookings: Annotated[
        bool, typer.Option("--update", help="Change the details of numbers that books have already, where they differ.")
    ] = False,
    workbook: opt.Workbook = None,
    user: opt.User = None,
    start_fresh: opt.StartFresh = False,
    resume_auto: opt.ResumeAuto = False,
    wait: opt.Wait = WAIT_SECONDS,
    dry_run: opt.DryRun = False,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
    format: opt.Format = Formats.TABLE,
    json: opt.Json = False,
) -> int:
    """Schedule every row of a file.

    In the order of scheduled date, then priority, then the file. The file has the columns title, book_id,
    scheduled_date and, if wanted, imprint, publisher, format, priority,
    notes, isbn. A row that is wrong is rejected with all its reasons, and the exit code is 3; the others are
    scheduled. A run that was interrupted goes on where it was, with the same numbers for the same rows.

    \b
    Examples:
      batchbook isbn bulk spring.csv
      batchbook isbn bulk spring.xlsx --workbook data/isbn.xlsx --format json
    """
    check_format(format, json)
    options = {"options.on_difference": "update"} if update_bookings else {}
    job = _job("isbn-bulk", workbook, {"input": os.path.abspath(file), **options})  # noqa: PTH100
    start = _start(start_fresh, resume_auto, user=user, wait=wait, dry_run=dry_run)
    return _run(job, start, quiet=quiet, verbose=verbose)


def assign_due(
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="DATE", help="Scheduled up to this day; left out: today.", show_default=False),
    ] = None,
    workbook: opt.Workbook = None,
    user: opt.User = None,
    start_fresh: opt.StartFresh = False,
    resume_auto: opt.ResumeAuto = False,
    wait: opt.Wait = WAIT_SECONDS,
    dry_run: opt.DryRun = False,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
    format: opt.Format = Formats.TABLE,
    json: opt.Json = False,
) -> int:
    """Assign all numbers that are due: the nightly job.

    Those that are scheduled up to today, or up to the day of --until.

    \b
    Examples:
      batchbook isbn assign-due
      batchbook isbn assign-due --until 2027-03-31 --format json
    """
    check_format(format, json)
    job = _job("isbn-assign-due", workbook, {} if until is None else {"options.until": _day(workbook, until)})
    start = _start(start_fresh, resume_auto, user=user, wait=wait, dry_run=dry_run)
    return _run(job, start, quiet=quiet, verbose=verbose)


def _day(workbook: Path | None, until: str) -> str:
    """The day that is meant, as a job's option has it."""
    from batchbook.cli.isbn_place import day_of
    from batchbook.cli.places import base_for
    from batchbook.cli.systems import isbn_of

    return str(day_of(isbn_of(base_for(workbook)), until, "--until"))


def _job(name: str, workbook: Path | None, overrides: dict[str, object]) -> JobConfig:
    """The job of that name in config/jobs, else the one that comes with batchbook."""
    from batchbook.cli.isbn_place import chosen_workbook
    from batchbook.cli.places import base_for
    from batchbook.cli.systems import installed_jobs
    from batchbook.config import load_job

    base = base_for(workbook)
    own = next((file for ending in ("yaml", "yml") if (file := _jobs(base.folder) / f"{name}.{ending}").exists()), None)
    if workbook is not None or own is None:
        overrides = {"workbook": str(chosen_workbook(base, workbook)), **overrides}
    return load_job(own or installed_jobs()[name], overrides, folder=base.folder)


def _jobs(folder: Path) -> Path:
    return folder / "config" / "jobs"


def _start(start_fresh: bool, resume_auto: bool, **more: Any) -> dict[str, Any]:
    """What a `StartRequest` is made of; without an option the run goes on where it was."""
    if start_fresh and resume_auto:
        raise UsageError("--start-fresh and --resume-auto do not go together.", "Give one way to start.")
    user = None if more["user"] is None else who(more["user"])
    return {"mode": "fresh" if start_fresh else "auto", **more, "user": user}


def _run(job: JobConfig, start: dict[str, Any], *, quiet: bool, verbose: bool) -> int:
    from batchbook.cli.run import run_loaded

    if quiet and verbose:
        raise UsageError("--quiet and --verbose do not go together.", "Give one of them.")
    shown = _as_csv if manner.csv else None
    return run_loaded(job, start, quiet=quiet or manner.csv, shown=shown, resume="run the same command again to go on")


def _as_csv(result: RunResult, problems: list[str], quiet: bool) -> None:
    """The figures of a run as one line."""
    whole = result.as_dict()
    line = {"run_id": whole["run_id"], "status": whole["status"], **whole["rows"], "report": whole["report"]}
    write_csv(list(line), [line])


def register(app: typer.Typer) -> None:
    """Add the verbs to the group."""
    app.command("bulk")(bulk)
    app.command("assign-due")(assign_due)
