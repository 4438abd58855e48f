"""What is told of a run as a whole at its end: the processor's remarks, those on single rows, the records changed."""

from __future__ import annotations

from itertools import chain, islice

from batchbook.batch.judging import remarks_of
from batchbook.batch.outcomes import Outcome
from batchbook.batch.recorded import changes_in
from batchbook.batch.runcontext import RunContext
from batchbook.batch.systems import MOST_NAMED
from batchbook.errors import BatchbookError
from batchbook.storage.runlog import RunLog

_MOST_LINES = 3
"""So many of the rows with a remark are told each for itself; the others are counted."""


def remarks_on(context: RunContext) -> tuple[int, tuple[str, ...]]:
    """What the processor tells of this attempt, and of rows of the whole run that ended well; each is warned of.

    Gives the number of these rows, and what is told.
    """
    count = context.log.remarked_count()
    remarks = (*remarks_of(context.assembly.processor), *_of_rows(context.log, count))
    for one in remarks:
        context.warn(one)
    return count, remarks


def _of_rows(log: RunLog, count: int) -> tuple[str, ...]:
    if not count:
        return ()
    lines = [f"row {number}: {said}" for number, _, said in islice(log.remarked(), _MOST_LINES)]
    if count > len(lines):
        lines.append(f"{count - len(lines):,} more rows have a warning; `batchbook runs show` and the report list them")
    return tuple(lines)


def records_named(context: RunContext) -> str:
    """The records that a run over a system's records changed, as the notes of commands name them; else nothing.

    A few by key and label, the others by their number: no more than these few are read.
    """
    done = context.log.counts().get(Outcome.DONE, 0)
    workspace = context.records.opened if context.records is not None else None
    system = context.assembly.processor.system
    if not done or workspace is None or system is None:
        return ""
    found = (changes_in(outcome.details) for outcome in context.log.outcomes(by_ordinal=True))
    rows = list(islice(filter(None, found), MOST_NAMED))
    try:
        note = system.note_of(workspace, list(chain.from_iterable(rows)))
    except (BatchbookError, AttributeError):  # a record that people took away, or broke, meanwhile
        return f"{done:,} records"
    return note if done <= len(rows) else f"{note}, {done - len(rows):,} more"
