"""`batchbook isbn bulk, assign-due`: many numbers at once, as jobs that can be resumed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from batchbook.cli import isbn_options as opt
from batchbook.cli.isbn_values import day_of
from batchbook.cli.options import spread
from batchbook.cli.places import base_for
from batchbook.cli.system_jobs import run_job
from batchbook.cli.systems import ISBN


def bulk(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The rows, CSV or XLSX.", show_default=False)],
    update_bookings: Annotated[
        bool, typer.Option("--update", help="Change the details of numbers that books have already, where they differ.")
    ] = False,
    how: opt.Running,
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
    options = {"options.on_difference": "update"} if update_bookings else {}
    return run_job(ISBN, "bulk", {"input": os.path.abspath(file), **options}, how)  # noqa: PTH100


def assign_due(
    *,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="DATE", help="Scheduled up to this day; left out: today.", show_default=False),
    ] = None,
    how: opt.Running,
) -> int:
    """Assign all numbers that are due: the nightly job.

    Those that are scheduled up to today, or up to the day of --until.

    \b
    Examples:
      batchbook isbn assign-due
      batchbook isbn assign-due --until 2027-03-31 --format json
    """
    return run_job(ISBN, "assign-due", {} if until is None else {"options.until": _day(how.workbook, until)}, how)


def _day(workbook: Path | None, until: str) -> str:
    """The day that is meant, as a job's option has it."""
    return str(day_of(ISBN.of(base_for(workbook)), until, "--until"))


def register(app: typer.Typer) -> None:
    """Add the verbs to the group."""
    app.command("bulk")(spread(bulk))
    app.command("assign-due")(spread(assign_due))
