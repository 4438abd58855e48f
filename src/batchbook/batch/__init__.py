"""The engine: a controller drives a processor over the rows of a workbook, durably and resumably.

What it offers is loaded when it is first used: a single command on records needs little of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from batchbook.batch.controller import BatchController
    from batchbook.batch.interrupt import StopToken, handle_signals
    from batchbook.batch.keptfiles import kept_file
    from batchbook.batch.outcomes import Counts, Outcome
    from batchbook.batch.processors import DetailSheet, JobContext, Processor, ReportWish, RowResult
    from batchbook.batch.report import RunResult
    from batchbook.batch.runview import RowView, RunView
    from batchbook.batch.start import StartRequest
    from batchbook.tables.reportbook import ReportSheet, Toned
    from batchbook.xlsx import SheetColumn

__all__ = [
    "BatchController",
    "Counts",
    "DetailSheet",
    "JobContext",
    "Outcome",
    "Processor",
    "ReportSheet",
    "ReportWish",
    "RowResult",
    "RowView",
    "RunResult",
    "RunView",
    "SheetColumn",
    "StartRequest",
    "StopToken",
    "Toned",
    "handle_signals",
    "kept_file",
]

_HOMES = {
    "BatchController": "batchbook.batch.controller",
    "Counts": "batchbook.batch.outcomes",
    "DetailSheet": "batchbook.batch.processors",
    "JobContext": "batchbook.batch.processors",
    "Outcome": "batchbook.batch.outcomes",
    "Processor": "batchbook.batch.processors",
    "ReportSheet": "batchbook.tables.reportbook",
    "ReportWish": "batchbook.batch.processors",
    "RowResult": "batchbook.batch.processors",
    "RowView": "batchbook.batch.runview",
    "RunResult": "batchbook.batch.report",
    "RunView": "batchbook.batch.runview",
    "SheetColumn": "batchbook.xlsx",
    "StartRequest": "batchbook.batch.start",
    "StopToken": "batchbook.batch.interrupt",
    "Toned": "batchbook.tables.reportbook",
    "handle_signals": "batchbook.batch.interrupt",
    "kept_file": "batchbook.batch.keptfiles",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'batchbook.batch' has no attribute {name!r}")
