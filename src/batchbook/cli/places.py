"""Which base folder and workbook a verb without a job means."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from batchbook.errors import UsageError

if TYPE_CHECKING:
    from batchbook.config import BaseConfig

WAIT_SECONDS = 30.0
"""How long a short command waits for a workbook's lock."""


def base_for(workbook: Path | None = None) -> BaseConfig:
    """The base configuration that counts here, or for a workbook; the log goes there from now on."""
    from batchbook.cli.logs import start_log
    from batchbook.config import find_base, load_base
    from batchbook.storage.private import Access, use_access
    from batchbook.xlsx.limits import Limits, use_limits

    base = load_base(find_base(workbook=workbook, cwd=Path.cwd()))
    use_limits(Limits.of(base.limits))
    use_access(Access.of(base.state.group))
    # A folder that never saw a run is left as it is.
    if base.file is not None or base.ledger.exists():
        start_log(base)
    return base


def runs_call(words: str, workbook: Path | None, folder: Path | None = None) -> str:
    """A call such as ``batchbook runs undo last`` as it has to be typed here to find the run of a verb.

    words: what comes after ``batchbook``. workbook: the one that the verb was given, if any; named only where the
    current folder has another ledger. folder: the base folder of the run, where it is not that of these two.
    """
    from batchbook.config import find_base

    here = Path.cwd()
    theirs = find_base(workbook=workbook, cwd=here)
    if folder is None or folder == theirs:
        option = "" if workbook is None or find_base(cwd=here) == theirs else f" --workbook {as_typed(workbook)}"
        return f"batchbook {words}{option}"
    return f"cd {as_typed(folder)} && batchbook {words}"


def as_typed(path: Path) -> str:
    """A path as a shell takes it: relative where it is below the current folder."""
    here = Path.cwd()
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - a link in the path stays one
    text = str(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute)
    if sys.platform == "win32":
        return f'"{text}"' if " " in text else text
    return shlex.quote(text)


def who(given: str | None = None) -> str:
    """The name that a history gets: the one given, else the system's user."""
    from batchbook.batch.recordwork import this_user

    if given is None:
        return this_user()
    if not given.strip():
        raise UsageError("--user is empty.", "Give a name, or leave the option out for the system's user.")
    return given.strip()
