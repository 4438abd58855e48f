"""Rows and processors without a workbook."""

import datetime as dt
from pathlib import Path

from batchbook.batch.interrupt import StopToken
from batchbook.batch.judging import Judge
from batchbook.batch.outcomes import TakenRow
from batchbook.batch.processor import BatchProcessor
from batchbook.batch.processors import FunctionProcessor, JobContext
from batchbook.config import Marks
from batchbook.tables.inputs import TextCell
from batchbook.tables.keys import key_text
from batchbook.tables.row import Row
from batchbook.tables.table import TableRow

NOW = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)
CONTEXT = JobContext(frozenset({"Result"}), Path(), True, NOW)


def rows_of(count, **taken):
    rows = []
    for number in range(1, count + 1):
        key = (f"K{number}",)
        row = Row(number, key, {"Name": TextCell(f"n{number}")})
        table_row = TableRow(number, key, row, {"Result": None, "Status": None, "Why": None, **taken})
        rows.append(TakenRow(number, key_text(key), table_row))
    return rows


def judge_for(marks=None, *, clear=True, details=None, known=None):
    return Judge(frozenset({"Result"}), marks or Marks(), clear, details or {}, False, lambda: NOW, known or {})


def processor_for(function=None, *, concurrency=1, tries=1, stop=None, processor=None):
    processor = processor or FunctionProcessor(function, CONTEXT)
    return BatchProcessor(processor, judge_for(), concurrency=concurrency, tries=tries, stop=stop or StopToken())
