from collections.abc import Callable, Iterator

import pytest

from batchbook.batch.start import ResumeSummary, WorkbookDifference
from batchbook.cli import prompts
from batchbook.cli.prompts import TerminalDecisions, ask, ask_number, choose, confirm

FOUND = ResumeSummary(
    run="r1",
    job="review",
    started="2024-01-01T00:00:00+00:00",
    active="2024-01-01T01:00:00+00:00",
    attempts=1,
    selected=50,
    done=20,
    counts={"done": 20},
    batches=4,
    checkpoints=("checkpoint 2: batch 4", "checkpoint 1: batch 2"),
)


def answers(*given: str) -> Callable[[str], str]:
    left: Iterator[str] = iter(given)
    return lambda question: next(left)


def test_enter_takes_the_default_and_a_beginning_is_enough() -> None:
    choices = {"resume": "a", "fresh": "b", "force": "c"}
    assert choose(choices, "resume", answers("")) == "resume"
    assert choose(choices, "resume", answers("fr")) == "fresh"
    assert choose(choices, "resume", answers("f", "x", "force")) == "force"


def test_a_number_is_asked_for_until_it_fits() -> None:
    assert ask_number("?", 10, answers("0", "11", "x", "7")) == 7
    assert ask_number("?", None, answers("123456")) == 123456
    assert ask_number("?", 10, answers("")) is None


def test_no_is_the_default() -> None:
    assert confirm("Sure?", answers("y"))
    assert not confirm("Sure?", answers(""))


@pytest.mark.parametrize(
    ("given", "choice"),
    [
        (("",), "resume"),
        (("fresh",), "fresh"),
        (("cancel",), "cancel"),
        (("row", "51", "50"), ("row", 50)),
        (("batch", "4"), ("batch", 4)),
        (("row", "", "resume"), "resume"),
    ],
)
def test_every_way_to_start_can_be_chosen(
    given: tuple[str, ...], choice: object, capsys: pytest.CaptureFixture[str]
) -> None:
    assert TerminalDecisions(answers(*given)).start(FOUND) == choice
    said = capsys.readouterr().out
    assert "20 of 50 rows" in said
    assert "checkpoint 1: batch 2" in said


def test_a_changed_workbook_is_merged_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    difference = WorkbookDifference(rows_gone=2, examples=("K7: 1 -> 2",))
    assert TerminalDecisions(answers("")).changed(FOUND, difference) == "merge"
    assert TerminalDecisions(answers("theirs")).changed(FOUND, difference) == "theirs"
    assert TerminalDecisions(answers("ch")).changed(FOUND, difference) == "checkpoint"
    assert TerminalDecisions(answers("cancel")).changed(FOUND, difference) == "cancel"
    assert "2 rows of the run are gone" in capsys.readouterr().out


def test_a_mismatch_is_left_alone_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert TerminalDecisions(answers("")).mismatch("this", "that") == "cancel"
    assert TerminalDecisions(answers("force")).mismatch("this", "that") == "force"
    assert TerminalDecisions(answers("fresh")).mismatch("this", "that") == "fresh"
    said = capsys.readouterr().out
    assert "expected: this" in said
    assert "current:  that" in said


def test_nobody_there_any_more_means_cancel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompts, "typed", lambda _question: "")
    assert ask("?") == "cancel"


def test_an_answer_is_taken_without_what_is_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompts, "typed", lambda _question: "  Fresh \n")
    assert ask("?") == "fresh"
    monkeypatch.setattr(prompts, "typed", lambda _question: "\n")
    assert ask("?") == ""
