"""Verbs of a system that run a job: which job is meant, and how it is started and told."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchbook.cli.listing import write_csv
from batchbook.cli.output import manner
from batchbook.cli.places import base_for, who
from batchbook.cli.run import check_loudness, run_loaded, say_what_is_left
from batchbook.cli.systems import Installed, installed_jobs
from batchbook.errors import UsageError

if TYPE_CHECKING:
    from batchbook.batch.report import RunResult
    from batchbook.cli.options import Running
    from batchbook.config import JobConfig


def run_job(system: Installed[Any], verb: str, overrides: dict[str, object], how: Running) -> int:
    """Run the job of a verb, with what the command line says instead of its file; gives the exit code."""
    job = _job(system, verb, how.workbook, overrides)
    start = _start(how)
    check_loudness(how.quiet, how.verbose)
    shown = partial(_as_csv, asked=how.quiet) if manner.csv else None
    resume = "run the same command again to go on"
    return run_loaded(job, start, quiet=how.quiet or manner.csv, shown=shown, resume=resume)


def _job(system: Installed[Any], verb: str, workbook: Path | None, overrides: dict[str, object]) -> JobConfig:
    """The job of that name in config/jobs, else the one that comes with batchbook."""
    from batchbook.config import load_job

    base = base_for(workbook)
    name = f"{system.name}-{verb}"
    files = (base.folder / "config" / "jobs" / f"{name}.{ending}" for ending in ("yaml", "yml"))
    own = next((file for file in files if file.exists()), None)
    if workbook is not None or own is None:
        overrides = {"workbook": str(system.workbook(base, workbook)), **overrides}
    return load_job(own or installed_jobs()[name], overrides, folder=base.folder)


def _start(how: Running) -> dict[str, Any]:
    """What a `StartRequest` is made of; without an option the run goes on where it was."""
    if how.start_fresh and how.resume_auto:
        raise UsageError("--start-fresh and --resume-auto do not go together.", "Give one way to start.")
    user = None if how.user is None else who(how.user)
    mode = "fresh" if how.start_fresh else "auto"
    return {"mode": mode, "user": user, "wait": how.wait, "dry_run": how.dry_run}


def _as_csv(result: RunResult, problems: list[str], quiet: bool, *, asked: bool) -> None:
    """The figures of a run as one line."""
    whole = result.as_dict()
    line = {"run_id": whole["run_id"], "status": whole["status"], **whole["rows"], "report": whole["report"]}
    write_csv(list(line), [line])
    if asked:
        say_what_is_left(result)
