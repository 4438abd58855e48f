"""The sheet that is measured: 24 columns of mixed types, what is in each row, and what the cases change there."""

from __future__ import annotations

import json
from collections.abc import Iterator

SHEET = "Data"
TEXT, NUMBER, MONEY, PERCENT, DATE, MOMENT, TRUTH = "text", "number", "money", "percent", "date", "moment", "truth"
COLUMNS: tuple[tuple[str, str], ...] = (
    ("Key", TEXT), ("Name", TEXT), ("Group", TEXT), ("Country", TEXT), ("Quantity", NUMBER), ("Price", MONEY),
    ("Ordered", DATE), ("Shipped", MOMENT), ("Active", TRUTH), ("Total", MONEY), ("Label", TEXT), ("Result", TEXT),
    ("Advice", TEXT), ("Source", TEXT), ("Score", NUMBER), ("Share", PERCENT), ("Count", NUMBER), ("Paid", TRUTH),
    ("Due", DATE), ("Large", TRUTH), ("Discount", PERCENT), ("Note", TEXT), ("Stock", NUMBER), ("Remark", TEXT),
)  # fmt: skip
WIDTH = len(COLUMNS)
FORMULAS = ("J", "K", "T")
"""The columns of formulas; the file holds their values too."""
UPDATED = {12: "L", 13: "M", 14: "N", 15: "O", 16: "P", 17: "Q"}
"""The columns that the cases write: three of texts, three of numbers, all filled with plain values before."""
FEW = (1, 6, 19)
"""The columns read by the case that reads 3 of 24: a text, a number, a date."""


def new_values(row: int, turn: int) -> tuple[str | int | float, ...]:
    """What a case writes into the updated columns of a row."""
    return (
        f"checked {row} & found", f"advice {row % 7} of turn {turn}", f"https://example.org/{row}",
        row * 3 + turn, row / 8, row % 1000,
    )  # fmt: skip


def cells(rows: int, turn: int) -> Iterator[tuple[str, str | int | float]]:
    """All cells of a full update with their new values, row after row; the header is row 1."""
    places = tuple(UPDATED.values())
    for row in range(2, rows + 2):
        for column, value in zip(places, new_values(row, turn), strict=True):
            yield f"{column}{row}", value


def batch_rows(rows: int, batch: int, turn: int) -> range:
    """The rows of a turn's batch: all over the sheet, never where the turn before was (if there are two places)."""
    places = max(1, rows // batch)
    first = 2 + turn * (38 * places // 100 + 1) % places * batch
    return range(first, first + batch)


def written(row: int, turn: int) -> str:
    """What is written into a row, as the ledger keeps it: JSON of header to value."""
    titles = (COLUMNS[column - 1][0] for column in UPDATED)
    values = dict(zip(titles, new_values(row, turn), strict=True))
    return json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
