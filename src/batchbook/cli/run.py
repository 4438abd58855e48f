"""`batchbook run`: one job, once."""

from __future__ import annotations

import csv
import os
import select
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from batchbook.cli import run_options as opt
from batchbook.cli.logs import log_error, start_log
from batchbook.cli.output import manner, note, others_print_beside, say, show_error, show_json
from batchbook.cli.places import runs_call
from batchbook.errors import BatchbookError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchbook.batch.progress import Event, RowProblem
    from batchbook.batch.report import RunResult
    from batchbook.batch.start import StartRequest
    from batchbook.config import JobConfig

    Shown: TypeAlias = Callable[[RunResult, list[str], bool], None]

LEFT = ("rejected", "unknown", "failed", "gone")
"""Outcomes of rows that need a look."""
RESUME = "go on with --resume-auto"
"""How people go on after an interruption."""


def run(
    job: opt.Job,
    *,
    input_file: opt.Input = None,
    output: opt.Output = None,
    way: opt.Way,
    strategy: opt.Strategy = None,
    batch_size: opt.BatchSize = None,
    start_row: opt.StartRow = None,
    end_row: opt.EndRow = None,
    keys: opt.Keys = None,
    on_change: opt.OnChange = None,
    force_continue: opt.ForceContinue = False,
    offline: opt.Offline = False,
    dry_run: opt.DryRun = False,
    wait: opt.Wait = 0.0,
    json: opt.Json = False,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> int:
    """Run a job over its workbook.

    What was done is never lost and never done again, whatever ends the run.
    """
    check_loudness(quiet, verbose)
    if start_row is not None and end_row is not None and start_row > end_row:
        raise UsageError("--start-row comes after --end-row.", "Both are Excel row numbers, the first one smaller.")
    request = {
        **way.choice(),
        "start_row": start_row,
        "end_row": end_row,
        "keys": _keys(keys),
        "on_change": on_change.value if on_change else None,
        "force": force_continue,
        "offline": offline,
        "dry_run": dry_run,
        "wait": wait,
    }
    return _run(job, _overrides(strategy, batch_size, input_file, output), request, quiet=quiet)


def check_loudness(quiet: bool, verbose: bool) -> None:
    """Refuse ``--quiet`` beside ``--verbose``."""
    if quiet and verbose:
        raise UsageError("--quiet and --verbose do not go together.", "Give one of them.")


def _keys(given: list[str] | None) -> tuple[str, ...]:
    """Keys from ``--keys a,b``; quotes protect a comma in a key."""
    if given is None:
        return ()
    keys = tuple(key.strip() for line in csv.reader(given, skipinitialspace=True) for key in line if key.strip())
    if not keys:
        # An empty variable in a script must not mean every row.
        raise UsageError("--keys names no key.", "Give keys as in --keys a,b, or leave the option out for all rows.")
    return keys


def _overrides(
    strategy: opt.Strategies | None, size: int | None, source: Path | None, output: Path | None
) -> dict[str, object]:
    """What the command line says instead of the job file."""
    said: dict[str, object] = {
        "batch.strategy": strategy.value if strategy else None,
        "batch.size": size,
        "input": _from_here(source),
        "output": _from_here(output),
    }
    return {name: value for name, value in said.items() if value is not None}


def _from_here(path: Path | None) -> str | None:
    # In a job file paths count from its base folder; on the command line they count from where the person stands.
    return None if path is None else os.path.abspath(path)  # noqa: PTH100


def _run(job_file: Path, overrides: dict[str, object], request: dict[str, Any], *, quiet: bool) -> int:
    from batchbook.config import load_job

    # A wrong job file is said before the engine is loaded.
    job = load_job(job_file, overrides)
    return run_loaded(job, request, quiet=quiet)


def run_loaded(
    job: JobConfig, request: dict[str, Any], *, quiet: bool, shown: Shown | None = None, resume: str = RESUME
) -> int:
    """Run a job, show its progress and what came of it; gives the exit code.

    request: what a `StartRequest` is made of. shown: prints the result in the place of the object of ``--json`` or the
    closing lines. resume: how people go on after an interruption.
    """
    if job.output is not None and job.output.suffix.lower() != job.workbook.suffix.lower():
        raise UsageError(
            f"The output {job.output.name} is a copy of {job.workbook.name} and needs its ending, "
            f"{job.workbook.suffix}.",
            "Give --output a name with that ending.",
        )
    if not request["dry_run"]:
        start_log(job.base)
    from batchbook.batch.controller import BatchController
    from batchbook.batch.interrupt import StopToken, handle_signals
    from batchbook.batch.report import failed_before
    from batchbook.batch.start import StartRequest
    from batchbook.cli.progress_view import make_view
    from batchbook.cli.prompts import TerminalDecisions

    start = StartRequest(**request)
    view = make_view(quiet=quiet, json=manner.json, verbose=manner.verbose)
    decide = TerminalDecisions() if _somebody_to_ask(start) else None
    stop = StopToken()
    problems = Problems(view, job.base.folder)
    try:
        with handle_signals(stop, _say_stopping, partial(say_left, resume)), others_print_beside():
            result = BatchController(job, start, decide=decide, events=problems, stop=stop).run()
    except BatchbookError as error:
        result = failed_before(job.job, str(job.workbook), error)
    finally:
        view.close()
    if result.error is not None:
        log_error(result.error)
        show_error(result.error, json=False)
    (shown or partial(_show, resume=resume))(result, problems.lines(result), quiet)
    return result.exit_code


def _say_stopping() -> None:
    note("stopping: rows in hand are finished (8 s at most) and saved; once more leaves at once")


def say_left(resume: str = RESUME) -> None:
    """Say that the process leaves at once: past all buffers and locks, and only if that does not have to wait."""
    with suppress(OSError, ValueError):
        if sys.platform == "win32" or select.select([], [2], [], 0)[1]:
            os.write(2, f"left at once; what is committed is kept, {resume}\n".encode())


class Problems:
    """Passes events on, and remembers how many rows had a problem and the first of each kind."""

    def __init__(self, view: Callable[[Event], None], base: Path | None = None) -> None:
        """base: the base folder of the run."""
        self._view = view
        self._base = base
        self._found: dict[str, tuple[int, RowProblem]] = {}

    def __call__(self, event: Event) -> None:
        """One event of the run."""
        from batchbook.batch.progress import RowProblem

        if isinstance(event, RowProblem):
            count, first = self._found.get(event.outcome, (0, event))
            self._found[event.outcome] = (count + 1, first)
        self._view(event)

    def lines(self, result: RunResult) -> list[str]:
        """A line for each kind of problem, with an example of this attempt, and where all of them are listed."""
        counts = result.rows.as_dict()  # of the whole run, as the line above them has it
        lines = [
            f"{outcome}: {max(count, counts[outcome]):,}, such as row {first.number} [{first.key}]: {first.reason}"
            for outcome, (count, first) in sorted(self._found.items())
        ]
        if not lines or (result.run_id is None and result.status != "dry_run"):
            return lines
        where = "--verbose or --json shows them"
        if result.run_id:
            where = runs_call(f"runs show {result.run_id}", Path(result.workbook), self._base)
        return [*lines, f"all of them: {where}"]


def _show(result: RunResult, problems: list[str], quiet: bool, *, resume: str = RESUME) -> None:
    if manner.json:
        show_json(result.as_dict(spooled=True))
    elif not quiet and (result.run_id is not None or result.error is None):
        for line in (*summary(result.as_dict(), resume), *problems):
            say(line)
    elif quiet:
        say_what_is_left(result)


def say_what_is_left(result: RunResult) -> None:
    """With ``--quiet`` one line on standard error, where rows need a look."""
    counts = {name: count for name, count in result.rows.as_dict().items() if name in LEFT and count}
    if result.error is None and counts:
        where = f"batchbook runs show {result.run_id}" if result.run_id else "--verbose or --json shows them"
        told = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        note(f"{result.job}: of {result.rows.selected:,} rows {told}; all of them: {where}")


def _somebody_to_ask(start: StartRequest) -> bool:
    return start.mode == "ask" and not manner.json and sys.stdin.isatty() and sys.stdout.isatty()


_ENDINGS: dict[str, str] = {
    "completed": "completed",
    "completed_with_failures": "completed, with rows that need a look",
    "interrupted": "interrupted; what was done is kept",
    "failed": "failed; what was done is kept",
    "dry_run": "dry run; nothing was written",
}


def _pace(result: dict[str, Any]) -> str:
    """Rows a second of this attempt: rows that an earlier one had done do not count."""
    rows, resumed = result["rows"], result["resumed"]
    done = sum(count for name, count in rows.items() if name != "selected") - (resumed or {}).get("rows_kept", 0)
    return f"{max(0, done) / max(result['seconds']['total'], 0.001):,.0f} rows/s"


def _conflicts(count: int, overwritten: int, *, dry: bool) -> str:
    """How many cells people had changed, and what became, or would become, of their values."""
    now = "would be " if dry else ""
    parts = ((count - overwritten, "kept as people left them"), (overwritten, "overwritten (`on_person_edit`)"))
    told = " and ".join(f"{number:,} {now}{what}" for number, what in parts if number)
    return f"conflicts: {count:,} cells that people changed: {told}{'' if dry else '; see the report'}"


def summary(result: dict[str, Any], resume: str = RESUME) -> list[str]:
    """The closing lines of a run, from the object that ``--json`` prints."""
    rows = result["rows"]
    ended = ", ".join(f"{rows[name]:,} {name}" for name in list(rows)[1:] if rows[name]) or "none"
    seconds = result["seconds"]
    if result["status"] == "interrupted" and not result["run_id"]:
        return ["interrupted; nothing was written"]
    ending = _ENDINGS.get(result["status"], result["status"])
    if result["status"] == "interrupted":
        ending += f", {resume}"
    lines = [
        ending + (f" (run {result['run_id']})" if result["run_id"] else ""),
        f"rows: {rows['selected']:,} selected: {ended}",
        f"time: {seconds['total']:.1f} s, {_pace(result)} (processing {seconds['process']:.1f}, "
        f"ledger {seconds['ledger']:.1f}, saves {seconds['save']:.1f})",
    ]
    if result["conflicts"]:
        lines.append(_conflicts(result["conflicts"], result["overwritten"], dry=result["status"] == "dry_run"))
    if pending := result.get("pending"):
        lines.append(
            f"not in the workbook yet: it is open ({pending['open_in']}); the finished save lies in {pending['file']}"
        )
        lines.append(pending["advice"])
    if records := result.get("changed_records"):
        lines.append(f"records: {records} (batchbook runs diff {result['run_id']} has each cell)")
    if warned := result.get("warned"):
        lines.append(f"warnings: {warned:,} of the rows above have one")
    named = ("workbook", "output", "report", "report_workbook", "rejected_rows")
    lines += [f"{name.replace('_', ' ')}: {path}" for name in named if (path := result.get(name))]
    return lines
