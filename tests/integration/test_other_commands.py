"""The verbs beside `run`, over a folder in which something ran."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable

import pytest

from tests.integration.helpers import Folder, command, interrupted


@pytest.fixture
def done(folder: Folder) -> Folder:
    """A folder in which the small job completed once."""
    assert folder.run("run", "job.yaml").code == 0
    return folder


@pytest.fixture
def unfinished(folder: Folder) -> Folder:
    """A folder in which the small job was interrupted."""
    assert interrupted(folder, 6) == 143
    return folder


# --- runs ----------------------------------------------------------------------------------------------------------


def test_runs_are_listed_and_shown(done: Folder) -> None:
    listed = done.run("runs", "list", "--json").json["runs"]
    assert [run["status"] for run in listed] == ["completed"]
    assert "12 done" in done.run("runs", "list").out
    for name in ("last", listed[0]["run_id"], listed[0]["run_id"][:-1]):
        shown = done.run("runs", "show", name, "--json").json
        assert shown["run_id"] == listed[0]["run_id"]
        assert shown["rows"]["done"] == 12
    assert "rows: 12 selected, 12 done" in done.run("runs", "show", "last").out


def test_a_run_that_does_not_exist_is_exit_code_2(done: Folder) -> None:
    called = done.run("runs", "show", "nosuch")
    assert called.code == 2
    assert "The newest runs:" in called.err
    assert done.run("runs", "diff", "nosuch", "--json").json["error"]["code"] == "usage"


def test_where_nothing_ran_that_is_said(new_folder: Callable[[str], Folder]) -> None:
    here = new_folder("empty")
    called = here.run("runs", "list")
    assert called.code == 2
    assert "nothing has run yet" in called.err
    assert [path.name for path in here.path.iterdir()] == ["small_steps.py"]


def test_diff_shows_every_cell_and_undo_takes_it_back(done: Folder) -> None:
    changes = done.run("runs", "diff", "last", "--json").json["changes"]
    assert len(changes) == 24
    assert {change["column"] for change in changes} == {"Result", "Checked"}
    assert "Result: nothing -> 'name 1 has 1'" in done.run("runs", "diff", "last").out
    undone = done.run("runs", "undo", "last", "--json").json
    assert undone["restored"] == 24
    assert all(row[3] is None and row[4] is None for row in done.cells())
    assert done.cells()[0][5] == "note 1"


def test_diff_writes_a_csv_file_and_never_over_a_workbook(done: Folder) -> None:
    (done.path / "changes.csv").write_text("an older one")
    called = done.run("runs", "diff", "last", "--csv", "changes.csv", "--json")
    assert called.code == 0, called.err
    assert called.json == {"csv": str(done.path / "changes.csv"), "written": 24, "error": None}
    lines = (done.path / "changes.csv").read_text(encoding="utf-8-sig").splitlines()
    assert lines[:2] == ['"sheet","row","key","column","before","after"', '"Data",2,"K001","Checked","",2']
    assert len(lines) == 25
    before, there = done.book.read_bytes(), {path.name for path in done.path.iterdir()}
    for file, said in (("book.xlsx", "ends in .csv"), ("changes", "ends in .csv"), ("none/changes.csv", "Make it")):
        refused = done.run("runs", "diff", "last", "--csv", file, "--json")
        assert refused.code == 2
        assert said in refused.json["error"]["advice"]
    assert done.book.read_bytes() == before
    assert {path.name for path in done.path.iterdir()} == there


# --- checkpoints ---------------------------------------------------------------------------------------------------


def test_checkpoints_are_listed_validated_and_cleared(unfinished: Folder) -> None:
    (run,) = unfinished.run("checkpoints", "list", "--json").json["runs"]
    assert run["status"] == "interrupted"
    assert run["run_id"] in unfinished.run("checkpoints", "list").out
    assert unfinished.run("checkpoints", "show").code == 0
    assert unfinished.run("checkpoints", "validate", "--json").json == {
        "run_id": run["run_id"],
        "sound": True,
        "problems": [],
        "error": None,
    }
    refused = unfinished.run("checkpoints", "clear")
    assert refused.code == 2
    assert "--yes" in refused.err
    assert unfinished.run("checkpoints", "clear", "--yes", "--json").json["cleared"] == [run["run_id"]]
    assert "no unfinished run" in unfinished.run("checkpoints", "list").out
    assert unfinished.run("run", "job.yaml").code == 0


def test_clearing_all_is_asked_for_at_a_terminal(unfinished: Folder) -> None:
    assert unfinished.at_terminal("checkpoints", "clear", answers={"[y/N]": "n\n"}).code == 2
    assert unfinished.at_terminal("checkpoints", "clear", answers={"[y/N]": "y\n"}).code == 0
    assert "no unfinished run" in unfinished.run("checkpoints", "list").out


def test_only_an_unfinished_run_is_shown_as_a_checkpoint(unfinished: Folder) -> None:
    (run,) = unfinished.run("checkpoints", "list", "--json").json["runs"]
    job = unfinished.make_job(name="other.yaml", job="other")
    finished = unfinished.run("run", job.name, "--start-fresh", "--json").json["run_id"]
    assert unfinished.run("checkpoints", "show", "--json").json["run_id"] == run["run_id"]
    called = unfinished.run("checkpoints", "show", finished)
    assert called.code == 2
    assert "is not unfinished, but completed" in called.err
    assert f"batchbook runs show {finished}" in called.err


def test_looking_changes_nothing_of_the_ledger_and_needs_no_right_to_write(unfinished: Folder) -> None:
    (run,) = unfinished.run("checkpoints", "list", "--json").json["runs"]
    folder = unfinished.path / "data" / "checkpoints"
    looks = [("runs", "list"), ("runs", "show", "last"), ("runs", "diff", "last"), ("checkpoints", "list"),
             ("checkpoints", "show"), ("checkpoints", "validate")]  # fmt: skip
    before = (folder / "ledger.db").read_bytes()
    for look in looks:
        called = unfinished.run(*look)
        assert called.code == 0, called.err
        assert (folder / "ledger.db").read_bytes() == before, look
    # When a run has completed there is no log to read beside.
    assert unfinished.run("run", "job.yaml", "--resume-auto").code == 0
    before = (folder / "ledger.db").read_bytes()
    folder.chmod(0o500)
    (folder / "ledger.db").chmod(0o400)
    try:
        for look in looks[:4]:
            called = _without_rights(unfinished, *look)
            assert called.returncode == 0, (look, called.stderr)
        called = _without_rights(unfinished, "runs", "undo", run["run_id"])
        assert called.returncode == 1, called.stderr
        assert "do it again" in called.stderr
    finally:
        folder.chmod(0o700)
        (folder / "ledger.db").chmod(0o600)
    assert (folder / "ledger.db").read_bytes() == before


def _without_rights(folder: Folder, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command by somebody who is no root, who may write everywhere."""
    line = [*command(), *arguments]
    if os.getuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root without setpriv can write everywhere")
        line = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *line]
    return subprocess.run(
        line, cwd=folder.path, env=folder._environment({}), capture_output=True, text=True, timeout=60, check=False
    )


def test_there_are_no_checkpoints_after_success(done: Folder) -> None:
    assert "no unfinished run" in done.run("checkpoints", "list").out
    assert done.run("checkpoints", "list", "--json").json["runs"] == []


# --- backups -------------------------------------------------------------------------------------------------------


def test_a_backup_of_the_state_before_is_listed_verified_and_restored(folder: Folder) -> None:
    before = folder.book.read_bytes()
    assert folder.run("run", "job.yaml").code == 0
    after = folder.book.read_bytes()
    backups = folder.run("backups", "list", "book.xlsx", "--json").json["backups"]
    assert backups
    assert backups[-1]["name"] in folder.run("backups", "list", "book.xlsx").out
    assert folder.run("backups", "verify", "book.xlsx").code == 0
    run = folder.run("runs", "list", "--json").json["runs"][0]["run_id"]
    called = folder.run("backups", "restore", "book.xlsx", backups[-1]["name"], "--json")
    assert called.code == 0, called.err
    (lost,) = called.json["lost"]
    assert lost["run_id"] == run
    assert f"{lost['cells']} cells that run {run} of {lost['job']} wrote are no longer in book.xlsx" in called.err
    assert folder.book.read_bytes() == before
    names = [backup["name"] for backup in folder.run("backups", "list", "book.xlsx", "--json").json["backups"]]
    kept = [path.read_bytes() for path in (folder.path / "data" / "backups").rglob("*") if path.name in names]
    assert after in kept


def test_a_damaged_workbook_is_restored_from_its_newest_sound_backup(done: Folder) -> None:
    done.book.write_bytes(b"PK\x03\x04 no more")
    called = done.run("run", "job.yaml", "--start-fresh")
    assert called.code == 5
    assert done.run("backups", "restore", "book.xlsx").code == 0
    assert done.run("run", "job.yaml", "--start-fresh").code == 0


def test_a_backup_that_does_not_exist_is_exit_code_2(done: Folder) -> None:
    called = done.run("backups", "restore", "book.xlsx", "nosuch.xlsx")
    assert called.code == 2
    assert "There are:" in called.err


def test_a_damaged_backup_is_exit_code_5(done: Folder) -> None:
    name = done.run("backups", "list", "book.xlsx", "--json").json["backups"][0]["name"]
    (path,) = (done.path / "data" / "backups").rglob(name)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-40])
    called = done.run("backups", "verify", "book.xlsx")
    assert called.code == 5
    assert "damaged" in called.out


# --- check, unlock, status -----------------------------------------------------------------------------------------


def test_check_says_that_a_workbook_is_sound_or_what_is_wrong(folder: Folder) -> None:
    called = folder.run("check", "book.xlsx")
    assert called.code == 0, called.err
    assert "1 worksheets: Data" in called.out
    folder.book.write_bytes(folder.book.read_bytes()[:3000])
    assert folder.run("check", "book.xlsx").code == 5
    assert folder.run("check", "book.xlsx", "--json").json["checked"][0]["sound"] is False


def test_check_looks_at_the_configuration_its_jobs_and_their_workbooks(new_folder: Callable[[str], Folder]) -> None:
    here = new_folder("here")
    assert here.run("init", ".").code == 0
    called = here.run("check", "--json")
    assert called.code == 0, called.err
    assert [one["kind"] for one in called.json["checked"]] == ["configuration", "job", "workbook"]
    job = here.path / "config" / "jobs" / "example.yaml"
    job.write_text(job.read_text() + "nosuch: 1\nbatch: 5\n")
    called = here.run("check")
    assert called.code == 2
    assert "stands twice" in called.err
    (here.path / "config" / "batchbook.yaml").write_text("timezone: nowhere\n")
    assert "time zone" in here.run("check").err


def test_a_lock_is_broken_only_for_a_reason_and_not_while_its_holder_lives(folder: Folder) -> None:
    process = folder.start("run", "job.yaml", "--start-fresh", TEST_SLEEP="2")
    while not folder.processed():
        assert process.poll() is None, process.communicate()
    assert folder.run("run", "job.yaml", "--resume-auto").code == 4
    assert "locked by process" in folder.run("status").out
    assert folder.run("unlock", "book.xlsx").code == 2
    assert folder.run("unlock", "book.xlsx", "--reason", "impatience").code == 4
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    called = folder.run("unlock", "book.xlsx", "--reason", "it was killed", "--json")
    assert called.code == 0, called.err
    assert called.json["broken"]
    assert not (folder.path / ".book.xlsx.batchbook-lock").exists()
    assert folder.run("run", "job.yaml", "--resume-auto").code == 0
    assert "is not locked" in folder.run("unlock", "book.xlsx", "--reason", "again").out


def test_a_workbook_that_is_not_there_is_not_called_unlocked_but_its_lock_can_be_broken(folder: Folder) -> None:
    called = folder.run("unlock", "typo.xlsx", "--reason", "it was killed", "--json")
    assert (called.code, called.json["error"]["code"]) == (2, "workbook-missing")
    assert "There is no workbook typo.xlsx" in called.err
    folder.book.unlink()
    (folder.path / ".book.xlsx.batchbook-lock").write_text("what a machine that died left")
    called = folder.run("unlock", "book.xlsx", "--reason", "that machine is gone", "--json")
    assert called.code == 0, called.err
    assert called.json["broken"]
    assert not (folder.path / ".book.xlsx.batchbook-lock").exists()


def test_status_tells_what_is_unfinished(unfinished: Folder) -> None:
    called = unfinished.run("status", "--json")
    assert called.code == 0, called.err
    assert [run["status"] for run in called.json["unfinished"]] == ["interrupted"]
    assert "unfinished: 1" in unfinished.run("status").out
    assert unfinished.run("run", "job.yaml", "--resume-auto").code == 0
    assert "unfinished: 0" in unfinished.run("status").out


def test_status_of_a_damaged_ledger_is_exit_code_6(done: Folder) -> None:
    (done.path / "data" / "checkpoints" / "ledger.db").write_bytes(b"nothing of the kind" * 999)
    called = done.run("status", "--json")
    assert (called.code, called.json["error"]["code"]) == (6, "ledger-damaged")


def test_status_where_nothing_ran_leaves_nothing(new_folder: Callable[[str], Folder]) -> None:
    here = new_folder("empty")
    assert here.run("status").code == 0
    assert [path.name for path in here.path.iterdir()] == ["small_steps.py"]


def test_the_sample_is_laid_down_and_its_job_is_right(new_folder: Callable[[str], Folder]) -> None:
    here = new_folder("here")
    called = here.run("init", "--sample", "demo", BATCHBOOK_LINKS__PACKAGE_INDEX="https://index.example/p/")
    assert called.code == 0, called.err
    demo = Folder(here.path / "demo")
    assert demo.run("check").code == 0
    cells = demo.cells("Settings", "data/packages.xlsx")
    assert any(row[1] == "https://index.example/p/" for row in cells)


def test_a_restore_takes_no_link_to_the_workbook_itself_for_an_earlier_state(done: Folder) -> None:
    before = done.cells()[0][3]
    (newest, *_) = (backup["name"] for backup in done.run("backups", "list", "book.xlsx", "--json").json["backups"])
    (kept,) = (done.path / "data" / "backups").rglob(newest)
    stale = kept.with_name(f"29990101T000000.000000Z_{'0' * 16}_before_dead.xlsx")
    stale.hardlink_to(done.book)
    part = kept.with_name(f"{kept.name}.0123abcd.part")
    part.write_bytes(b"half")
    assert before is not None
    assert done.run("backups", "restore", "book.xlsx").code == 0
    assert not stale.exists()
    assert not part.exists()
