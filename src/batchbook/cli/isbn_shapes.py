"""Records of an ISBN workbook as plain values, and the sentences about what was done with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from batchbook.cli.listing import Line, write_csv
from batchbook.cli.output import manner, note, say, show_json

if TYPE_CHECKING:
    from batchbook.batch.command import Done
    from batchbook.isbn.system import IsbnSystem
    from batchbook.tables.records import RecordType
    from batchbook.tables.workspace import Workspace


def plain(kind: RecordType[Any], record: object) -> dict[str, object]:
    """A record by its fields: whole numbers as they are, all else as the text that `Kind.show` gives."""
    return {column.name: _plain_value(column.kind, getattr(record, column.name)) for column in kind.columns}


def _plain_value(kind: Any, value: Any) -> object:
    return value if value is None or isinstance(value, int) else kind.show(value)


def headers_of(kind: RecordType[Any]) -> dict[str, str]:
    """The columns of a sheet with their headers, in its order."""
    return {column.name: column.header for column in kind.columns}


def warn_of_unsound(workspace: Workspace, *kinds: RecordType[Any], what: str = "not listed") -> int:
    """Say how many rows of these sheets break a rule and what that means here; gives their number."""
    unsound = sum(workspace.table(kind).unsound for kind in kinds)
    if unsound:
        broken = "1 row breaks a rule and is" if unsound == 1 else f"{unsound:,} rows break a rule and are"
        note(f"warning: {broken} {what}; `batchbook isbn check` names each")
    return unsound


def isbn_text(system: IsbnSystem, digits: str) -> str:
    """A number as people read it."""
    return str(system.assignments.column("isbn").kind.show(digits))


def tell(
    verb: str,
    done: Done[Any],
    *,
    said: str,
    record: Line,
    more: Line | None = None,
    warnings: Sequence[str] = (),
    dry_run: bool = False,
) -> None:
    """Tell what a command did: a line with the run that can be taken back, an object, or the record as CSV.

    warnings: said besides those of the run, which were said already.
    """
    for warning in warnings:
        note(f"warning: {warning}")
    if manner.json:
        result = {
            "command": verb,
            "run_id": done.run,
            "dry_run": dry_run,
            **(more or {}),
            "warnings": [*done.warnings, *warnings],
            "error": None,
        }
        show_json(result)
    elif manner.csv:
        write_csv(list(record), [record])
    else:
        say(f"{'would be ' if dry_run and done.changes else ''}{said}{_kept(done, said, dry_run=dry_run)}")


def _kept(done: Done[Any], said: str, *, dry_run: bool) -> str:
    if dry_run:
        return " (dry run; nothing was written)"
    if done.run is None:
        return "" if said.startswith("unchanged") else " (nothing was changed)"
    return f" (run {done.run}; `batchbook runs undo {done.run}` takes it back)"
