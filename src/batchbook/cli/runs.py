"""`batchbook runs`: what ran, what it changed, taking it back, and putting it back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from batchbook.cli.options import Csv, Json, OfWorkbook, Run, To, Wait
from batchbook.cli.output import counted, manner, note, others_print_beside, say, show_json, show_table
from batchbook.cli.places import WAIT_SECONDS, base_for, who
from batchbook.errors import EXIT_OUTCOMES

if TYPE_CHECKING:
    from batchbook.config import BaseConfig
    from batchbook.storage.ledger import Ledger

app = typer.Typer(help="List runs, show what they did, take it back or put it back.", no_args_is_help=True)

# As many problems or conflicts as a person reads; --json has them all.
_MOST_LINES = 20
_MOST_CELLS = 8
_LISTED = 20
"""Runs in the list, where nobody says how many."""


@contextmanager
def ledger_here(workbook: Path | None = None, *, reading: bool = False) -> Iterator[tuple[BaseConfig, Ledger]]:
    """The base configuration that counts here, or for a workbook, and its ledger.

    reading: where that is not to be changed.
    """
    from batchbook.batch.history import open_ledger

    base = base_for(workbook)
    with open_ledger(base, reading=reading) as ledger:
        yield base, ledger


@app.command("list")
def list_all(
    limit: Annotated[
        int | None,
        typer.Option(
            min=1, help=f"How many, the newest first; left out: {_LISTED}, with --json all.", show_default=False
        ),
    ] = None,
    workbook: OfWorkbook = None,
    json: Json = False,
) -> None:
    """List the runs of this folder, newest first."""
    from batchbook.batch.history import list_runs

    with ledger_here(workbook, reading=True) as (_, ledger):
        runs = list_runs(ledger)
    if manner.json:
        show_json({"runs": [_line(run) for run in runs[:limit]], "total": len(runs), "error": None})
        return
    limit = limit or _LISTED
    rows = [
        (
            run.run_id,
            run.job,
            run.status,
            _short(run.started),
            Path(run.workbook).name,
            run.selected if run.kind == "job" else None,
            _outcomes(run.kind, run.selected, run.counts, run.changed),
            run.note,
        )
        for run in runs[:limit]
    ]
    show_table(("run", "job", "status", "started", "workbook", "rows", "outcomes", "note"), rows)
    if len(runs) > limit:
        say(f"and {len(runs) - limit} older ones (--limit)")


@app.command("show")
def show(run: Run, workbook: OfWorkbook = None, json: Json = False) -> None:
    """Show everything about a run: attempts with the time of each phase, saves, problems, conflicts."""
    from batchbook.batch.history import show_run

    with ledger_here(workbook, reading=True) as (_, ledger):
        found = show_run(ledger, run)
        if manner.json:
            show_json({**found, "error": None})
            return
        for name in ("run_id", "job", "status", "workbook", "sheet", "started", "ended", "note"):
            if found[name]:
                say(f"{name.replace('_', ' ')}: {found[name]}")
        if found["pending"]:
            say(found["pending"])
        counts = {name: count for name, count in found["rows"].items() if name != "selected"}
        did = _outcomes(found["kind"], found["rows"]["selected"], counts, found["changed"])
        if found["kind"] == "job":
            say(f"rows: {found['rows']['selected']:,} selected, {did}")
        elif did:
            say(f"did: {did}")
        counted = found["counted"]
        say(f"batches: {counted['batches']:,}, saves: {counted['saves']:,}, conflicts: {counted['conflicts']:,}")
        for attempt in found["attempts"]:
            say(_attempt(attempt))
        if len(found["attempts"]) > 1:
            say(f"together: {_times(found['seconds'], found['rows_per_second'])}")
        if found["pruned"]:
            say(f"its details were pruned on {_short(found['pruned'])}: what it did to each row is no longer known")
        _some("problems", (f"row {p['row']} [{p['key']}] {p['outcome']}: {p['reason']}" for p in found["problems"]))
        _some("warnings", (f"row {w['row']} [{w['key']}]: {w['warning']}" for w in found["warnings"]))
        _some("conflicts", (_conflict(conflict) for conflict in found["conflicts"]))


def _attempt(one: dict[str, Any]) -> str:
    ended = f"{_short(one['ended'])} {one['result']}" if one["ended"] else "it did not end by itself"
    rows = f"{one['rows']:,} rows, " if one["rows"] is not None else ""
    times = _times(one["seconds"], one["rows_per_second"])
    return f"attempt {one['number']} ({one['how']}): {_short(one['started'])} to {ended}; {rows}{times}"


def _times(seconds: dict[str, float | None], rate: float | None) -> str:
    """Where the time went; of an attempt that died before a phase was recorded, which are not known."""
    phases = ("process", "ledger", "save", "total")
    parts = [f"{name} {seconds[name]:,.2f} s" for name in phases if seconds[name] is not None]
    if not parts:
        return "no times"
    lost = [name for name in phases if seconds[name] is None]
    rates = [f"{rate:,.1f} rows/s"] if rate is not None else []
    return ", ".join([*parts, *rates, *([f"no time of {' and '.join(lost)}"] if lost else [])])


def _conflict(one: dict[str, Any]) -> str:
    from batchbook.batch.wording import shown_stored

    place = f"row {one['row']} [{one['key']}] {one['column']}"
    kept = "the person's was kept" if one["kept"] == "theirs" else "the run's was written"
    return f"{place}: a person has {shown_stored(one['theirs'])}, the run {shown_stored(one['ours'])}; {kept}"


@app.command("diff")
def diff(run: Run, csv: Csv = None, workbook: OfWorkbook = None, json: Json = False) -> None:
    """Show every cell that a run changed, before and after; or write them to a CSV file."""
    from batchbook.batch.history import diff_run
    from batchbook.batch.wording import shown_stored

    with ledger_here(workbook, reading=True) as (_, ledger):
        if csv is not None:
            _export(ledger, run, csv)
            _say_what_waits(ledger, run)
            return
        if manner.json:
            show_json({"changes": map(_line, diff_run(ledger, run)), "error": None})
            return
        count = 0
        for change in diff_run(ledger, run):
            count += 1
            place = f"{change.sheet} row {change.number}" if change.number else change.sheet
            before, after = shown_stored(change.before), shown_stored(change.after)
            say(f"{place} [{change.key}] {change.column}: {before} -> {after}")
        say(f"{count} changes")
        _say_what_waits(ledger, run)


def _say_what_waits(ledger: Ledger, run: str) -> None:
    from batchbook.batch.history import what_waits

    waits = what_waits(ledger, run)
    if waits is not None:
        note(waits)


def _export(ledger: Ledger, run: str, file: Path) -> None:
    from batchbook.batch.diffexport import export_diff
    from batchbook.tables.csvexport import EXCEL_ROWS

    count = export_diff(ledger, run, file)
    if count >= EXCEL_ROWS:
        note(f"warning: {file} has {count:,} rows below its headers; Excel shows the first {EXCEL_ROWS - 1:,}")
    if manner.json:
        show_json({"csv": str(file.absolute()), "written": count, "error": None})
    else:
        say(f"{count} changes are in {file}")


@app.command("report")
def report(
    run: Run,
    to: To,
    changes_only: Annotated[
        bool, typer.Option("--changes-only", help="Only what changed in this run, nothing of what stayed.")
    ] = False,
    job: Annotated[
        Path | None,
        typer.Option(
            metavar="JOB.yaml", help="The run's job file, where it is not among config/jobs.", show_default=False
        ),
    ] = None,
    workbook: OfWorkbook = None,
    json: Json = False,
) -> None:
    """Write a report on a run as a workbook: what changed since the run before it.

    A file that is there already is replaced only if it is a report, and nobody has saved it since it was made.
    """
    from batchbook.batch.runreport import report_run
    from batchbook.cli.systems import installed_jobs

    with ledger_here(workbook, reading=True) as (base, ledger), others_print_beside():
        made = report_run(base, ledger, run, to, changes_only=changes_only, job_file=job, installed=installed_jobs())
    if made.note:
        note(made.note)
    if manner.json:
        plain = {**_line(made), "path": str(made.path), "sheets": dict(made.sheets)}
        show_json({**plain, "error": None})
        return
    rows = ", ".join(f"{count:,} {title}" for title, count in made.sheets.items())
    say(f"report on run {made.run_id}: {made.path} (rows: {rows})")


@app.command("undo")
def undo(run: Run, wait: Wait = WAIT_SECONDS, workbook: OfWorkbook = None, json: Json = False) -> None:
    """Give the cells that still hold what a run wrote back what they held before; the others are listed."""
    from batchbook.batch.controller import local_now
    from batchbook.batch.undo import undo_run
    from batchbook.cli.systems import systems_of

    with ledger_here(workbook) as (base, ledger):
        undone = undo_run(
            base, ledger, run, wait=wait, clock=local_now, warn=_warn, systems=systems_of(base), user=who()
        )
    if manner.json:
        show_json({**_named(undone), "error": None})
        _exit(undone)
        return
    if undone.already is not None:
        say(f"run {undone.run} was undone already by run {undone.already}")
    if undone.undo_run is None:
        there = _turned_count(undone)
        say(f"run {undone.run}: nothing was changed{f'; {there} as before already' if there else ''}")
    else:
        say(f"run {undone.run} undone: {_turned_count(undone)} as before (recorded as run {undone.undo_run})")
    _say_records("records that were taken back", undone)
    _end(undone)


@app.command("reapply")
def reapply(run: Run, wait: Wait = WAIT_SECONDS, workbook: OfWorkbook = None, json: Json = False) -> None:
    """Put back what a run wrote where that vanished, for somebody saved an older copy over the workbook.

    Only cells that hold what they held before the run are written; the others are listed.
    """
    from batchbook.batch.controller import local_now
    from batchbook.batch.undo import reapply_run
    from batchbook.cli.systems import systems_of

    with ledger_here(workbook) as (base, ledger):
        done = reapply_run(
            base, ledger, run, wait=wait, clock=local_now, warn=_warn, systems=systems_of(base), user=who()
        )
    if manner.json:
        show_json({**_named(done), "error": None})
        _exit(done)
        return
    if done.published:
        say(f"run {done.run}: its finished save is published, {done.restored} cells")
        return
    if done.reapply_run is None:
        said = "all its records are there already" if done.records_unchanged and not done.kept else ""
        said = said or ("" if len(done.kept) else "what it wrote is there already")
        say(f"run {done.run}: nothing was changed{f'; {said}' if said else ''}")
    else:
        put = f"{counted(len(done.records), 'record')}" if len(done.records) else f"{done.restored} cells"
        were = "was" if put == "1 record" else "were"
        say(f"run {done.run} reapplied: {put} {were} put back (recorded as run {done.reapply_run})")
    _say_records("records that were put back", done)
    _end(done)


def _end(turned: Any) -> None:
    """List what was left alone, and end with the code for that."""
    _some("left alone, each for the reason named", turned.kept)
    _exit(turned)


def _exit(turned: Any) -> None:
    # A cell that a person changed stays theirs, as in any run; a record that its system does not let go is not undone.
    if turned.over_records and len(turned.kept):
        raise typer.Exit(EXIT_OUTCOMES)


def _turned_count(undone: Any) -> str:
    """How much is as before, with its verb: records of a run that changed some, else cells; empty for nothing."""
    records = len(undone.records) + undone.records_unchanged
    if records:
        return f"{counted(records, 'record')} {'is' if records == 1 else 'are'}"
    return f"{undone.restored} cells are" if undone.restored else ""


def _say_records(title: str, turned: Any) -> None:
    """The first records by key, and what became of them; the others are counted."""
    _some(title, (_record(one) for one in turned.records))


def _record(one: dict[str, Any]) -> str:
    from batchbook.batch.wording import shown_stored

    label = f" ({one['label']})" if one["label"] is not None else ""
    place = f"{one['key']}{label} in {one['sheet']}"
    if one["did"] == "taken out":
        return f"{place}: taken out again"
    cells = [
        f"{cell['column']} {shown_stored(cell['before'])} -> {shown_stored(cell['after'])}"
        if one["did"] == "changed"
        else f"{cell['column']} {shown_stored(cell['after'])}"
        for cell in one["columns"]
    ]
    more = [f"and {counted(len(cells) - _MOST_CELLS, 'more column')}"] if len(cells) > _MOST_CELLS else []
    return f"{place}: {'put in again, ' if one['did'] == 'put in' else ''}{', '.join([*cells[:_MOST_CELLS], *more])}"


def _warn(text: str) -> None:
    note(f"warning: {text}")


def _line(record: Any) -> dict[str, Any]:
    """A record of the engine as plain data."""
    return {name: getattr(record, name) for name in type(record).__dataclass_fields__}


def _named(turned: Any) -> dict[str, Any]:
    """What an undo or a reapply did, as plain data; its run goes by the name that it has everywhere."""
    told = {name: value for name, value in _line(turned).items() if name != "over_records"}
    return {"run_id" if name == "run" else name: value for name, value in told.items()}


def _some(title: str, lines: Iterable[str]) -> None:
    """The first lines under a title with their number; the others are only counted."""
    first, rest = _first(lines)
    if first:
        say(f"{title}: {len(first) + rest}")
    for line in first:
        say(f"  {line}")
    if rest:
        say(f"  and {rest} more (--json has all)")


def _first(lines: Iterable[str]) -> tuple[list[str], int]:
    each = iter(lines)
    first = list(islice(each, _MOST_LINES))
    return first, sum(1 for _ in each)


def _outcomes(kind: str, selected: int, counts: Mapping[str, int], changed: Mapping[str, int]) -> str:
    """What a run did, in figures: the outcomes of a job's rows; records or cells of all else, as far as known."""
    if kind == "job":
        return _counted(counts) or ("none done yet" if selected else "nothing to do")
    if "cells" in changed:
        return counted(changed["cells"], "cell")
    records = sum(changed.values())
    return f"{'record' if records == 1 else 'records'}: {_counted(changed)}" if records else ""


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)


def _short(moment: str) -> str:
    """A recorded time to the second, with its offset."""
    date, _, rest = moment.partition("T")
    time, offset = rest[:8], rest[-6:] if len(rest) > 8 else ""
    return f"{date} {time}{offset if offset[:1] in '+-' else ''}"
