"""Folders to run the real command in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.helpers import Folder, make_folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder with a workbook of 12 rows, the small job and its processor."""
    made = make_folder(tmp_path / "work")
    made.make_book(range(1, 13))
    made.make_job()
    return made


@pytest.fixture
def new_folder(tmp_path: Path) -> Callable[[str], Folder]:
    """Makes folders that have the processor and nothing else."""
    return lambda name: make_folder(tmp_path / name)
