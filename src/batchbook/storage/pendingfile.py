"""The pending file: a finished save beside its workbook that could not be published, because the workbook was open."""

from __future__ import annotations

import os
from pathlib import Path

from batchbook.errors import CannotSave

SUFFIX = ".batchbook-pending"


def pending_path(workbook: Path) -> Path:
    """Where the pending file of a workbook lies: beside the file itself, not beside a symbolic link to it."""
    target = workbook.resolve()
    return target.with_name(f"{target.name}{SUFFIX}")


def must_be_free(place: Path) -> None:
    """Raise CannotSave where a pending file lies already: it is not to be lost to another one."""
    if os.path.lexists(place):
        raise CannotSave(
            f"There is a pending save already that is not known here: {place.name}.",
            "It was made from another folder: a run there publishes it. If it is no longer wanted, delete it. "
            "The results are kept; go on with --resume-auto.",
        )
