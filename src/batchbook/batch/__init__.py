"""The engine: a controller drives a processor over the rows of a workbook, durably and resumably."""

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
