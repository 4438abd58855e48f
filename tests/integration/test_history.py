"""Runs after they ended: what they changed, and taking it back."""

from __future__ import annotations

import signal
import sqlite3

import openpyxl

from tests.integration.helpers import JOB, Folder, interrupted


def test_undo_puts_back_what_a_run_wrote_and_leaves_what_a_person_changed_since(folder: Folder) -> None:
    folder.make_book([1, 2, 3])
    first = folder.run("run", "job.yaml", "--json").json
    book = openpyxl.load_workbook(folder.book)
    book["Data"]["C3"] = 20
    book["Data"]["C4"] = 30
    book.save(folder.book)
    second = folder.run("run", "job.yaml", "--json").json
    assert (second["rows"]["done"], second["rows"]["unchanged"]) == (2, 1)
    book = openpyxl.load_workbook(folder.book)
    book["Data"]["D4"] = "mine"
    book.save(folder.book)

    called = folder.run("runs", "undo", second["run_id"], "--json")
    assert called.code == 0, called.err
    rows = folder.cells()
    assert rows[1][3:5] == ("name 2 has 2", 4)
    assert rows[2][3:5] == ("mine", 6)
    assert rows[0][3:5] == ("name 1 has 1", 2)
    assert "D4" in called.out + called.err

    called = folder.run("runs", "undo", first["run_id"])
    assert called.code == 0, called.err
    assert [row[3] for row in folder.cells()] == [None, None, "mine"]
    assert [row[4] for row in folder.cells()] == [None, None, None]


def test_diff_shows_every_cell_before_and_after(folder: Folder) -> None:
    folder.make_book([1, 2])
    run = folder.run("run", "job.yaml", "--json").json["run_id"]
    changes = folder.run("runs", "diff", run, "--json").json["changes"]
    assert [(c["key"], c["column"], c["before"], c["after"]) for c in changes] == [
        ("K001", "Checked", None, 2),
        ("K001", "Result", None, "name 1 has 1"),
        ("K002", "Checked", None, 4),
        ("K002", "Result", None, "name 2 has 2"),
    ]


def test_a_run_that_changed_nothing_cannot_be_undone_and_says_so(folder: Folder) -> None:
    folder.run("run", "job.yaml")
    run = folder.run("run", "job.yaml", "--json").json
    called = folder.run("runs", "undo", run["run_id"])
    assert called.code == 2
    assert "changed nothing" in called.err


def test_checkpoints_are_listed_valid_and_cleared_and_a_finished_run_has_none(folder: Folder) -> None:
    folder.make_book(range(100, 140))
    interrupted(folder, 23)
    listed = folder.run("checkpoints", "list", "--json").json
    assert listed["error"] is None
    run = folder.run("runs", "list", "--json").json["runs"][0]["run_id"]
    assert folder.run("checkpoints", "validate", run).code == 0
    assert folder.run("checkpoints", "show", run).code == 0
    cleared = folder.run("checkpoints", "clear", "--yes")
    assert cleared.code == 0, cleared.err
    called = folder.run("run", "job.yaml", "--json")
    assert called.code == 0, called.err
    assert called.json["resumed"] is None


def test_backups_are_listed_verified_and_put_back(folder: Folder) -> None:
    folder.make_book([1, 2])
    before = folder.book.read_bytes()
    folder.run("run", "job.yaml")
    listed = folder.run("backups", "list", "book.xlsx", "--json").json["backups"]
    assert len(listed) == 1
    assert folder.run("backups", "verify", "book.xlsx").code == 0
    called = folder.run("backups", "restore", "book.xlsx", listed[0]["name"])
    assert called.code == 0, called.err
    assert folder.book.read_bytes() == before
    assert len(folder.run("backups", "list", "book.xlsx", "--json").json["backups"]) == 2


def test_a_damaged_workbook_names_its_newest_backup_or_is_replaced_by_it_where_configured(folder: Folder) -> None:
    folder.make_book([1, 2])
    folder.run("run", "job.yaml")
    folder.book.write_bytes(folder.book.read_bytes()[:2000])
    called = folder.run("run", "job.yaml", "--start-fresh")
    assert called.code == 5
    assert "backups restore" in called.err
    (folder.path / "config").mkdir()
    (folder.path / "config" / "batchbook.yaml").write_text("backups: {auto_restore: true}\n")
    called = folder.run("run", "job.yaml", "--start-fresh", "--json")
    assert called.code == 0, called.err
    assert "backup" in called.err
    assert [row[3] for row in folder.cells()] == ["name 1 has 1", "name 2 has 2"]


def test_show_tells_the_time_of_each_phase_of_each_attempt_and_that_a_killed_ones_is_unknown(folder: Folder) -> None:
    folder.make_job(batch={**JOB["batch"], "checkpoint_frequency": 1000})  # type: ignore[dict-item]
    interrupted(folder, 7, signal.SIGKILL)
    assert folder.run("run", "job.yaml", "--resume-auto").code == 0
    said = folder.run("runs", "show", "last").out
    first, second = (line for line in said.splitlines() if line.startswith("attempt"))
    assert "it did not end by itself; 5 rows, process 0." in first
    assert first.endswith("no time of ledger and save")
    assert "completed; 7 rows, process" in second
    assert "no time" not in second
    assert second.endswith("rows/s")
    assert any(line.startswith("together: process") for line in said.splitlines())
    shown = folder.run("runs", "show", "last", "--json").json
    assert [one["rows"] for one in shown["attempts"]] == [5, 7]
    assert sum(batch["rows"] for batch in shown["batches"]) == 12
    assert shown["error"] is None


def test_a_pruned_run_is_listed_and_shown_and_its_undo_says_when_it_was_pruned(folder: Folder) -> None:
    old = folder.run("run", "job.yaml", "--json").json["run_id"]
    connection = sqlite3.connect(folder.path / "data" / "checkpoints" / "ledger.db")
    with connection:
        connection.execute("UPDATE runs SET ended = '2020-01-01T00:00:00.000+00:00'")
    connection.close()
    young = folder.run("run", "job.yaml", "--json").json["run_id"]
    for verb in ("undo", "diff"):
        called = folder.run("runs", verb, old)
        assert called.code == 2
        assert f"The details of run {old} were pruned on 20" in called.err
    said = folder.run("runs", "show", old).out
    assert "its details were pruned on" in said
    assert "rows: 12 selected, 12 done" in said
    listed = {run["run_id"]: run["counts"] for run in folder.run("runs", "list", "--json").json["runs"]}
    assert listed == {old: {"done": 12}, young: {"unchanged": 12}}
