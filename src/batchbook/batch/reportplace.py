"""Where the report that each run of a job leaves is put."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from batchbook.batch.processors import Processor, ReportWish
from batchbook.config import BaseConfig, JobConfig
from batchbook.errors import ConfigurationError
from batchbook.storage.links import followed


def report_place(base: BaseConfig, wish: ReportWish, *, job: str, run: str, now: dt.datetime) -> Path:
    """The file that a wish means for a run, links followed, whether or not it is there."""
    name = wish.to
    for word, value in {"job": _fit(job), "date": now.date().isoformat(), "run": run}.items():
        name = name.replace(f"{{{word}}}", value)
    return followed(base.resolve(name))


def must_be_no_workbook(job: JobConfig, processor: Processor, now: dt.datetime) -> None:
    """See that the report that a job wants is not to lie where one of its workbooks does; ConfigurationError if so.

    At the end of a run it would go to another file, night after night, and nobody would look for it there.
    """
    try:
        wish = processor.report_wish()
    except Exception:  # noqa: BLE001 - a processor's own code may raise anything
        # No reason to stop a run. `nightly_report` asks again at its end, and warns of what is raised then.
        return
    if wish is None or "{run}" in wish.to:
        return
    place = report_place(job.base, wish, job=job.job, run="", now=now)
    for what, path in (("workbook", job.workbook), ("output", job.output), ("input", job.input)):
        if path is not None and _are_one(place, followed(path)):
            raise ConfigurationError(
                f"The report that {job.path.name} asks for is to lie at {place}, which is the job's own {what}.",
                "Give the report another name, such as data/reports/{job}-{run}.xlsx.",
            )


def _are_one(first: Path, second: Path) -> bool:
    """Also by another name of the same file, such as a hard link or one in capitals where these do not matter."""
    if first == second:
        return True
    try:
        return first.samefile(second)
    except OSError:
        return False


def _fit(text: str) -> str:
    """A job's name as part of a file's."""
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in text).strip(".") or "job"
