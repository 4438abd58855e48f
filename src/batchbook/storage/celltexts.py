"""The cells of a row as the ledger holds them: JSON texts of header to value, joined and taken apart within SQL."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from batchbook.storage import seals


def folded(header: str) -> str:
    """A header as it is compared: blanks and line breaks folded, case ignored, as in Excel's tables."""
    return " ".join(header.split()).casefold()


def drop_cells(cells: str, others: str) -> str:
    """A JSON text of header to value without the headers of another one."""
    gone = {folded(header) for header in json.loads(others)}
    return _packed({header: value for header, value in json.loads(cells).items() if folded(header) not in gone})


def merge_cells(older: str, newer: str) -> str:
    """Two JSON texts of header to value as one, the newer value counting; json_patch would drop blanks (nulls)."""
    return _packed({**json.loads(drop_cells(older, newer)), **json.loads(newer)})


def merge_sealed(workbook: str, sheet: str, key: str, older: str, newer: str) -> str:
    """`merge_cells` for the values last written in a row; a text whose seal does not fit counts for nothing."""
    known = (seals.unsealed(workbook, sheet, key, text) or "{}" for text in (older, newer))
    try:
        return seals.sealed(workbook, sheet, key, merge_cells(*known))
    except ValueError:  # a text that was damaged before it was sealed; as it is, its seal fits no more
        return older


FUNCTIONS: Sequence[tuple[str, int, Callable[..., Any]]] = (
    ("merge_cells", 2, merge_cells),
    ("sealed", 4, seals.sealed), ("merge_sealed", 5, merge_sealed),
)  # fmt: skip
"""By their names in SQL, with how many values each takes."""


def _packed(cells: Mapping[str, Any]) -> str:
    return json.dumps(cells, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
