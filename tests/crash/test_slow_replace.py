"""Another program saves the workbook while the replace is on its way: strace holds the system call up for a while."""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from threading import Thread

import openpyxl
import pytest

from tests.crash.order import BOOK
from tests.crash.scenarios import ROWS, RUN, cells, filled, make_folder
from tests.crash.tracing import STRACE, Runner

pytestmark = [
    pytest.mark.skipif(STRACE is None, reason="needs strace"),
    pytest.mark.skipif(sys.platform != "linux", reason="needs strace"),
]
DELAY = 1_000_000
"""Microseconds."""


def a_save_is_intended(folder: Path, number: int) -> bool:
    with suppress(sqlite3.Error):
        path = folder / "data" / "checkpoints" / "ledger.db"
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as ledger:
            return bool(ledger.execute("SELECT 1 FROM saves WHERE id = ? AND state = 'intent'", [number]).fetchone())
    return False


def person(folder: Path, number: int, save: Callable[[openpyxl.Workbook, Path], None]) -> None:
    """Somebody who writes a note while the save of this number waits for its replace."""
    deadline = time.monotonic() + 30
    while not a_save_is_intended(folder, number):
        assert time.monotonic() < deadline, "the save never came"
        time.sleep(0.005)
    time.sleep(0.2)  # the last look is over: what follows it is held up
    book = openpyxl.load_workbook(folder / BOOK)
    book["Data"]["D2"] = "a person's note"
    save(book, folder / BOOK)


def by_rename(book: openpyxl.Workbook, path: Path) -> None:
    other = path.with_name("person.xlsx")
    book.save(other)
    other.replace(path)


def in_place(book: openpyxl.Workbook, path: Path) -> None:
    book.save(path)


@pytest.mark.parametrize("number", [1, 2, 4])
@pytest.mark.parametrize("save", [by_rename, in_place])
def test_what_a_person_saves_while_the_replace_is_on_its_way_is_merged(
    runner: Runner, scratch: Path, save: Callable[[openpyxl.Workbook, Path], None], number: int
) -> None:
    folder = make_folder(scratch / f"slow-{save.__name__}-{number}")
    thread = Thread(target=person, args=(folder, number, save))
    thread.start()
    slow = ["-e", "trace=renameat2", "-e", f"inject=renameat2:delay_enter={DELAY}:when={number}"]
    ended = runner.run(folder, *RUN, strace=slow)
    thread.join()
    assert ended.code == 0, ended.err
    assert "merging again" in ended.err
    wanted = [list(row) for row in filled(ROWS)]
    wanted[1][3] = "a person's note"
    assert [list(row) for row in cells(folder / BOOK)] == wanted
    assert [path.name for path in folder.iterdir() if "batchbook-" in path.name or path.name == "person.xlsx"] == []
