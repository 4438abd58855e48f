"""`batchbook unlock`: take away a lock that nobody can prove dead."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from batchbook.cli.options import Json
from batchbook.cli.output import manner, say, show_json
from batchbook.cli.places import base_for
from batchbook.errors import UsageError, WorkbookMissing


def unlock(
    workbook: Annotated[Path, typer.Argument(help="The workbook.", show_default=False)],
    reason: Annotated[str, typer.Option("--reason", help="Why the holder cannot be alive; it is logged.")] = "",
    json: Json = False,
) -> None:
    """Break a lock whose holder is gone.

    Needed only where that cannot be proved from here (it ran on another machine, say).
    """
    from batchbook.storage import break_lock, read_lock
    from batchbook.storage.links import followed

    base_for(workbook)
    target = followed(workbook)
    held = read_lock(target)
    if held is None and not target.exists():
        raise WorkbookMissing(f"There is no workbook {workbook}, and no lock of it.", "Check the path.")
    if held is None:
        if manner.json:
            show_json({"workbook": str(workbook), "broken": None, "error": None})
        say(f"{workbook} is not locked.")
        return
    if not reason.strip():
        raise UsageError(f"{workbook} is locked by {held}.", "Say why that process cannot be alive with --reason.")
    break_lock(target, reason)
    if manner.json:
        show_json({"workbook": str(workbook), "broken": str(held), "error": None})
    say(f"The lock of {held} is broken.")
