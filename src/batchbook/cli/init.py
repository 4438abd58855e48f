"""`batchbook init`: a folder to work in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer

from batchbook.cli.options import Json
from batchbook.cli.output import manner, say, show_json
from batchbook.errors import UsageError

_NEEDS_INPUT = "isbn-bulk.yaml"
"""A job that does nothing without a file that it is given."""


def init(
    folder: Annotated[Path, typer.Argument(help="The folder; made where there is none.", show_default=False)],
    sample: Annotated[
        bool, typer.Option("--sample", help="With the sample: 486 packages, their nightly review, and ISBNs.")
    ] = False,
    json: Json = False,
) -> None:
    """Make a folder to work in.

    It gets a base configuration, a job and a processor that run as they are; nothing is overwritten.
    """
    from batchbook.cli.starter import sample_files, starter_files

    plan = {**starter_files(), **(sample_files() if sample else {})}
    with _all_or_nothing(folder) as made:
        _check_free(folder, plan)
        for name, content in plan.items():
            _make_folder((folder / name).parent, made)
            with (folder / name).open("xb") as file:
                made.append(folder / name)
                file.write(content)
        if sample:
            _set_link_base(folder)
    jobs = sorted(name for name in plan if name.startswith("config/jobs/") and name.endswith(".yaml"))
    if manner.json:
        show_json({"folder": str(folder), "files": sorted(plan), "error": None})
    say(f"Laid down in {folder}: {', '.join(sorted(plan))}")
    for job in jobs:
        if not job.endswith(_NEEDS_INPUT):
            say(f"Try: cd {folder} && batchbook run {job}")


def _check_free(folder: Path, plan: dict[str, bytes]) -> None:
    there = sorted(name for name in plan if (folder / name).exists())
    if there or (folder.exists() and not folder.is_dir()):
        raise UsageError(
            f"{folder} already has {', '.join(there)}; nothing was written."
            if there
            else f"{folder} is a file; nothing was written.",
            "Name another folder, or move these files away.",
        )


@contextmanager
def _all_or_nothing(folder: Path) -> Iterator[list[Path]]:
    """A list of what is made; whatever ends this early, what is in it goes again."""
    made: list[Path] = []
    try:
        yield made
    except BaseException as error:
        for path in reversed(made):
            with suppress(OSError):
                path.rmdir() if path.is_dir() else path.unlink()
        if isinstance(error, OSError):
            where = error.filename or folder
            raise UsageError(
                f"{where} cannot be written: {error.strerror or error}; nothing was left in {folder}.",
                "Name another folder, or mend that.",
            ) from error
        raise


def _make_folder(folder: Path, made: list[Path]) -> None:
    if not folder.is_dir():
        if not folder.parent.exists():
            _make_folder(folder.parent, made)
        folder.mkdir()
        made.append(folder)


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
