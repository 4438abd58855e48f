"""`batchbook isbn new, add-block, adopt`: how a workbook gets its numbers."""

from __future__ import annotations

import datetime as dt
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from batchbook.cli import isbn_options as opt
from batchbook.cli.firstbook import how_it_is_found, lay_configuration
from batchbook.cli.isbn_values import isbn_text
from batchbook.cli.listing import line_of
from batchbook.cli.options import spread
from batchbook.cli.output import counted, manner, note, say, show_json
from batchbook.cli.places import base_for
from batchbook.cli.systems import ISBN, tell, warn
from batchbook.errors import EXIT_OK, EXIT_OUTCOMES, UsageError

if TYPE_CHECKING:
    from batchbook.batch.systems import Actor
    from batchbook.errors import Finding
    from batchbook.isbn.adopt import Adopted
    from batchbook.isbn.records import Block
    from batchbook.isbn.system import IsbnSystem
    from batchbook.tables.workspace import Workspace

_MOST_LINES = 20


def new(
    workbook: Annotated[Path, typer.Argument(metavar="FILE.xlsx", help="The workbook to make.", show_default=False)],
    configure: Annotated[
        bool,
        typer.Option(
            "--configure/--no-configure",
            help="Where no config/batchbook.yaml counts here, lay one into the current folder that names the workbook.",
        ),
    ] = True,
    json: opt.Json = False,
) -> None:
    """Make an empty ISBN workbook.

    It has blocks, assignments, history, and a sheet that explains them. Its folder is made too, and a configuration
    for the current folder, where there is none and the workbook lies below it: runs and backups are then kept in the
    folder's data/, and commands find the workbook by themselves. Nothing that is there already is overwritten.

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
    system = ISBN.of(base)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        said = f"The folder {path.parent} cannot be made: {error.strerror or error}."
        raise UsageError(said, "Give a file in another folder.") from error
    made = dt.datetime.now(dt.UTC).replace(microsecond=0, tzinfo=None)
    export_new(path, lambda stream: new_isbn_workbook(stream, formats=system.formats, made=made))
    laid = lay_configuration(base, ISBN.name, path) if configure else None
    if manner.json:
        sheets = [kind.sheet for kind in system.types]
        show_json({"workbook": str(path), "sheets": sheets, "configuration": laid and str(laid), "error": None})
    say(f"{workbook} is there, with the sheets {', '.join(kind.sheet for kind in system.types)}.")
    if laid is not None:
        say(f"{laid} names it: commands find it from that folder on, and keep its runs in {laid.parents[1] / 'data'}.")
    elif base.workbooks.get(ISBN.name) != path:
        for line in how_it_is_found(base, ISBN.name, path):
            say(line)


def add_block(
    *,
    block: opt.Prefix = None,
    prefix: opt.PartPrefix = None,
    publisher_code: opt.PublisherCode = None,
    start: opt.First = None,
    end: opt.Last = None,
    total: opt.Total = None,
    imprint: opt.ForImprint = None,
    publisher: opt.ForPublisher = None,
    notes: opt.Notes = None,
    how: opt.Changing,
) -> None:
    """Enter a block of numbers that an agency gave you.

    By its registrant prefix, or by its parts. One that overlaps another is entered with a warning; no number is
    given twice all the same.

    \b
    Examples:
      batchbook isbn add-block 978-1-60888 --imprint Harbour
      batchbook isbn add-block --prefix 978 --publisher-code 3-947619 --start 0 --end 49
    """
    from batchbook.isbn import service

    act = partial(
        service.add_block,
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
    desk = ISBN.desk(how.workbook)
    done = desk.change(how, "add-block", act)
    found = done.value
    warn(*found.warnings)
    record = line_of(desk.system.blocks, found.block)
    numbers = f"{counted(found.block.total, 'number')}, {record['first']} to {record['last']}"
    said = f"added block {found.block.block}: {numbers}"
    more = {"block": record, "findings": [str(warning) for warning in found.warnings]}
    tell(how, "add-block", done, said=said, record=record, more=more)


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
    kept_out: dict[str, int | None] = field(default_factory=dict)
    """Numbers of rejected rows that are reserved, with their rows."""

    def add(self, adopted: Adopted) -> None:
        """Count a row."""
        self.rows += 1
        self.done += adopted.outcome == "done"
        self.unchanged += adopted.outcome == "unchanged"
        self.rejected += adopted.outcome == "rejected"
        (self.reasons if adopted.outcome == "rejected" else self.warnings).extend(adopted.findings)
        self.of[adopted.of] += 1
        if adopted.kept_out and adopted.at_stake is not None:
            self.kept_out.setdefault(adopted.at_stake, adopted.row.place.row)
        if adopted.block is not None:
            self.blocks.append(adopted.block)

    def counts(self) -> dict[str, int]:
        """The rows, and what became of them."""
        return {"rows": self.rows, "done": self.done, "unchanged": self.unchanged, "rejected": self.rejected}

    def new_blocks(self, system: IsbnSystem) -> list[dict[str, object]]:
        """The blocks that were entered, each with how many rows of the list are in it."""
        return [{**line_of(system.blocks, block), "rows": self.of[block.block]} for block in self.blocks]


def adopt(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The agency's list, CSV or XLSX.", show_default=False)],
    new_blocks: opt.NewBlocks = None,
    how: opt.Changing,
) -> int:
    """Take over an agency's list of ISBN, title and status.

    Its columns are isbn (needed), title, format and status.
    Numbers that are in use get a row with their title, unused numbers stay free. A workbook without blocks gets those
    of the list, each named with its size; one that has blocks gets further ones only with --new-blocks, for a number in
    the list can be of another publisher's block. Rows in = done + unchanged + rejected; what is wrong with a row is
    told with row, column and value, and the exit code is 3; its number is reserved, unless the row says that it is
    free, until the row was mended and the list adopted again. All sound rows are taken over in one save.

    \b
    Examples:
      batchbook isbn adopt agency-export.csv
      batchbook isbn adopt agency-export.xlsx --dry-run
    """
    desk = ISBN.desk(how.workbook)
    done = desk.change(how, "adopt", partial(_adopt, file=file, new_blocks=new_blocks), note=file.name)
    found = done.value
    new = found.new_blocks(desk.system)
    if not manner.json:
        _say_findings("rejected", found.reasons)
        _say_findings("warning", found.warnings)
        _say_kept_out(desk.system, found.kept_out)
        for one in new:
            warn(
                f"new block {one['block']} with {one['total']:,} numbers, {one['first']} to {one['last']}; "
                f"rows of the list in it: {one['rows']:,}. If it is not yours, undo the run, and leave its rows out"
            )
    more = {
        **found.counts(),
        "blocks": [one.block for one in found.blocks],
        "new_blocks": new,
        "rejections": [str(finding) for finding in found.reasons],
        "remarks": [str(finding) for finding in found.warnings],
        "kept_out": [isbn_text(desk.system, isbn) for isbn in found.kept_out],
    }
    said = (
        f"adopted: {found.done:,} of {counted(found.rows, 'row')} of {file.name} ({found.unchanged:,} unchanged, "
        f"{found.rejected:,} rejected); {counted(len(found.blocks), 'new block')}"
    )
    if found.kept_out:
        said += f"; reserved, for their rows were rejected: {counted(len(found.kept_out), 'number')}"
    tell(how, "adopt", done, said=said, record=found.counts(), more=more)
    return EXIT_OUTCOMES if found.rejected else EXIT_OK


def _adopt(workspace: Workspace, system: IsbnSystem, actor: Actor, *, file: Path, new_blocks: bool | None) -> Adoption:
    """Take over the rows of a file, and count what became of them."""
    from batchbook.isbn.adopt import adopt
    from batchbook.isbn.agencyfile import agency_rows

    adoption = Adoption()
    for adopted in adopt(workspace, system, actor, agency_rows(file), new_blocks=new_blocks):
        adoption.add(adopted)
    adoption.reasons.sort(key=lambda finding: finding.row or 0)
    return adoption


def _say_kept_out(system: IsbnSystem, kept_out: Mapping[str, int | None]) -> None:
    """Name the numbers of rejected rows that are reserved: nobody asked for that."""
    for isbn, row in islice(kept_out.items(), _MOST_LINES):
        note(
            f"warning: {isbn_text(system, isbn)} is reserved, so that it is not given: its row {row} was rejected. "
            "Mend the row and adopt the list again, or release the number"
        )
    if len(kept_out) > _MOST_LINES:
        note(f"  and {len(kept_out) - _MOST_LINES:,} more such numbers (--json has all)")


def _say_findings(title: str, findings: Sequence[Finding]) -> None:
    """The first findings; the others are only counted."""
    for finding in findings[:_MOST_LINES]:
        note(f"{title}: {finding}")
    if len(findings) > _MOST_LINES:
        note(f"  and {len(findings) - _MOST_LINES:,} more (--json has all)")


def register(app: typer.Typer) -> None:
    """Add the verbs to the group."""
    app.command("new")(new)
    app.command("add-block")(spread(add_block))
    app.command("adopt")(spread(adopt))
