"""A process that counts in a workbook, round by round, while others do the same.

Arguments: workbook, number of the process (from 1), rounds, seed, chance of dying in a round.

A round takes the lock, reads the counter in B1, saves it raised by one, and notes both ends in the file ``log``. Each
fifth round writes the process's own cell by `edit_workbook` instead, which takes the lock itself.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from functools import partial
from pathlib import Path

import batchbook
from batchbook.storage.edit import edit_workbook
from batchbook.storage.hosts import start_ticks
from batchbook.storage.leftovers import sweep
from batchbook.storage.lock import LockInfo, WorkbookLock
from batchbook.storage.saver import AtomicSaver
from batchbook.storage.settling import settle_dead_holder
from batchbook.xlsx import Book, BookEdits, splice

WAIT = 120.0


def note(folder: Path, *words: object) -> None:
    """One line of the log, at its end whoever else writes there."""
    fd = os.open(folder / "log", os.O_WRONLY | os.O_APPEND)
    os.write(fd, (" ".join(map(str, (*words, os.getpid()))) + "\n").encode())
    os.close(fd)


def on_dead(workbook: Path, info: LockInfo) -> None:
    settle_dead_holder(workbook, info)
    note(workbook.parent, "dead", info.pid)


def counter(book: Book) -> int:
    _, cells = next(book.rows("Data"))
    value = cells[2].value
    assert isinstance(value, int)
    return value


def enter(inside: Path) -> None:
    """Leave this process's number inside; fails where another one that lives is there."""
    if inside.exists():
        assert start_ticks(int(inside.read_text())) in (None, -1), "two are in here at once"
        inside.unlink()
    own = inside.with_name(f"inside-{os.getpid()}")
    own.write_text(str(os.getpid()))
    os.link(own, inside)  # fails where another one has just come in
    own.unlink()


def count(workbook: Path) -> None:
    inside = workbook.with_name("inside")
    with WorkbookLock(workbook, run="count", ledger=None, wait=WAIT, on_dead=partial(on_dead, workbook)):
        enter(inside)
        sweep(workbook)
        note(workbook.parent, "begin")
        with Book.open(workbook) as book:
            value, digest = counter(book) + 1, book.digest
        edits = {"Data": iter([(1, {2: value})])}
        AtomicSaver(workbook, None, None, "count").save(
            digest, lambda book, out: splice(book, BookEdits(cells=edits), out), full_verify=False, backup_kind=None
        )
        note(workbook.parent, "end", value)
        inside.unlink()


def main() -> None:
    workbook, number, rounds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    dice, chance = random.Random(int(sys.argv[4])), float(sys.argv[5])
    assert batchbook
    for done in range(1, rounds + 1):
        if dice.random() < chance:
            # Somewhere in the round, most often while it holds the lock.
            threading.Thread(target=_die, args=(dice.random() * 0.05,), daemon=True).start()
        if done % 5 == 0:
            edit_workbook(workbook, workbook, {"Data": {f"C{number}": done}}, wait=WAIT)
        else:
            count(workbook)


def _die(seconds: float) -> None:
    time.sleep(seconds)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
