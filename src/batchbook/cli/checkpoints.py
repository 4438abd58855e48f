"""`batchbook checkpoints`: the resumable state of unfinished runs."""

from __future__ import annotations

from typing import Annotated

import typer

from batchbook.cli.options import Json, OfWorkbook, Run, Yes
from batchbook.cli.output import manner, note, say, show_json, show_table
from batchbook.cli.runs import ledger_here
from batchbook.errors import EXIT_CANNOT_RESUME, EXIT_OK

app = typer.Typer(help="Look at, check and give up the state of unfinished runs.", no_args_is_help=True)


@app.command("list")
def list_all(workbook: OfWorkbook = None, json: Json = False) -> None:
    """List the checkpoints of every run that can be taken up again."""
    from batchbook.batch.history import list_checkpoints

    with ledger_here(workbook, reading=True) as (_, ledger):
        found = list_checkpoints(ledger)
        paths = {run.id: str(ledger.path_of(run.workbook)) for run, _ in found}
    if manner.json:
        runs = [
            {
                "run_id": run.id, "job": run.job, "status": run.status, "workbook": paths[run.id], "active": run.active,
                "selected": run.selected,
                "checkpoints": [
                    {"number": point.number, "batch": point.batch, "at": point.at, "digest": point.digest,
                     "rows": dict(point.counts)}
                    for point in points
                ],
            }
            for run, points in found
        ]  # fmt: skip
        show_json({"runs": runs, "error": None})
        return
    if not found:
        say("There is no unfinished run.")
        return
    rows: list[tuple[object, ...]] = []
    for run, points in found:
        named = (run.id, run.job, run.status)
        rows += [(*named, p.number, p.batch, p.at, sum(p.counts.values()), run.selected) for p in reversed(points)]
        if not points:
            rows.append((*named, "none yet", None, run.active, None, run.selected))
    show_table(("run", "job", "status", "checkpoint", "batch", "at", "done", "of"), rows)


@app.command("show")
def show(run: Run = "last", workbook: OfWorkbook = None, json: Json = False) -> None:
    """Show an unfinished run: what is done, what remains, since when. (Of any other: `batchbook runs show`.)"""
    from batchbook.batch.history import find_unfinished
    from batchbook.cli.runs import show as show_run

    with ledger_here(workbook, reading=True) as (_, ledger):
        name = find_unfinished(ledger, run).id
    show_run(name, workbook, json)


@app.command("validate")
def validate(run: Run = "last", workbook: OfWorkbook = None, json: Json = False) -> int:
    """Check that the state of a run is what was written, to the last result."""
    from batchbook.batch.history import find_run, validate_checkpoint

    with ledger_here(workbook, reading=True) as (_, ledger):
        found = find_run(ledger, run)
        name = found.id
        problems = validate_checkpoint(ledger, name)
    if manner.json:
        show_json({"run_id": name, "sound": not problems, "problems": problems, "error": None})
    if not found.unfinished:
        say(f"run {name} is {found.status}: it has no state to resume, so there is nothing to check")
        return EXIT_OK
    say(f"run {name}: {'its state is sound' if not problems else 'its state is not sound'}")
    for problem in problems if not manner.json else ():
        note(f"  {problem}")
    return EXIT_CANNOT_RESUME if problems else EXIT_OK


@app.command("clear")
def clear(
    run: Annotated[
        str | None, typer.Argument(metavar="RUN", help="One run; without it, all of them.", show_default=False)
    ] = None,
    yes: Yes = False,
    workbook: OfWorkbook = None,
    json: Json = False,
) -> None:
    """Give up the state of unfinished runs; their history stays, and what they wrote."""
    from batchbook.batch.controller import local_now
    from batchbook.batch.history import clear_checkpoints
    from batchbook.cli.prompts import confirm_or_refuse

    with ledger_here(workbook) as (_, ledger):
        if run is None:
            confirm_or_refuse("Give up the state of all unfinished runs?", yes=yes)
        cleared = clear_checkpoints(ledger, run, local_now().isoformat(timespec="milliseconds"))
    if manner.json:
        show_json({"cleared": cleared, "error": None})
    say(f"cleared: {', '.join(cleared) or 'nothing, there is no unfinished run'}")
