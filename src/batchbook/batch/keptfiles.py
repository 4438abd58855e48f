"""Files that a processor keeps between runs, such as answers of servers."""

from __future__ import annotations

from pathlib import Path

from batchbook.storage.private import create_private, make_state_folder


def kept_file(path: Path) -> Path:
    """A file that those can read who can read the other state; made, empty, with its folder where it is not there.

    Raises OSError where it cannot be made.
    """
    make_state_folder(path.parent)
    create_private(path)
    return path
