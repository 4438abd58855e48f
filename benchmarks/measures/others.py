"""The cases as openpyxl and python-calamine do them."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from measures import shape
from measures.timing import Stopwatch, figures, repeated, warm


def openpyxl_update(source: Path, target: Path, rows: int, repeat: int) -> dict[str, Any]:
    """Load, set the cells, save; and the save alone, since the workbook is loaded anyway. Nothing is durable in it."""
    openpyxl = importlib.import_module("openpyxl")
    warm(source)
    alone = Stopwatch()

    def whole() -> None:
        book = openpyxl.load_workbook(source)
        sheet = book[shape.SHEET]
        for row in range(2, rows + 2):
            for column, value in zip(shape.UPDATED, shape.new_values(row, 1), strict=True):
                sheet.cell(row, column).value = value
        with alone:
            book.save(target)

    return figures(repeated(whole, repeat, budget=5), save=alone.seconds, save_cpu=alone.cpu)


def openpyxl_read(source: Path, rows: int, repeat: int) -> dict[str, Any]:
    """All rows in read-only mode. It parses every cell whichever columns are wanted, so this counts for any of them."""
    openpyxl = importlib.import_module("openpyxl")
    warm(source)
    counted: list[int] = []

    def all_rows() -> None:
        book = openpyxl.load_workbook(source, read_only=True)
        counted.append(sum(1 for _ in book[shape.SHEET].iter_rows(values_only=True)))
        book.close()

    return _read(all_rows, rows, repeat, counted)


def calamine_read(source: Path, rows: int, repeat: int, iterating: bool) -> dict[str, Any]:
    """All rows by python-calamine, as a list or one after the other; it has no way to ask for columns."""
    calamine = importlib.import_module("python_calamine")
    warm(source)
    counted: list[int] = []

    def all_rows() -> None:
        sheet = calamine.CalamineWorkbook.from_path(str(source)).get_sheet_by_name(shape.SHEET)
        counted.append(sum(1 for _ in (sheet.iter_rows() if iterating else sheet.to_python())))

    return _read(all_rows, rows, repeat, counted)


def _read(all_rows: Any, rows: int, repeat: int, counted: list[int]) -> dict[str, Any]:
    watch = repeated(all_rows, repeat, budget=5)
    done = figures(watch)
    assert set(counted) == {rows + 1}, counted
    return done
