"""`batchbook check`: is a workbook sound, are the configuration and the jobs right?"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from batchbook.cli.options import Json
from batchbook.cli.output import manner, note, plain, say, show_json
from batchbook.errors import EXIT_OK, EXIT_WORKBOOK, BatchbookError

if TYPE_CHECKING:
    from batchbook.config import JobConfig


@dataclass(slots=True)
class Checked:
    """One thing that was looked at: what is wrong with it, and what is worth knowing."""

    name: str
    kind: str
    findings: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    exit_code: int = EXIT_OK

    def failed(self, error: BatchbookError) -> None:
        """Take an error down as findings."""
        self.findings += [str(finding) for finding in error.findings] or [str(error)]
        self.exit_code = error.exit_code

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "kind": self.kind,
            "name": self.name,
            "sound": not self.findings,
            "findings": self.findings,
            "remarks": self.remarks,
        }


def check(
    workbook: Annotated[
        Path | None, typer.Argument(help="A workbook; without one, the configuration, its jobs and their workbooks.")
    ] = None,
    json: Json = False,
) -> int:
    """Look for damage and mistakes.

    Nothing is changed. Without a workbook: the configuration, its jobs and their workbooks.
    """
    checked = [check_workbook(workbook)] if workbook else check_folder()
    if manner.json:
        show_json({"checked": [one.as_dict() for one in checked], "error": None})
    for one in checked:
        say(f"{one.kind} {one.name}: {'sound' if not one.findings else f'{len(one.findings)} findings'}")
        for remark in one.remarks:
            say(f"  {remark}")
        for finding in one.findings:
            _complain(finding)
    return max((one.exit_code for one in checked), default=EXIT_OK)


def _complain(finding: str) -> None:
    if not manner.json:
        note(plain(f"  {finding}"))


def check_workbook(path: Path) -> Checked:
    """Whether a workbook is sound, what it holds, and who has it."""
    from batchbook.batch.recovery import backup_offer, backup_store
    from batchbook.config import find_base, load_base
    from batchbook.storage import owner_of, read_lock
    from batchbook.xlsx import Book, Limits, inspect, use_limits

    checked = Checked(str(path), "workbook")
    try:
        base = load_base(find_base(workbook=path, cwd=Path.cwd()))
        use_limits(Limits.of(base.limits))
    except BatchbookError as error:
        checked.failed(error)
        return checked
    try:
        with Book.open(path) as book:
            names = ", ".join(_sheet(sheet.name, sheet.state) for sheet in book.sheets)
            checked.remarks.append(f"{len(book.sheets)} worksheets: {names}")
            if base.workbooks.get("isbn") == path.absolute() or _has_isbns([sheet.name for sheet in book.sheets]):
                checked.remarks.append(f"its contents: batchbook isbn check --workbook {path}")
        checked.findings += [str(finding) for finding in inspect(path)]
        checked.exit_code = EXIT_WORKBOOK if checked.findings else EXIT_OK
    except BatchbookError as error:
        checked.failed(error)
    if checked.exit_code == EXIT_WORKBOOK:
        checked.remarks.append(backup_offer(path.resolve(), backup_store(base, path.resolve())))
    if checked.findings:
        return checked
    owner = owner_of(path)
    if owner is not None:
        checked.remarks.append(f"open: {owner}; it cannot be saved meanwhile")
    lock = read_lock(path)
    if lock is not None:
        checked.remarks.append(f"locked by {lock}")
    return checked


def _has_isbns(names: Collection[str]) -> bool:
    """Whether these are the sheets of an ISBN workbook, what is in which is looked at by a check of its own."""
    from batchbook.isbn.records import ASSIGNMENTS, BLOCKS, HISTORY

    return {ASSIGNMENTS.sheet, BLOCKS.sheet, HISTORY.sheet}.issubset(names)


def _sheet(name: str, state: str) -> str:
    return name if state == "visible" else f"{name} ({state})"


def check_folder() -> list[Checked]:
    """The base configuration of the current folder, its jobs, and their workbooks."""
    from batchbook.config import find_base, load_base

    folder = find_base(cwd=Path.cwd())
    base = Checked(str(folder / "config" / "batchbook.yaml"), "configuration")
    try:
        if load_base(folder).file is None:
            base.remarks.append("there is none; the defaults hold")
    except BatchbookError as error:
        base.failed(error)
        return [base]
    checked = [base]
    books: dict[Path, Checked] = {}
    for file in sorted((folder / "config" / "jobs").glob("*.y*ml")):
        one, job = check_job(file)
        checked.append(one)
        if job is not None and job.workbook not in books:
            books[job.workbook] = check_workbook(job.workbook)
    return [*checked, *books.values()]


def check_job(file: Path) -> tuple[Checked, JobConfig | None]:
    """Whether a job file is right, and what would be warned of."""
    from batchbook.config import load_job

    checked = Checked(str(file), "job")
    try:
        job = load_job(file)
    except BatchbookError as error:
        checked.failed(error)
        return checked, None
    checked.remarks += [f"{said}; the job runs as fixed" for said in job.strategy_problems()] + job.idle_problems()
    return checked, job
