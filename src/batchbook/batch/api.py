"""Running a job from a program."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from batchbook.batch.controller import BatchController
from batchbook.batch.report import RunResult
from batchbook.batch.start import StartRequest
from batchbook.config import load_job
from batchbook.errors import UsageError

_REQUEST = ("start_row", "end_row", "keys", "on_change", "offline", "dry_run", "wait")


def run_job(job: str | Path, resume: Literal["auto", "fresh"] = "auto", **overrides: Any) -> RunResult:
    """Run a job file; the result has the same fields as ``batchbook run --json``.

    job: path of the job file. resume: ``"auto"`` goes on with an unfinished run, ``"fresh"`` never does.
    overrides: start_row, end_row, keys, on_change, offline, dry_run, wait as on the command line; everything else
    replaces a setting of the job file, dots written as double underscores (``batch__size=20``).

    Raises BatchbookError where the run cannot begin. Signals are left to the caller.
    """
    if resume not in ("auto", "fresh"):
        raise UsageError(f"resume={resume!r} is not known.", 'Give resume="auto" or resume="fresh".')
    asked = {name: overrides.pop(name) for name in _REQUEST if name in overrides}
    if "keys" in asked:
        asked["keys"] = tuple(asked["keys"])
    settings = {name.replace("__", "."): value for name, value in overrides.items()}
    return BatchController(load_job(Path(job), settings), StartRequest(mode=resume, **asked)).run()
