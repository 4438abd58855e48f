"""What `batchbook run` makes of its options and of the events of a run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from batchbook.batch.outcomes import Counts
from batchbook.batch.progress import RowProblem
from batchbook.batch.report import RunResult, failed_before
from batchbook.cli.run import Problems, _keys, summary
from batchbook.errors import UsageError


def ended(**counts: int) -> RunResult:
    return replace(failed_before("job", "book.xlsx", None), run_id="run1", rows=Counts(**counts))


@pytest.mark.parametrize("given", [[""], [","], [" , "]])
def test_an_empty_list_of_keys_is_refused_and_does_not_mean_every_row(given: list[str]) -> None:
    with pytest.raises(UsageError, match="no key"):
        _keys(given)


def test_keys_are_split_at_commas_and_quotes_protect_one() -> None:
    assert _keys(['a,"b,c", d']) == ("a", "b,c", "d")
    assert _keys(None) == ()


def test_problems_are_told_by_kind_with_an_example_and_where_all_of_them_are() -> None:
    seen: list[object] = []
    problems = Problems(seen.append)
    for number in (4, 5):
        problems(RowProblem(number, f"K{number}", "failed", "ValueError: no"))
    assert problems.lines(ended(failed=2)) == [
        "failed: 2, such as row 4 [K4]: ValueError: no",
        "all of them: batchbook runs show run1",
    ]
    assert len(seen) == 2
    assert Problems(seen.append).lines(ended()) == []


def test_after_a_resume_the_rows_with_a_problem_are_those_of_the_whole_run() -> None:
    problems = Problems(lambda event: None)
    problems(RowProblem(9, "K9", "unknown", "no answer"))
    assert problems.lines(ended(unknown=5))[0] == "unknown: 5, such as row 9 [K9]: no answer"


def test_an_interrupted_run_says_how_to_go_on_with_the_command_that_began_it() -> None:
    result = {
        "status": "interrupted", "run_id": "r1", "resumed": None, "conflicts": 0,
        "rows": {"selected": 3, "done": 1}, "seconds": dict.fromkeys(("total", "process", "ledger", "save"), 1.0),
    }  # fmt: skip
    assert summary(result)[0] == "interrupted; what was done is kept, go on with --resume-auto (run r1)"
    assert summary(result, "run the same command again")[0].endswith("run the same command again (run r1)")
