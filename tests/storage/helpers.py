"""What the tests of this room share: workbooks, file operations that fail on demand, a journal in memory."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import openpyxl

from batchbook.storage import files
from batchbook.xlsx import BookEdits, splice


class Crash(BaseException):
    """The process is dead: from now on no file operation has any effect."""


class FaultyOperations:
    """File operations of which the k-th fails: with an errno, a crash, or an interrupt after it has taken effect."""

    def __init__(
        self, k: int, fault: int | type[BaseException], *, only: str = "", refuse: dict[str, int] | None = None
    ):
        self.real = files.Operations()
        self.k = k
        self.fault = fault
        self.only = only
        self.refuse = refuse or {}
        self.count = 0
        self.names: list[str] = []
        self.dead = False

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.real, name)

        def call(*values: Any) -> Any:
            if self.dead:
                raise Crash
            if name in self.refuse:
                raise OSError(self.refuse[name], os.strerror(self.refuse[name]))
            if self.only in ("", name):
                self.count += 1
                self.names.append(name)
                if self.count == self.k:
                    return self._fail(name, method, values)
            return method(*values)

        return call

    def _fail(self, name: str, method: Callable[..., Any], values: tuple[Any, ...]) -> Any:
        if self.fault is KeyboardInterrupt:
            method(*values)
            raise KeyboardInterrupt
        if name == "write" and len(values[1]) > 1:
            method(values[0], values[1][: len(values[1]) // 2])
        if self.fault is Crash:
            self.dead = True
            raise Crash
        assert isinstance(self.fault, int)
        raise OSError(self.fault, os.strerror(self.fault))


class MemoryJournal:
    """A save journal that remembers, and that can fail."""

    indexes = None

    def __init__(self) -> None:
        self.saves: list[dict[str, Any]] = []
        self.fail: str = ""

    def intend(self, old: str, new: str, temporary: str, indexes: object = None) -> int:
        if self.fail == "intend":
            raise RuntimeError("the ledger is broken")
        self.saves.append({"old": old, "new": new, "temporary": temporary, "state": "intent", "backup": None})
        return len(self.saves) - 1

    def put_by(self, old: str, new: str, name: str, indexes: object = None) -> int:
        save = self.intend(old, new, name)
        self.saves[save]["state"] = "pending"
        return save

    def saved(self, save: int, backup: str | None) -> None:
        if self.fail == "saved":
            raise RuntimeError("the ledger is broken")
        self.saves[save].update(state="saved", backup=backup)

    def abandoned(self, save: int) -> None:
        self.saves[save]["state"] = "abandoned"

    @property
    def states(self) -> list[str]:
        return [save["state"] for save in self.saves]


def make_workbook(path: Path, rows: int = 8) -> Path:
    """A small workbook, the same to the last byte each time."""
    path.write_bytes(_content(rows))
    return path


@cache
def _content(rows: int) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Data"
    for number in range(1, rows + 1):
        sheet.append([number, f"name {number}", None])
    book.create_sheet("Other")["A1"] = "untouched"
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def value(path: Path, cell: str, sheet: str = "Data") -> Any:
    with path.open("rb") as opened:  # whatever it is called
        return openpyxl.load_workbook(opened)[sheet][cell].value


def writing(text: str, cell: tuple[int, int] = (1, 3)) -> Callable[..., Any]:
    """What builds a workbook in which one cell is changed; like a run's, it can be used only once."""
    rows = iter([(cell[0], {cell[1]: text})])
    return lambda book, out: splice(book, BookEdits(cells={"Data": rows}), out)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}
