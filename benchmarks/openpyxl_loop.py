"""The same review as a loop with openpyxl: what people write without batchbook.

    python openpyxl_loop.py JOB.yaml SAVE_EVERY_N_ROWS MOST_ROWS

It is kinder to openpyxl than life: nothing is resumable, nothing is fsynced, and lost charts are not counted.
"""

from __future__ import annotations

import sys
from pathlib import Path

import openpyxl

from batchbook.batch.assembly import assemble
from batchbook.batch.controller import local_now
from batchbook.batch.processors import RowResult
from batchbook.batch.start import StartRequest
from batchbook.config import load_job
from batchbook.errors import RowSignal
from batchbook.tables.table import Table
from batchbook.xlsx import Book, Link


def main() -> None:
    """Review the workbook of a job."""
    job_file, every, most = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    job = load_job(job_file)
    assembly = assemble(job, StartRequest(mode="fresh"), local_now)
    with Book.open(job.workbook) as book:
        table = Table(book, assembly.spec)
        rows = list(table.rows())
        columns = {name: table.column(name) for name in assembly.spec.writes}
    workbook = openpyxl.load_workbook(job.workbook)
    sheet = workbook[table.sheet]
    for count, row in enumerate(rows[: most or None], 1):
        try:
            result = assembly.processor.process(row.row)
        except RowSignal:
            continue
        values = result.columns if isinstance(result, RowResult) else result or {}
        for name, value in values.items():
            sheet.cell(row.number, columns[name]).value = value.text if isinstance(value, Link) else value
        if count % every == 0:
            workbook.save(job.workbook)
    workbook.save(job.workbook)


if __name__ == "__main__":
    main()
