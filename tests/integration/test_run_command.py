"""`batchbook run` as a person and as a program calls it."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.helpers import Folder, interrupted

FIELDS = {
    "run_id", "job", "status", "workbook", "output", "rows", "resumed", "batches", "saves", "conflicts", "seconds",
    "peak_rss_bytes", "report", "error",
}  # fmt: skip


def test_a_run_fills_the_columns_and_says_so(folder: Folder) -> None:
    called = folder.run("run", "job.yaml")
    assert called.code == 0, called.err
    assert folder.cells()[0] == ("K001", "name 1", 1, "name 1 has 1", 2, "note 1")
    assert all(row[4] == row[2] * 2 for row in folder.cells())
    lines = called.out.splitlines()
    assert lines[0].startswith("run ")
    assert sum(line.startswith("batch ") for line in lines) == 3
    assert any("rows: 12 selected: 12 done" in line for line in lines)
    assert called.err == ""


def test_json_is_one_object_whatever_the_processor_prints(folder: Folder) -> None:
    steps = folder.path / "small_steps.py"
    steps.write_text("import os\nos.system('echo from a child')\nprint('at import')\n" + steps.read_text())
    called = folder.run("run", "job.yaml", "--json")
    assert called.code == 0, called.err
    assert set(called.json) >= FIELDS
    assert called.json["rows"] == {
        "selected": 12, "done": 12, "unchanged": 0, "rejected": 0, "unknown": 0, "failed": 0, "gone": 0,
    }  # fmt: skip
    assert called.json["status"] == "completed"
    assert called.json["error"] is None
    assert "from a child" in called.err
    assert "at import" in called.err


def test_outcomes_named_in_fail_on_give_exit_code_3(folder: Folder) -> None:
    folder.make_book([1, -1, 13, 17, None])
    called = folder.run("run", "job.yaml", "--json")
    assert called.code == 3
    rows = called.json["rows"]
    assert {name: rows[name] for name in ("done", "unchanged", "rejected", "unknown", "failed")} == dict.fromkeys(
        ("done", "unchanged", "rejected", "unknown", "failed"), 1
    )
    folder.make_job(fail_on=[])
    assert folder.run("run", "job.yaml", "--start-fresh").code == 0


def test_problems_are_shown_with_verbose_and_nothing_with_quiet(folder: Folder) -> None:
    folder.make_book([1, -1])
    assert "[K002] rejected: the amount is negative" in folder.run("run", "job.yaml", "--verbose").out
    called = folder.run("run", "job.yaml", "--quiet")
    assert (called.code, called.out) == (3, "")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=["int", "term", "hup"]
)
def test_an_interrupt_keeps_what_was_done_and_resume_does_the_rest(folder: Folder, number: int, code: int) -> None:
    assert interrupted(folder, 6, number) == code
    done = len([row for row in folder.cells() if row[3] is not None])
    assert done >= 5
    called = folder.run("run", "job.yaml", "--resume-auto", "--json")
    assert called.code == 0, called.err
    assert called.json["resumed"]["rows_kept"] >= 5
    assert called.json["rows"]["done"] == 12
    assert all(row[3] for row in folder.cells())
    assert len(folder.processed()) == len(set(folder.processed())) == 12


def test_without_a_terminal_a_checkpoint_and_no_option_is_exit_code_2(folder: Folder) -> None:
    interrupted(folder, 3)
    called = folder.run("run", "job.yaml")
    assert called.code == 2
    assert "--resume-auto" in called.err
    assert folder.run("run", "job.yaml", "--json").json["error"]["code"] == "choice-needed"
    assert folder.run("run", "job.yaml", "--start-fresh").code == 0
    assert folder.run("run", "job.yaml").code == 0


def test_at_a_terminal_a_person_is_asked(folder: Folder) -> None:
    interrupted(folder, 3)
    called = folder.at_terminal("run", "job.yaml", answers={"Choice [resume]:": "cancel\n"})
    assert called.code == 2
    assert "rows remain" in called.out
    called = folder.at_terminal("run", "job.yaml", answers={"Choice [resume]:": "\n"})
    assert called.code == 0, called.out
    assert all(row[3] for row in folder.cells())
    assert len(folder.processed()) == 12


def test_a_custom_point_can_be_chosen_at_the_terminal(folder: Folder) -> None:
    interrupted(folder, 6)
    before = len(folder.processed())
    called = folder.at_terminal("run", "job.yaml", answers={"Choice [resume]:": "row\n", "Number of the row": "3\n"})
    assert called.code == 0, called.out
    assert sorted(folder.processed()[before:]) == [f"K{n:03d}" for n in range(3, 13)]


def test_ctrl_c_at_the_question_leaves_everything_as_it_is(folder: Folder) -> None:
    interrupted(folder, 3)
    state = folder.book.read_bytes()
    called = folder.at_terminal("run", "job.yaml", answers={"Choice [resume]:": "\x03"})
    assert called.code == 130
    assert folder.book.read_bytes() == state
    assert folder.run("run", "job.yaml", "--resume-auto").code == 0


def test_a_resume_option_never_asks_even_at_a_terminal(folder: Folder) -> None:
    interrupted(folder, 3)
    assert folder.at_terminal("run", "job.yaml", "--resume-auto", answers={}).code == 0


def test_the_output_is_a_copy_and_the_workbook_stays(folder: Folder) -> None:
    state = folder.book.read_bytes()
    called = folder.run("run", "job.yaml", "--output", "out.xlsx", "--json")
    assert called.code == 0, called.err
    assert folder.book.read_bytes() == state
    assert called.json["output"] == str(folder.path / "out.xlsx")
    assert all(row[3] for row in folder.cells(name="out.xlsx"))


def test_a_path_on_the_command_line_counts_from_where_the_person_stands(folder: Folder) -> None:
    (folder.path / "below").mkdir()
    inside = Folder(folder.path / "below")
    called = inside.run("run", "../job.yaml", "--output", "out.xlsx")
    assert called.code == 0, called.err
    assert (folder.path / "below" / "out.xlsx").is_file()


def test_a_dry_run_shows_and_writes_nothing(folder: Folder) -> None:
    state = folder.book.read_bytes()
    called = folder.run("run", "job.yaml", "--dry-run")
    assert called.code == 0, called.err
    assert "would change Data!D2 [K001] Result: nothing -> 'name 1 has 1'" in called.out
    assert folder.book.read_bytes() == state
    assert "nothing was written" in called.out
    assert folder.run("run", "job.yaml", "--dry-run", "--json").json["status"] == "dry_run"


@pytest.mark.parametrize(
    ("options", "keys"),
    [
        (("--start-row", "3", "--end-row", "4"), ["K002", "K003"]),
        (("--keys", "K005,K001"), ["K001", "K005"]),
        (("--resume-from-row", "11"), ["K011", "K012"]),
        (("--resume-from-package", "12"), ["K012"]),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_rows_can_be_chosen(folder: Folder, options: tuple[str, ...], keys: list[str]) -> None:
    called = folder.run("run", "job.yaml", *options)
    assert called.code == 0, called.err
    assert sorted(folder.processed()) == keys


def test_only_the_failed_rows_of_a_run_can_be_done_again(folder: Folder) -> None:
    folder.make_book([1, 13, 2])
    first = folder.run("run", "job.yaml", "--json")
    assert first.code == 3
    called = folder.run("run", "job.yaml", "--only-failed", first.json["run_id"], "--json")
    assert called.json["rows"]["selected"] == 1
    assert folder.processed()[-1] == "K002"


def test_overrides_win_over_the_job_file_and_the_environment(folder: Folder) -> None:
    called = folder.run("run", "job.yaml", "--batch-size", "6", "--json", BATCHBOOK_BATCH__SIZE="12")
    assert called.json["batches"] == 2
    called = folder.run("run", "job.yaml", "--json", BATCHBOOK_BATCH__SIZE="12")
    assert called.json["batches"] == 1


def test_a_size_out_of_range_goes_on_as_fixed_with_a_warning(folder: Folder) -> None:
    called = folder.run("run", "job.yaml", "--batch-size", "500", "--json")
    assert called.code == 0
    assert "batch.size is 500" in called.err


def test_everything_wrong_with_a_job_is_said_at_once(folder: Folder) -> None:
    folder.make_job(bacth={"size": 3}, header_row="3", resume_max_age=5)
    called = folder.run("run", "job.yaml", "--json")
    assert called.code == 2
    assert len(called.json["error"]["findings"]) == 3
    assert "did you mean 'batch'" in called.err


def test_a_missing_header_is_exit_code_2_and_nothing_is_written(folder: Folder) -> None:
    folder.make_job(writes=["Result", "Nowhere"])
    state = folder.book.read_bytes()
    called = folder.run("run", "job.yaml")
    assert called.code == 2
    assert "Nowhere" in called.err
    assert folder.book.read_bytes() == state


def test_a_file_that_is_no_workbook_is_exit_code_5(folder: Folder) -> None:
    folder.book.write_bytes(b"PK\x03\x04 not really")
    called = folder.run("run", "job.yaml", "--json")
    assert called.code == 5
    assert called.json["error"]["code"].startswith("workbook")


def test_a_workbook_that_somebody_has_open_is_exit_code_4(folder: Folder) -> None:
    (folder.path / ".~lock.book.xlsx#").write_text(",ann,desk,21.11.2026 10:00,file:///home/ann;")
    called = folder.run("run", "job.yaml")
    assert called.code == 4
    assert "ann" in called.err


def test_nothing_is_left_beside_the_workbook(folder: Folder) -> None:
    folder.run("run", "job.yaml")
    left = {path.name for path in folder.path.iterdir()} - {"__pycache__"}
    assert left == {"book.xlsx", "job.yaml", "small_steps.py", "data"}


def test_the_log_says_what_went_wrong_and_what_to_do(folder: Folder) -> None:
    folder.book.unlink()
    assert folder.run("run", "job.yaml").code == 2
    assert "book.xlsx" in (folder.path / "data" / "logs" / "batchbook.log").read_text()


def test_output_into_a_closed_pipe_does_not_stop_a_run(folder: Folder) -> None:
    process = folder.start("run", "job.yaml", TEST_SLEEP="0.05")
    assert process.stdout is not None
    process.stdout.close()
    process.wait(timeout=60)
    assert all(row[3] for row in folder.cells())


def test_a_folder_laid_down_by_init_runs(tmp_path: Path, new_folder: Callable[[str], Folder]) -> None:
    here = new_folder("here")
    assert here.run("init", "fresh").code == 0
    made = Folder(here.path / "fresh")
    called = made.run("run", "config/jobs/example.yaml", "--json")
    assert called.code == 0, called.err
    assert called.json["rows"]["done"] == 12
    assert made.cells("Orders", "data/example.xlsx")[0][3] is not None
    again = here.run("init", "fresh")
    assert again.code == 2
    assert "nothing was written" in again.err
