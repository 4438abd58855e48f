"""`batchbook init`: a folder to work in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from batchbook.cli.options import Json
from batchbook.cli.output import manner, say, show_json
from batchbook.errors import UsageError


def init(
    folder: Annotated[Path, typer.Argument(help="The folder; made where there is none.", show_default=False)],
    sample: Annotated[
        bool, typer.Option("--sample", help="With the sample workbook of 486 packages and its nightly review.")
    ] = False,
    json: Json = False,
) -> None:
    """Make a folder to work in.

    It gets a base configuration, a job and a processor that run as they are; nothing is overwritten.
    """
    from batchbook.cli.starter import sample_files, starter_files

    plan = {**starter_files(), **(sample_files() if sample else {})}
    there = sorted(name for name in plan if (folder / name).exists())
    if there or (folder.exists() and not folder.is_dir()):
        raise UsageError(
            f"{folder} already has {', '.join(there)}; nothing was written."
            if there
            else f"{folder} is a file; nothing was written.",
            "Name another folder, or move these files away.",
        )
    for name, content in plan.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            file.write(content)
    if sample:
        _set_link_base(folder)
    jobs = sorted(name for name in plan if name.startswith("config/jobs/") and name.endswith(".yaml"))
    if manner.json:
        show_json({"folder": str(folder), "files": sorted(plan), "error": None})
    say(f"Laid down in {folder}: {', '.join(sorted(plan))}")
    for job in jobs:
        say(f"Try: cd {folder} && batchbook run {job}")


def _set_link_base(folder: Path) -> None:
    """Write the address that package links begin with, where the configuration names one, into the sample."""
    from batchbook.cli.starter import SAMPLE_BOOK, link_base_cell
    from batchbook.config import load_base

    address = load_base(folder).links.package_index
    book = folder / SAMPLE_BOOK
    cell = link_base_cell(book) if address else None
    if address and cell:
        from batchbook.storage import edit_workbook

        edit_workbook(book, book, {cell[0]: {cell[1]: address}})
