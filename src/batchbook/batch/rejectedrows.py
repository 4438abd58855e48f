"""The rows of an input that came to nothing, as a file of the same columns: to be mended and brought in again."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Callable, Iterator
from typing import BinaryIO

from batchbook.batch.outcomes import Outcome
from batchbook.batch.report import REJECTED, problems_of
from batchbook.config import JobConfig
from batchbook.errors import ConfigurationError
from batchbook.storage.exporting import export_file
from batchbook.storage.private import make_state_folder
from batchbook.storage.runlog import RunLog
from batchbook.tables.csvexport import field
from batchbook.tables.inputfeed import ROW_COLUMN, WHY_COLUMN
from batchbook.tables.inputs import RowFile
from batchbook.tables.row import CellLike

_LEFT = (Outcome.REJECTED, Outcome.FAILED)


def leave_rejected_rows(job: JobConfig, log: RunLog, open_input: Callable[[], RowFile]) -> str | None:
    """Write the rejected and failed rows of an input-only run beside its report; gives the path, None without any.

    open_input: opens the input with all its columns.
    Raises SaveFailed or OSError where that cannot be written, ConfigurationError where the input cannot be read or was
    changed meanwhile.
    """
    counts = log.counts()
    if not any(counts.get(kind.value) for kind in _LEFT):
        return None
    rows = open_input()
    target = job.base.reports / f"{log.run.id}{REJECTED}.csv"
    make_state_folder(target.parent)
    export_file(target, lambda stream: _write(stream, rows, log), label="rejected", state=True)
    return str(target)


def _write(stream: BinaryIO, rows: RowFile, log: RunLog) -> None:
    names = [name for name in rows.names if name not in (ROW_COLUMN, WHY_COLUMN)]
    stream.write(codecs.BOM_UTF8)
    stream.write(_line([*names, ROW_COLUMN, WHY_COLUMN], rows.delimiter))
    reasons = _reasons(log)
    line, reason = next(reasons, (0, ""))
    for number, cells, surplus in rows.rows():
        if number == line:
            # As they were given: with an apostrophe in front a text would come back as another one. What stood behind
            # the last header still stands there: a row that was not mended is rejected again.
            fields = [*(_field(cells.get(name)) for name in names), number, reason, *surplus]
            stream.write(_line(fields, rows.delimiter))
            line, reason = next(reasons, (0, ""))
    if line:
        raise ConfigurationError(
            f"Row {line} is not in the input any more: it was changed during the run.",
            "See the run's report for what was rejected, and why.",
        )


def _reasons(log: RunLog) -> Iterator[tuple[int, str]]:
    for one in problems_of(log):
        if one["outcome"] in _LEFT:
            yield one["row"], one["reason"]


def _field(cell: CellLike | None) -> object:
    if cell is None:
        return ""
    return cell.value if isinstance(cell.value, str) else field(cell.value)


def _line(fields: list[object] | list[str], delimiter: str) -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerow(fields)
    # Half of a surrogate pair, which a cell can hold, is no character.
    return text.getvalue().encode("utf-8", "replace")
