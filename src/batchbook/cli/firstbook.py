"""A new workbook of a system, and the configuration by which commands find it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from batchbook.cli.output import note
from batchbook.cli.places import as_typed
from batchbook.errors import BatchbookError

if TYPE_CHECKING:
    from batchbook.config import BaseConfig


def lay_configuration(base: BaseConfig, name: str, workbook: Path) -> Path | None:
    """Lay a ``config/batchbook.yaml`` into the current folder that names a new workbook; gives its path, or None.

    Not where a configuration counts already, where the workbook does not lie in or below the current folder, or where
    its runs were kept elsewhere till now: they would not be found any more. What cannot be written is a warning, for
    the workbook is there all the same. base: what counts for the workbook. name: that of the system.
    """
    from batchbook.config import BASE_FILE
    from batchbook.storage.exporting import export_new

    here = Path.cwd()
    elsewhere = base.folder != here and base.ledger.exists()
    if base.file is not None or elsewhere or not workbook.is_relative_to(here):
        return None
    file = here / BASE_FILE
    text = f"# The workbooks that commands mean where they are given none.\n{_line(name, workbook, here)}\n"
    try:
        file.parent.mkdir(exist_ok=True)
        export_new(file, lambda stream: stream.write(text.encode()))
    except (BatchbookError, OSError) as error:
        note(f"warning: {file} was not laid: {error}")
        return None
    return file


def how_it_is_found(base: BaseConfig, name: str, workbook: Path) -> tuple[str, ...]:
    """What to say of a new workbook that no configuration names: what to write where, and what to do without."""
    from batchbook.config import BASE_FILE

    file = base.file or base.folder / BASE_FILE
    option = (
        f"Commands find it by --workbook {as_typed(workbook)}; give the same to `batchbook runs` and `batchbook status`"
    )
    if name in base.workbooks:
        return (f"{option}. ({file} names another one, {base.workbooks[name]}.)",)
    return (f"{option}.", f"In {base.folder} it is found without, by `{_line(name, workbook, base.folder)}` in {file}.")


def _line(name: str, workbook: Path, folder: Path) -> str:
    """The setting that names a workbook, as YAML."""
    try:
        path = os.path.relpath(workbook, folder)
    except ValueError:  # on another drive
        path = str(workbook)
    plain = path.replace(os.sep, "/")
    # A text of JSON is one of YAML; most names need no quotes.
    needs_none = re.fullmatch(r"\w[\w./-]*", plain)
    return f"workbooks: {{{name}: {plain if needs_none else json.dumps(plain, ensure_ascii=False)}}}"
