"""Batch runs over Excel workbooks that never lose a row.

The public interface is what `__all__` lists; names are loaded when they are first used, so that importing is quick.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as type checkers know it; importing it would take longer than all else here
if TYPE_CHECKING:
    from typing import Any

    from batchbook.batch.api import run_job
    from batchbook.batch.processors import DetailSheet, JobContext, Processor, RowResult
    from batchbook.batch.report import RunResult
    from batchbook.errors import BatchbookError, Rejected, Transient, Unknown, WorkbookError
    from batchbook.storage.edit import EditReceipt, edit_workbook
    from batchbook.tables.row import Row
    from batchbook.xlsx import Link, SheetColumn, sheet_names

__version__ = "0.1.0"

__all__ = [
    "BatchbookError",
    "DetailSheet",
    "EditReceipt",
    "JobContext",
    "Link",
    "Processor",
    "Rejected",
    "Row",
    "RowResult",
    "RunResult",
    "SheetColumn",
    "Transient",
    "Unknown",
    "WorkbookError",
    "edit_workbook",
    "run_job",
    "sheet_names",
]

_HOMES = {
    "BatchbookError": "batchbook.errors",
    "DetailSheet": "batchbook.batch.processors",
    "EditReceipt": "batchbook.storage.edit",
    "JobContext": "batchbook.batch.processors",
    "Link": "batchbook.xlsx",
    "Processor": "batchbook.batch.processors",
    "Rejected": "batchbook.errors",
    "Row": "batchbook.tables.row",
    "RowResult": "batchbook.batch.processors",
    "RunResult": "batchbook.batch.report",
    "SheetColumn": "batchbook.xlsx",
    "Transient": "batchbook.errors",
    "Unknown": "batchbook.errors",
    "WorkbookError": "batchbook.errors",
    "edit_workbook": "batchbook.storage.edit",
    "run_job": "batchbook.batch.api",
    "sheet_names": "batchbook.xlsx",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'batchbook' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
