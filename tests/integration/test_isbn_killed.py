"""Bulk imports that are killed: the same numbers for the same rows, none burnt, none given twice.

A number is burnt where it was given to nobody and is not free any more: so the numbers that are taken must be the
first ones of each block, without a hole, and the next book must get the one behind them.
"""

from __future__ import annotations

import csv
import json
import random
import signal
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.publisher import ASSIGNMENTS, FIRST_LARGE, FIRST_SMALL, Press, bookings, numbers, sound

ROWS = 240
BULK = ("isbn", "bulk", "rows.csv", "--json")
RESUME = ("run", "config/jobs/isbn-bulk.yaml", "--resume-auto", "--json")


def laid(path: Path) -> Press:
    """A folder with a file of bookings."""
    path.mkdir()
    press = Press(path).lay()
    press.rows_file(bookings(ROWS))
    return press


@pytest.fixture
def press(tmp_path: Path) -> Press:
    """The folder of a test."""
    return laid(tmp_path / "work")


@dataclass(frozen=True)
class Straight:
    """An import that nothing disturbed."""

    said: dict[str, Any]
    rejected: list[list[str]]
    assignments: list[dict[str, Any]]

    @property
    def given(self) -> list[tuple[str, str]]:
        """Book and number, in the order in which they were given."""
        return [(row["Book ID"], row["ISBN"].replace("-", "")) for row in self.assignments]


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Straight:
    """The same import in a folder of its own."""
    press = laid(tmp_path_factory.mktemp("straight") / "work")
    said = press.isbn(*BULK[1:], code=3).json
    found = Straight(said, rejected(said), press.table(ASSIGNMENTS))
    wanted = sound(bookings(ROWS))
    assert said["rows"]["done"] == len(wanted) < ROWS
    assert [book for book, _ in found.given] == [row["book_id"] for row in wanted]
    return found


def rejected(said: dict[str, Any]) -> list[list[str]]:
    """The rows of the file of rejected rows."""
    return list(csv.reader(Path(said["rejected_rows"]).read_text(encoding="utf-8-sig").splitlines()))


def check_none_burnt(press: Press) -> None:
    """The numbers that are taken are the first ones of each block; the next book gets the one behind them."""
    taken = sorted(press.given())
    small = min(len(numbers(FIRST_SMALL, 50)), sum(number.startswith("9783") for number in taken))
    large = len(taken) - small
    assert taken == sorted([*numbers(FIRST_SMALL, small), *numbers(FIRST_LARGE, large)])
    said = press.schedule("next", "--imprint", "Harbour").json
    assert said["assignment"]["isbn"].replace("-", "") == numbers(FIRST_LARGE, large + 1)[-1]


def check_history(press: Press, runs: Counter[str]) -> None:
    """One row of the history for each number that is scheduled, by the runs named, numbered without a gap."""
    rows = press.histories()
    assert Counter(row["ISBN"] for row in rows) == Counter(row["ISBN"] for row in press.table(ASSIGNMENTS))
    assert {row["Entry"] for row in rows} == {f"{run}.{n}" for run, count in runs.items() for n in range(1, count + 1)}
    assert {(row["Field"], row["From"], row["To"]) for row in rows} == {("status", None, "scheduled")}


@pytest.mark.parametrize("seed", [1, 2, *(pytest.param(seed, marks=pytest.mark.crash) for seed in range(3, 23))])
def test_an_import_that_is_killed_again_and_again_ends_as_one_that_never_was(
    press: Press, straight: Straight, seed: int
) -> None:
    chance = random.Random(seed)
    codes = []
    for place in range(1, 6):  # by SIGKILL four times and SIGTERM once, by both ways to resume
        number = signal.SIGTERM if place == 3 else signal.SIGKILL
        line = BULK if place % 2 else (*RESUME, "--input", "rows.csv")
        # At least one more than there are: before its first row a command may not be able to take a signal yet.
        rows = max(chance.randint(30 * (place - 1), 30 * place), press.outcomes() + 1)
        codes.append(press.ended_after(rows, number, *line, later=chance.random() / 50).returncode)
        kept = list(press.by_book().items())
        assert kept == straight.given[: len(kept)], "what is saved is what came first"
    assert set(codes) <= {-signal.SIGKILL, 143}, "each was ended on its way"
    said = press.isbn(*BULK[1:], code=3).json

    assert said["resumed"]["rows_kept"] >= 120
    assert said["resumed"]["attempt"] == 6
    assert said["rows"] == straight.said["rows"], "the counts are those of the whole run"
    assert sum(said["rows"].values()) - said["rows"]["selected"] == said["rows"]["selected"] == ROWS
    assert press.table(ASSIGNMENTS) == straight.assignments
    assert rejected(said) == straight.rejected
    assert len(rejected(said)) == 1 + said["rows"]["rejected"]
    check_history(press, Counter({said["run_id"]: len(straight.given)}))
    check_none_burnt(press)
    assert press.strays() == []
    again = press.isbn(*BULK[1:], code=3).json
    assert (again["rows"]["unchanged"], again["rows"]["done"], again["saves"]) == (len(straight.given), 0, 0)


@pytest.fixture
def unsaved(press: Press) -> Press:
    """An import was killed whose results are in the ledger, and none of them in the workbook."""
    path = press.path / "config/jobs/isbn-bulk.yaml"
    job = json.loads(path.read_text())
    job["batch"]["checkpoint_frequency"] = 1000
    path.write_text(json.dumps(job))
    press.killed_after(60, *BULK)
    assert press.given() == {}
    return press


def test_a_book_that_is_scheduled_meanwhile_takes_no_number_of_the_run_which_keeps_its_own(
    unsaved: Press, straight: Straight
) -> None:
    given = straight.given
    mine = unsaved.schedule("mine", "--imprint", "Harbour").json["assignment"]["isbn"].replace("-", "")
    other = unsaved.schedule("other", "--imprint", "Meadow").json["assignment"]["isbn"].replace("-", "")
    said = unsaved.isbn(*BULK[1:], code=3).json
    kept = said["resumed"]["rows_kept"]
    assert 60 <= kept < ROWS
    sound_kept = kept - sum(row[-1] != "" for row in rejected(said)[1:])  # those that are wrong come first
    found = unsaved.by_book()
    assert {mine, other} & {number for _, number in given[:sound_kept]} == set()
    assert (found.pop("mine"), found.pop("other")) == (mine, other)
    assert {book: found[book] for book, _ in given[:sound_kept]} == dict(given[:sound_kept])
    assert set(found) == {book for book, _ in given}
    singles = [row["Entry"].rpartition(".")[0] for row in unsaved.histories()]
    runs = Counter(singles)
    assert sorted(runs.values()) == [1, 1, len(given)] and runs[said["run_id"]] == len(given)
    check_history(unsaved, runs)
    check_none_burnt(unsaved)


def test_a_book_of_the_run_itself_gets_the_number_that_the_run_gave_it(unsaved: Press, straight: Straight) -> None:
    given = straight.given
    book, number = given[0]
    row = next(row for row in sound(bookings(ROWS)) if row["book_id"] == book)
    line = ["schedule", "--title", row["title"], "--book-id", book, "--date", row["scheduled_date"], "--book-format",
            row["format"], "--json"]  # fmt: skip
    same = unsaved.isbn(*line).json
    assert (same["outcome"], same["assignment"]["isbn"].replace("-", "")) == ("unchanged", number)
    line[2] = "another title"
    refused = unsaved.isbn(*line, "--update", code=6).json["error"]
    assert "not in the workbook yet" in refused["what"] and "--resume-auto" in refused["advice"]
    assert unsaved.isbn(*BULK[1:], code=3).json["resumed"] is not None
    assert list(unsaved.by_book().items()) == given


def test_an_undo_after_the_resume_frees_all_numbers_and_says_so_in_the_history(unsaved: Press) -> None:
    before = unsaved.run("runs", "undo", "last", "--json")
    assert before.code == 2 and "--resume-auto" in before.json["error"]["advice"]
    run = unsaved.isbn(*BULK[1:], code=3).json["run_id"]
    given = unsaved.given()
    assert len(given) > 180
    undone = unsaved.run("runs", "undo", run, "--json")
    assert undone.code == 0, undone
    assert {number for number, row in unsaved.given().items() if row["Status"] != "available"} == set()
    life: dict[str, list[str]] = {}
    for row in unsaved.histories():
        life.setdefault(row["ISBN"].replace("-", ""), []).append(f"{row['From']} {row['To']}")
    turns = ["None scheduled", "scheduled None"]  # untouched again
    assert set(life) == set(given) and all(steps == turns for steps in life.values())
    check_none_burnt(unsaved)
    assert unsaved.isbn("check", code=None).code == 0


def test_numbers_that_are_due_are_assigned_while_a_run_is_unfinished_and_it_keeps_its_own(
    press: Press, straight: Straight
) -> None:
    given = straight.given
    press.killed_after(100, *BULK)
    saved = press.given()
    assert 0 < len(saved) < len(given)
    due = press.isbn("assign-due", "--until", "2027-12-31", "--json").json
    assert due["rows"]["done"] == len(saved)
    said = press.isbn(*BULK[1:], code=3).json
    assert said["resumed"]["rows_kept"] >= 100
    assert list(press.by_book().items()) == given
    states = {number: row["Status"] for number, row in press.given().items()}
    assert states == {number: "assigned" if number in saved else "scheduled" for _, number in given}
    assert Counter(row["To"] for row in press.histories()) == {"scheduled": len(given), "assigned": len(saved)}
    assert Counter(row["Entry"].rpartition(".")[0] for row in press.histories()) == {
        said["run_id"]: len(given), due["run_id"]: len(saved),
    }  # fmt: skip


@pytest.mark.parametrize("saves", [True, False], ids=["some saved", "none saved"])
def test_a_run_that_is_given_up_keeps_what_is_in_the_workbook_and_burns_nothing(
    press: Press, straight: Straight, saves: bool
) -> None:
    given = straight.given
    if not saves:
        job = json.loads((press.path / "config/jobs/isbn-bulk.yaml").read_text())
        job["batch"]["checkpoint_frequency"] = 1000
        press.write("config/jobs/isbn-bulk.yaml", job)
    press.killed_after(100, *BULK)
    saved = press.by_book()
    cleared = press.run("checkpoints", "clear", "last", "--yes")
    assert cleared.code == 0, cleared
    assert press.by_book() == saved
    assert bool(saved) == saves
    said = press.isbn(*BULK[1:], code=3).json
    assert said["resumed"] is None
    assert (said["rows"]["unchanged"], said["rows"]["done"]) == (len(saved), len(given) - len(saved))
    assert list(press.by_book().items()) == given
    rows = press.histories()
    assert len(rows) == len(given)
    check_none_burnt(press)
