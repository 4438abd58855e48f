from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from batchbook.errors import WorkbookUnreadable
from batchbook.storage import files, leftovers
from batchbook.storage.backups import BackupStore
from batchbook.storage.edit import edit_workbook
from batchbook.storage.ledger import Ledger, RunRecord
from batchbook.storage.leftovers import sweep
from batchbook.storage.lock import lock_path, read_lock
from batchbook.storage.lockfile import own_info, packed
from batchbook.storage.savelog import SaveLog, open_intents, saves_of
from batchbook.storage.saver import AtomicSaver
from batchbook.storage.settling import settle_dead_holder, settle_intents
from tests.storage.helpers import Crash, FaultyOperations, make_workbook, value, writing


def ledger_with_run(path: Path, workbook: Path) -> tuple[Ledger, SaveLog]:
    ledger = Ledger.open(path)
    run = RunRecord(
        id="run-1", job="j", workbook=ledger.name_of(workbook), source="", sheet="Data", definition="", processor="",
        reference={}, settings={}, started="2026-11-21T12:00:00+00:00", active="", ended=None, status="running",
        selected=0, selection_hash="", digest="", note="", summary=None,
    )  # fmt: skip
    with ledger.transaction():
        ledger.add_run(run)
    return ledger, SaveLog(ledger, "run-1", ledger.name_of(workbook), lambda: "2026-11-21T12:00:00+00:00")


def crash_in_save(workbook: Path, path: Path, k: int) -> int:
    """A save that dies at its k-th file operation; gives how many operations there were."""
    ledger, log = ledger_with_run(path, workbook)
    ops = FaultyOperations(k, Crash)
    with ledger, pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "ops", ops)
        saver = AtomicSaver(workbook, log, BackupStore(path.parent / "backups", workbook), "run-1")
        with suppress(Crash):
            saver.save(None, writing("by the dead"), full_verify=False, backup_kind="before")
    return ops.count


def test_a_save_that_died_after_the_replace_is_settled_as_saved(workbook: Path, tmp_path: Path) -> None:
    count = crash_in_save(workbook.with_name("book.xlsx"), tmp_path / "calm" / "ledger.db", 0)
    assert count > 5
    path = tmp_path / "ledger.db"
    crash_in_save(workbook, path, count)
    with Ledger.open(path) as ledger:
        assert len(open_intents(ledger, ledger.name_of(workbook))) == 1
        assert settle_intents(ledger, workbook) == 1
        assert [save.state for save in saves_of(ledger, "run-1")] == ["saved"]
        assert settle_intents(ledger, workbook) == 0


def test_where_the_record_of_a_save_is_damaged_what_somebody_saved_in_its_last_moment_is_put_back_all_the_same(
    workbook: Path, tmp_path: Path
) -> None:
    class LastMoment(files.Operations):
        def exchange(self, one: Path, other: Path) -> None:
            make_workbook(workbook.with_name("theirs.xlsx"), 3).replace(workbook)
            super().exchange(one, other)
            raise Crash

    ledger, log = ledger_with_run(tmp_path / "ledger.db", workbook)
    with ledger, pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "ops", LastMoment())
        patch.setattr("batchbook.storage.saver.put_old_away", lambda *_: None)
        with suppress(Crash):
            AtomicSaver(workbook, log, None, "run-1").save(None, writing("ours"), full_verify=False, backup_kind=None)
        patch.undo()
        ledger.execute("UPDATE saves SET at = 'x'")
        settle_intents(ledger, workbook)
        sweep(workbook, BackupStore(tmp_path / "kept", workbook))
        assert [save.state for save in saves_of(ledger, "run-1")] == ["damaged"]
    assert (value(workbook, "A3"), value(workbook, "C1")) == (3, None)
    assert [path.name for path in workbook.parent.iterdir()] == ["book.xlsx"]


def test_an_edit_first_settles_what_a_dead_run_left_open(workbook: Path, tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    count = crash_in_save(workbook, tmp_path / "calm" / "ledger.db", 0)
    crash_in_save(workbook, path, count)
    dead = replace(own_info("run-1", path), pid=2**22 + 5)
    lock_path(workbook).write_bytes(packed(dead))
    edit_workbook(workbook, workbook, {"Data": {"C2": "by the living"}}, wait=0)
    with Ledger.open(path) as ledger:
        assert [save.state for save in saves_of(ledger, "run-1")] == ["saved"]
    assert (value(workbook, "C1"), value(workbook, "C2")) == ("by the dead", "by the living")
    assert read_lock(workbook) is None


def test_a_ledger_that_is_gone_or_broken_is_no_obstacle(workbook: Path, tmp_path: Path) -> None:
    told: list[str] = []
    info = own_info("run-1", tmp_path / "none.db")
    settle_dead_holder(workbook, info, warn=told.append)
    assert not (tmp_path / "none.db").exists()
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"no database" * 100)
    settle_dead_holder(workbook, own_info("run-1", broken), warn=told.append)
    assert len(told) == 1
    assert "cannot be settled" in told[0]
    assert broken.read_bytes() == b"no database" * 100


def test_a_workbook_that_cannot_be_read_leaves_the_save_open(workbook: Path, tmp_path: Path) -> None:
    path = tmp_path / "state" / "ledger.db"
    ledger, log = ledger_with_run(path, workbook)
    with ledger, pytest.MonkeyPatch.context() as patch:
        log.intend("old", "new", ".x.batchbook-tmp")

        def unreadable(_: Path) -> str:
            raise WorkbookUnreadable("the disk", "look at it")

        patch.setattr(leftovers, "digest_of", unreadable)
        with pytest.raises(WorkbookUnreadable):
            settle_intents(ledger, workbook)
        assert len(open_intents(ledger, ledger.name_of(workbook))) == 1
