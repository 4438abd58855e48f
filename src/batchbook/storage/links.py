"""Symbolic links to workbooks: they are followed, and never replaced."""

from __future__ import annotations

from pathlib import Path

from batchbook.errors import WorkbookMissing


def followed(workbook: Path) -> Path:
    """The file that a path means, absolute, whether or not it is there; WorkbookMissing for links in a circle."""
    try:
        return workbook.resolve()
    except (RuntimeError, OSError) as error:  # which of them depends on the version of Python
        raise WorkbookMissing(
            f"There is no workbook {workbook}: it is a symbolic link that leads back to itself.",
            "Mend the link, or check the path.",
        ) from error
