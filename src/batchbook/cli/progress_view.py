"""Progress while a run goes on: a bar on a terminal, else one line per batch."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from batchbook.batch.outcomes import Counts
from batchbook.batch.progress import (
    BatchDone,
    CellChange,
    Event,
    RecordsCounted,
    RecordShown,
    Resumed,
    RowProblem,
    RowsCommitted,
    RunStarted,
    Saved,
    Warned,
)
from batchbook.batch.wording import shown_value
from batchbook.cli.output import counted, drop, note, plain
from batchbook.config.durations import format_duration

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

# A dry run over many rows would bury its own summary.
_MOST_CHANGES = 200


class View(Protocol):
    """Shows the events of a run."""

    def __call__(self, event: Event) -> None:
        """Show one event."""

    def close(self) -> None:
        """Nothing more comes."""


def make_view(*, quiet: bool, json: bool, verbose: bool) -> View:
    """The view for this call: only warnings for programs, a bar for a terminal, lines for a file or a pipe."""
    if quiet or json:
        return LineView(lambda text: None, verbose=False)
    if sys.stdout.isatty():
        return BarView(verbose=verbose)
    return LineView(_print_line, verbose=verbose)


def _print_line(text: str) -> None:
    """Print, but never let a reader that has gone stop a run."""
    try:
        print(plain(text), flush=True)
    except OSError:
        drop(sys.stdout)


class LineView:
    """One line per batch, through a function that prints a line; warnings go to standard error."""

    def __init__(self, line: Callable[[str], None], *, verbose: bool) -> None:
        self._line = line
        self._verbose = verbose
        self._changes = 0
        self._dry = False

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, Warned):
            self.warn(event.message)
        elif isinstance(event, RunStarted):
            self._dry = event.dry_run
            self._line(started(event))
        elif isinstance(event, Resumed):
            for line in event.lines:
                self._line(line)
        elif isinstance(event, CellChange):
            self._change(event)
        elif isinstance(event, RecordShown):
            self._record(event)
        elif isinstance(event, RecordsCounted):
            self._line(f"would add {counted(event.count, 'row')} to {event.sheet}")
        elif isinstance(event, (RowsCommitted, BatchDone)):
            self.counted(event)
        elif isinstance(event, RowProblem) and self._verbose:
            self._line(f"row {event.number} [{event.key}] {event.outcome}: {event.reason}")
        elif isinstance(event, Saved) and self._verbose:
            self._line(f"save {event.number}: {event.cells:,} cells in {event.seconds:.2f} s")

    def warn(self, message: str) -> None:
        """Show a warning."""
        note(f"warning: {message}")

    def counted(self, event: RowsCommitted | BatchDone) -> None:
        """Show how far the run is; here, a line for each batch."""
        if isinstance(event, BatchDone):
            self._line(f"batch {event.number}: {event.rows} rows in {event.seconds:.2f} s, {so_far(event)}")

    def _change(self, event: CellChange) -> None:
        if self._shows_one_more("cells"):
            before, after = (shown_value(value) for value in (event.before, event.after))
            self._line(f"would change {event.sheet}!{event.cell} [{event.key}] {event.column}: {before} -> {after}")

    def _record(self, event: RecordShown) -> None:
        if self._shows_one_more("records"):
            did = "enter" if event.new else "change"
            cells = ", ".join(_cell(cell, new=event.new) for cell in event.cells)
            self._line(f"would {did} {event.sheet} row {event.number} [{event.key}] {cells}")

    def _shows_one_more(self, what: str) -> bool:
        """Whether one more change is shown; says it once where the others are not."""
        self._changes += 1
        if self._changes == _MOST_CHANGES + 1 and not self._verbose:
            self._line(f"more {what} would change (--verbose shows all)")
        return self._changes <= _MOST_CHANGES or self._verbose

    def close(self) -> None:
        """Nothing to take away."""


class BarView(LineView):
    """A bar on the terminal; lines and warnings scroll above it."""

    def __init__(self, *, verbose: bool) -> None:
        super().__init__(self._above, verbose=verbose)
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def __call__(self, event: Event) -> None:
        """Show one event; a terminal that has gone (closed, hung up) stops nothing."""
        try:
            super().__call__(event)
            if isinstance(event, RunStarted):
                self._open(event)
        except OSError:
            self._progress = None

    def warn(self, message: str) -> None:
        """Show a warning above the bar."""
        self._above(f"warning: {message}")

    def counted(self, event: RowsCommitted | BatchDone) -> None:
        """Move the bar."""
        if self._progress is not None and self._task is not None:
            self._progress.update(
                self._task,
                completed=event.counts.ended,
                total=max(event.counts.selected, 1),
                outcomes=outcomes(event.counts),
                rate=f"{event.rate:,.1f} rows/s",
                left=_left(event),
            )

    def close(self) -> None:
        """Leave the bar as it stands."""
        try:
            if self._progress is not None:
                self._progress.stop()
        except OSError:
            drop(sys.stdout)
        self._progress = None

    def _open(self, event: RunStarted) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        class Terminal(Console):
            """A console whose end is an error like any other; rich itself would end the process."""

            def on_broken_pipe(self) -> None:
                raise BrokenPipeError

        def text(field: str) -> Any:
            return TextColumn(f"{{task.fields[{field}]}}", markup=False)

        columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
        self._progress = Progress(*columns, text("rate"), text("left"), text("outcomes"), console=Terminal())
        self._progress.start()
        self._task = self._progress.add_task(
            plain(event.job), total=max(event.selected, 1), completed=event.kept, outcomes="", rate="", left=""
        )

    def _above(self, text: str) -> None:
        if self._progress is None:
            _print_line(text)
        else:
            self._progress.console.print(plain(text), markup=False, highlight=False)


def started(event: RunStarted) -> str:
    """The first line of a run."""
    kept = f", {event.kept:,} of them done before" if event.kept else ""
    trial = " (dry run: nothing is written)" if event.dry_run else ""
    return f"run {event.run} of {event.job} on {event.workbook}: {event.selected:,} rows{kept}, {event.strategy}{trial}"


def so_far(event: RowsCommitted | BatchDone) -> str:
    """How far a run is, in words."""
    total = f"{event.counts.ended:,} of {event.counts.selected:,}"
    left = f", about {_left(event)}" if _left(event) else ""
    return f"{total} ({outcomes(event.counts)}), {event.rate:,.1f} rows/s{left}"


def outcomes(counts: Counts) -> str:
    """The outcomes there are, in words; ``none`` at the start."""
    named = {name: count for name, count in counts.as_dict().items() if name != "selected" and count}
    return ", ".join(f"{count:,} {name}" for name, count in named.items()) or "none"


def _left(event: RowsCommitted | BatchDone) -> str:
    """The time left in words; nothing where it is not known, or nothing is left."""
    if event.seconds_left is None or not event.counts.remaining:
        return ""
    return f"{format_duration(timedelta(seconds=max(1, round(min(event.seconds_left, 1e9)))))} left"


def _cell(cell: CellChange, *, new: bool) -> str:
    """What a cell of a record would hold, of one that is there already after what it held."""
    after = shown_value(cell.after)
    return f"{cell.column} {after}" if new else f"{cell.column} {shown_value(cell.before)} -> {after}"
