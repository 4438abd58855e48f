import sys

import pytest

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
from batchbook.cli.progress_view import BarView, LineView, make_view

COUNTS = Counts(selected=20, done=9, failed=1)
EVENTS: list[Event] = [
    Resumed("r1", ("found it",)),
    RunStarted("r1", "review", "book.xlsx", 20, 5, "fixed", False),
    RowsCommitted(COUNTS, 4.0, 3.0),
    RowProblem(7, "K7", "failed", "it [bold]broke[/bold]"),
    BatchDone(2, 5, 0.5, COUNTS, 1234.5, 3.2),
    Saved(1, 1200, 0.25, 0),
    Warned("look here"),
]


def test_there_is_one_line_for_each_batch(capsys: pytest.CaptureFixture[str]) -> None:
    lines: list[str] = []
    view = LineView(lines.append, verbose=False)
    for event in EVENTS:
        view(event)
    view.close()
    assert lines == [
        "found it",
        "run r1 of review on book.xlsx: 20 rows, 5 of them done before, fixed",
        "batch 2: 5 rows in 0.50 s, 10 of 20 (9 done, 1 failed), 1,234.5 rows/s, about 3s left",
    ]
    assert capsys.readouterr().err == "warning: look here\n"


def test_verbose_shows_problems_and_saves() -> None:
    lines: list[str] = []
    view = LineView(lines.append, verbose=True)
    for event in EVENTS:
        view(event)
    assert "row 7 [K7] failed: it [bold]broke[/bold]" in lines
    assert "save 1: 1,200 cells in 0.25 s" in lines


def test_programs_and_quiet_people_get_only_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    for quiet, json in ((True, False), (False, True)):
        view = make_view(quiet=quiet, json=json, verbose=True)
        for event in EVENTS:
            view(event)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "warning: look here\n" * 2


def test_the_bar_shows_what_is_above_it_as_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    view = BarView(verbose=True)
    for event in EVENTS:
        view(event)
    view.close()
    out = capsys.readouterr().out
    assert "it [bold]broke[/bold]" in out
    assert "warning: look here" in out


def test_a_dry_run_shows_changes_up_to_a_number() -> None:
    lines: list[str] = []
    view = LineView(lines.append, verbose=False)
    view(RunStarted("r1", "review", "book.xlsx", 300, 0, "fixed", True))
    for number in range(300):
        view(CellChange("Data", f"D{number}", "K", "Result", None, "x"))
    assert lines[0].endswith("(dry run: nothing is written)")
    assert lines[1] == "would change Data!D0 [K] Result: nothing -> 'x'"
    assert len(lines) == 202


def test_a_dry_run_over_records_shows_a_line_for_each_record() -> None:
    lines: list[str] = []
    view = LineView(lines.append, verbose=False)
    cells = (CellChange("Books", "A2", "K", "Key", None, "K"), CellChange("Books", "C2", "K", "Title", "a", "b"))
    view(RecordShown("Books", 2, "K", True, cells))
    view(RecordShown("Books", 2, "K", False, cells[1:]))
    view(RecordsCounted("History", 2))
    assert lines == [
        "would enter Books row 2 [K] Key 'K', Title 'b'",
        "would change Books row 2 [K] Title 'a' -> 'b'",
        "would add 2 rows to History",
    ]


def test_a_reader_that_has_gone_does_not_stop_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    class Gone:
        def write(self, text: str) -> int:
            tried.append(text)
            raise BrokenPipeError

        def flush(self) -> None:
            raise BrokenPipeError

        def isatty(self) -> bool:
            return False

        def fileno(self) -> int:
            raise ValueError

    monkeypatch.setattr(sys, "stdout", Gone())
    monkeypatch.setattr(sys, "stderr", Gone())
    for view in (make_view(quiet=False, json=False, verbose=True), BarView(verbose=True)):
        for event in EVENTS:
            view(event)
        view.close()
        assert tried
        tried.clear()
