"""Folders to run the real command in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.helpers import Folder, make_folder
from tests.integration.online import Night, Serve, Some, options_for
from tests.servers.registry import Registry


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


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts a server of packages and lays down a folder that reviews them by it; see `online.Serve`."""
    with ExitStack() as stack:

        def make(some: Some, server: Registry | None = None, **network: object) -> Night:
            running = stack.enter_context(server if server is not None else some.server())
            folder = make_folder(tmp_path / f"review-{running.url.rsplit(':', 1)[1]}")
            return Night(folder, running, options_for(running, **network)).lay(some.in_use)

        yield make
