"""`batchbook isbn new, add-block, adopt`: how a workbook gets its numbers."""

from __future__ import annotations

import datetime as dt
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from batchbook.cli import isbn_options as opt
from batchbook.cli.isbn_place import desk_for
from batchbook.cli.isbn_shapes import plain, tell
from batchbook.cli.listing import Formats, check_format
from batchbook.cli.output import counted, manner, note, say, show_json
from batchbook.cli.places import WAIT_SECONDS, base_for
from batchbook.cli.systems import isbn_of
from batchbook.errors import EXIT_OK, EXIT_OUTCOMES, UsageError

if TYPE_CHECKING:
    from batchbook.batch.systems import Actor
    from batchbook.errors import Finding
    from batchbook.isbn.outcomes import BlockAdded
    from batchbook.isbn.records import Block
    from batchbook.tables.workspace import Workspace

_MOST_LINES = 20


def new(
    workbook: Annotated[Path, typer.Argument(metavar="FILE.xlsx", help="The workbook to make.", show_default=False)],
    json: opt.Json = False,
) -> None:
    """Make an empty ISBN workbook.

    It has blocks, assignments, history, and a sheet that explains them. Its folder is made too. Nothing that is
    there already is overwritten.

    \b
    Examples:
      batchbook isbn new data/isbn.xlsx
      batchbook isbn new data/isbn.xlsx && batchbook isbn add-block 978-1-60888 --workbook data/isbn.xlsx
    """
    from batchbook.isbn.workbook import new_isbn_workbook
    from batchbook.storage.exporting import export_new

    if workbook.suffix.lower() != ".xlsx":
        raise UsageError(f"{workbook} is not the name of a workbook.", "Give a file whose name ends in .xlsx.")
    base = base_for(workbook)
    path = Path(os.path.abspath(workbook))  # noqa: PTH100 - a link in the path stays one
    system = isbn_of(base)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        said = f"The folder {path.parent} cannot be made: {error.strerror or error}."
        raise UsageError(said, "Give a file in another folder.") from error
    made = dt.datetime.now(dt.UTC).replace(microsecond=0, tzinfo=None)
    export_new(path, lambda stream: new_isbn_workbook(stream, formats=system.formats, made=made))
    if manner.json:
        show_json({"workbook": str(path), "sheets": [kind.sheet for kind in system.types], "error": None})
    say(f"{workbook} is there, with the sheets {', '.join(kind.sheet for kind in system.types)}.")
    if base.workbooks.get("isbn") != path:
        say(f"Commands find it by --workbook {workbook}, or by `workbooks: {{isbn: ...}}` in config/batchbook.yaml.")


def add_block(
    block: Annotated[
        str | None,
        typer.Argument(metavar="PREFIX", help="What the agency gave you, such as 978-1-60888.", show_default=False),
    ] = None,
    prefix: Annotated[
        str | None, typer.Option("--prefix", metavar="978|979", help="Or its parts: the prefix,", show_default=False)
    ] = None,
    publisher_code: Annotated[
        str | None,
        typer.Option(
            "--publisher-code", metavar="1-60888", help="registration group and registrant,", show_default=False
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--start", metavar="ISBN|N", help="the first number (left out: 0),", show_default=False),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option("--end", metavar="ISBN|N", help="the last number (left out: the highest).", show_default=False),
    ] = None,
    total: Annotated[
        int | None,
        typer.Option(
            "--total",
            metavar="N",
            help="How many: with --start, where it ends; else as a check.",
            show_default=False,
        ),
    ] = None,
    imprint: Annotated[
        str | None, typer.Option("--imprint", metavar="TEXT", help="Meant first for this imprint.", show_default=False)
    ] = None,
    publisher: Annotated[
        str | None,
        typer.Option("--publisher", metavar="TEXT", help="Meant first for this publisher.", show_default=False),
    ] = None,
    notes: opt.Notes = None,
    workbook: opt.Workbook = None,
    user: opt.User = None,
    wait: opt.Wait = WAIT_SECONDS,
    dry_run: opt.DryRun = False,
    format: opt.Format = Formats.TABLE,
    json: opt.Json = False,
) -> None:
    """Enter a block of numbers that an agency gave you.

    By its registrant prefix, or by its parts. One that overlaps another is entered with a warning; no number is
    given twice all the same.

    \b
    Examples:
      batchbook isbn add-block 978-1-60888 --imprint Harbour
      batchbook isbn add-block --prefix 978 --publisher-code 3-947619 --start 0 --end 49
    """
    check_format(format, json)
    desk = desk_for(workbook)

    def act(workspace: Workspace, actor: Actor) -> BlockAdded:
        from batchbook.isbn.service import add_block

        return add_block(
            workspace,
            desk.system,
            actor,
            block=block,
            prefix=prefix,
            publisher_code=publisher_code,
            first=start,
            last=end,
            total=total,
            imprint=imprint,
            publisher=publisher,
            notes=notes,
        )

    done = desk.change("add-block", act, user=user, wait=wait, dry_run=dry_run)
    found = done.value
    for warning in found.warnings:
        note(f"warning: {warning}")
    record = plain(desk.system.blocks, found.block)
    numbers = f"{counted(found.block.total, 'number')}, {record['first']} to {record['last']}"
    said = f"added block {found.block.block}: {numbers}"
    more = {"block": record, "findings": [str(warning) for warning in found.warnings]}
    tell("add-block", done, said=said, record=record, more=more, dry_run=dry_run)


@dataclass
class Adoption:
    """What became of an agency's list."""

    rows: int = 0
    done: int = 0
    unchanged: int = 0
    rejected: int = 0
    blocks: list[Block] = field(default_factory=list)
    """Those that were entered."""
    of: Counter[str | None] = field(default_factory=Counter)
    """Rows by the block that their number is of."""
    reasons: list[Finding] = field(default_factory=list)
    """Of the rows that were rejected."""
    warnings: list[Finding] = field(default_factory=list)


def adopt(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The agency's list, CSV or XLSX.", show_default=False)],
    new_blocks: Annotated[
        bool | None,
        typer.Option(
            "--new-blocks/--no-new-blocks",
            help="Enter blocks that the workbook does not have; left out, only where it has none at all.",
            show_default=False,
        ),
    ] = None,
    workbook: opt.Workbook = None,
    user: opt.User = None,
    wait: opt.Wait = WAIT_SECONDS,
    dry_run: opt.DryRun = False,
    format: opt.Format = Formats.TABLE,
    json: opt.Json = False,
) -> int:
    """Take over an agency's list of ISBN, title and status.

    Its columns are isbn (needed), title, format and status.
    Numbers that are in use get a row with their title, unused numbers stay free. A workbook without blocks gets those
    of the list, each named with its size; one that has blocks gets further ones only with --new-blocks, for a number in
    the list can be of another publisher's block. Rows in = done + unchanged + rejected; what is wrong with a row is
    told with row, column and value, and the exit code is 3. All sound rows are taken over in one save.

    \b
    Examples:
      batchbook isbn adopt agency-export.csv
      batchbook isbn adopt agency-export.xlsx --dry-run
    """
    check_format(format, json)
    desk = desk_for(workbook)

    def act(workspace: Workspace, actor: Actor) -> Adoption:
        from batchbook.isbn.adopt import adopt
        from batchbook.isbn.agencyfile import agency_rows

        adoption = Adoption()
        for adopted in adopt(workspace, desk.system, actor, agency_rows(file), new_blocks=new_blocks):
            adoption.rows += 1
            setattr(adoption, adopted.outcome, getattr(adoption, adopted.outcome) + 1)
            (adoption.reasons if adopted.outcome == "rejected" else adoption.warnings).extend(adopted.findings)
            adoption.of[adopted.of] += 1
            if adopted.block is not None:
                adoption.blocks.append(adopted.block)
        return adoption

    done = desk.change("adopt", act, user=user, wait=wait, note=file.name, dry_run=dry_run)
    found = done.value
    new = [{**plain(desk.system.blocks, one), "rows": found.of[one.block]} for one in found.blocks]
    if not manner.json:
        _say_findings(found.reasons, found.warnings)
        for one in new:
            note(
                f"warning: new block {one['block']} with {one['total']:,} numbers, {one['first']} to {one['last']}; "
                f"rows of the list in it: {one['rows']:,}. If it is not yours, undo the run, and leave its rows out"
            )
    counts = {"rows": found.rows, "done": found.done, "unchanged": found.unchanged, "rejected": found.rejected}
    more = {
        **counts,
        "blocks": [one.block for one in found.blocks],
        "new_blocks": new,
        "rejections": [str(finding) for finding in found.reasons],
        "remarks": [str(finding) for finding in found.warnings],
    }
    said = (
        f"adopted: {found.done:,} of {counted(found.rows, 'row')} of {file.name} ({found.unchanged:,} unchanged, "
        f"{found.rejected:,} rejected); {counted(len(found.blocks), 'new block')}"
    )
    tell("adopt", done, said=said, record=counts, more=more, dry_run=dry_run)
    return EXIT_OUTCOMES if found.rejected else EXIT_OK


def _say_findings(reasons: Sequence[Finding], warnings: Sequence[Finding]) -> None:
    for title, findings in (("rejected", reasons), ("warning", warnings)):
        for finding in findings[:_MOST_LINES]:
            note(f"{title}: {finding}")
        if len(findings) > _MOST_LINES:
            note(f"  and {len(findings) - _MOST_LINES:,} more (--json has all)")


def register(app: typer.Typer) -> None:
    """Add the verbs to the group."""
    app.command("new")(new)
    app.command("add-block")(add_block)
    app.command("adopt")(adopt)
