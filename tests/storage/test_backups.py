from __future__ import annotations

import datetime as dt
import errno
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

import pytest

from batchbook.errors import SaveFailed, WorkbookDamaged
from batchbook.storage import files
from batchbook.storage.backups import BackupStore
from batchbook.storage.saver import WorkbookChanged
from batchbook.storage.temporary import Temporary
from batchbook.xlsx import digest_of
from tests.storage.helpers import Crash, FaultyOperations, make_workbook, names, value

NO_LINKS = {"clone": errno.EOPNOTSUPP, "link": errno.EXDEV}


class Clock:
    def __init__(self) -> None:
        self.now = dt.datetime(2026, 11, 1, 12, tzinfo=dt.UTC)

    def __call__(self) -> dt.datetime:
        return self.now


@pytest.fixture
def store(workbook: Path, tmp_path: Path) -> BackupStore:
    return BackupStore(tmp_path / "backups", workbook, clock=Clock())


def change(workbook: Path, rows: int) -> str:
    """Another content under the same name, by a new file as a save makes it."""
    make_workbook(workbook.with_name("new"), rows).replace(workbook)
    return digest_of(workbook)


def test_a_backup_holds_the_content_and_says_when_and_for_which_run(store: BackupStore, workbook: Path) -> None:
    digest = digest_of(workbook)
    backup = store.take(digest, "20261121-1148 job/x", "before")
    assert backup is not None
    assert backup.path.read_bytes() == workbook.read_bytes()
    assert backup.path.name == f"20261101T120000.000000Z_{digest[:16]}_before_20261121-1148-job-x.xlsx"
    assert (backup.digest, backup.kind, backup.fresh) == (digest[:16], "before", True)
    assert store.list() == [backup]
    assert store.list()[0].fresh is False
    assert store.verify(backup) == []
    assert store.of(digest) == backup
    assert store.of("0" * 64) is None


def test_the_same_content_is_not_kept_twice(store: BackupStore, workbook: Path) -> None:
    digest = digest_of(workbook)
    first = store.take(digest, "a", "before")
    for _ in range(5):
        again = store.take(digest, "b", "before")
        assert again == first
        assert again is not None
        assert not again.fresh
    assert len(store.list()) == 1


def test_a_backup_of_another_content_than_was_said_is_not_kept(store: BackupStore) -> None:
    with pytest.raises(WorkbookChanged):
        store.take("0" * 64, "a", "before")
    assert store.list() == []


def test_without_a_workbook_there_is_nothing_to_keep(store: BackupStore, workbook: Path) -> None:
    workbook.unlink()
    assert store.take("0" * 64, "a", "before") is None


def test_a_hard_link_leaves_the_permissions_alone_and_a_copy_keeps_them(
    store: BackupStore, workbook: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for refuse, linked in (({"clone": errno.EOPNOTSUPP}, True), (NO_LINKS, False)):
        workbook.chmod(0o640)
        ops = FaultyOperations(0, 0, refuse=refuse)
        monkeypatch.setattr(files, "ops", ops)
        backup = store.take(change(workbook, 3 if linked else 4), "a", "before")
        assert backup is not None
        assert backup.path.samefile(workbook) is linked
        assert ("chmod" in ops.names) is not linked
        assert stat.S_IMODE(backup.path.stat().st_mode) == stat.S_IMODE(workbook.stat().st_mode)
    assert len(names(store.folder)) == 2


def test_where_the_file_system_can_share_content_a_backup_is_a_file_of_its_own(
    store: BackupStore, workbook: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Sharing(FaultyOperations):
        def clone(self, source: int, target: int) -> None:
            os.write(target, os.pread(source, 1 << 20, 0))

    workbook.chmod(0o640)
    ops = Sharing(0, 0)
    monkeypatch.setattr(files, "ops", ops)
    backup = store.take(digest_of(workbook), "a", "before")
    assert backup is not None
    assert not backup.path.samefile(workbook)
    assert stat.S_IMODE(backup.path.stat().st_mode) == 0o640
    assert "link" not in ops.names
    assert "write" not in ops.names
    assert store.verify(backup) == []


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a second file system")
def test_on_another_file_system_backups_are_copies(workbook: Path) -> None:
    other = Path("/dev/shm") / f"batchbook-test-{os.getpid()}"
    try:
        store = BackupStore(other, workbook)
        backup = store.take(digest_of(workbook), "a", "before")
        assert backup is not None
        assert backup.path.stat().st_dev != workbook.stat().st_dev
        assert store.verify(backup) == []
        change(workbook, 3)
        store.restore(backup)
        assert digest_of(workbook)[:16] == backup.digest
    finally:
        shutil.rmtree(other, ignore_errors=True)


def test_a_backup_into_which_a_program_wrote_is_not_trusted(store: BackupStore, workbook: Path) -> None:
    digest = digest_of(workbook)
    backup = store.take(digest, "a", "before")
    assert backup is not None
    other = make_workbook(workbook.with_name("other.xlsx"), 3).read_bytes()
    with workbook.open("r+b") as opened:
        opened.truncate()
        opened.write(other)
    if not backup.path.samefile(workbook):
        pytest.skip("no hard links here")
    assert "wrote into it" in store.verify(backup)[0].message
    assert store.newest_valid() is None
    again = store.take(digest_of(workbook), "a", "before")
    assert again is not None
    assert again.fresh


def test_a_clock_that_was_set_back_does_not_hide_the_newest(workbook: Path, tmp_path: Path) -> None:
    clock = Clock()
    store = BackupStore(tmp_path / "backups", workbook, clock=clock)
    store.take(digest_of(workbook), "a", "before")
    clock.now -= dt.timedelta(days=400)
    newest = store.take(change(workbook, 3), "b", "before")
    assert store.list()[0] == newest


def test_the_newest_sound_backup_is_found_behind_damaged_ones(store: BackupStore, workbook: Path) -> None:
    sound = store.take(digest_of(workbook), "a", "before")
    newer = store.take(change(workbook, 3), "b", "before")
    assert newer is not None
    newer.path.unlink()
    newer.path.write_bytes(b"PK")
    assert store.newest_valid() == sound
    assert store.verify(newer) != []
    newer.path.unlink()
    assert store.verify(newer) != []


def test_restoring_keeps_what_is_there_now_first(store: BackupStore, workbook: Path) -> None:
    workbook.chmod(0o640)
    old = store.take(digest_of(workbook), "a", "before")
    assert old is not None
    workbook.chmod(0o600)
    present = change(workbook, 3)
    kept = store.restore(old)
    assert kept is not None
    assert kept.digest == present[:16]
    assert digest_of(workbook)[:16] == old.digest
    assert value(workbook, "A8") == 8
    assert not workbook.samefile(old.path)
    assert len(store.list()) == 2
    assert store.verify(old) == store.verify(kept) == []
    assert names(workbook.parent) == {"book.xlsx"}


def test_restoring_over_a_damaged_workbook_keeps_even_that(store: BackupStore, workbook: Path) -> None:
    old = store.take(digest_of(workbook), "a", "before")
    assert old is not None
    workbook.unlink()
    workbook.write_bytes(b"half a file")
    kept = store.restore(old)
    assert kept is not None
    assert kept.kind == "damaged"
    assert kept.path.read_bytes() == b"half a file"
    assert store.newest_valid() == old
    assert value(workbook, "A8") == 8


def test_restoring_brings_back_a_workbook_that_is_gone(store: BackupStore, workbook: Path) -> None:
    workbook.chmod(0o640)
    old = store.take(digest_of(workbook), "a", "before")
    assert old is not None
    workbook.unlink()
    assert store.restore(old) is None
    assert value(workbook, "A8") == 8
    assert stat.S_IMODE(workbook.stat().st_mode) == 0o640


@pytest.mark.parametrize("present", ["sound", "damaged", "gone"])
def test_what_a_person_saves_during_a_restore_is_not_lost(
    store: BackupStore, workbook: Path, monkeypatch: pytest.MonkeyPatch, present: str
) -> None:
    old = store.take(digest_of(workbook), "a", "before")
    assert old is not None
    workbook.unlink()
    if present == "sound":
        make_workbook(workbook, 3)
    elif present == "damaged":
        workbook.write_bytes(b"half a file")
    sync = Temporary.sync

    def sync_while_a_person_saves(temporary: Temporary) -> None:
        sync(temporary)
        change(workbook, 5)

    monkeypatch.setattr(Temporary, "sync", sync_while_a_person_saves)
    with pytest.raises(WorkbookChanged):
        store.restore(old)
    assert value(workbook, "A5") == 5
    assert value(workbook, "A6") is None
    assert names(workbook.parent) == {"book.xlsx"}


def test_a_damaged_backup_is_not_restored(store: BackupStore, workbook: Path) -> None:
    backup = store.take(digest_of(workbook), "a", "before")
    assert backup is not None
    backup.path.unlink()
    backup.path.write_bytes(b"PK")
    before = workbook.read_bytes()
    with pytest.raises(WorkbookDamaged, match="not sound"):
        store.restore(backup)
    assert workbook.read_bytes() == before


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EIO, Crash, KeyboardInterrupt])
def test_whatever_fails_in_a_restore_the_workbook_is_old_or_new(tmp_path: Path, fault) -> None:
    k, ended = 0, False
    while not ended:
        k += 1
        folder = tmp_path / str(k)
        folder.mkdir()
        workbook = make_workbook(folder / "book.xlsx")
        store = BackupStore(tmp_path / f"backups{k}", workbook)
        old = store.take(digest_of(workbook), "a", "before")
        assert old is not None
        present = change(workbook, 3)
        ops = FaultyOperations(k, fault)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(files, "ops", ops)
            with suppress(SaveFailed, Crash, KeyboardInterrupt):
                store.restore(old)
            ended = ops.count < k
        assert digest_of(workbook)[:16] in (old.digest, present[:16])
        if fault is not Crash:
            assert names(folder) == {"book.xlsx"}
    assert k > 5


def test_a_backup_that_still_is_the_live_file_is_dropped(store: BackupStore, workbook: Path) -> None:
    kept = store.take(digest_of(workbook), "a", "before")
    assert kept is not None
    live = not kept.path.samefile(workbook)
    change(workbook, 3)
    stray = store.take(digest_of(workbook), "b", "checkpoint")
    assert stray is not None
    if live or not stray.path.samefile(workbook):
        pytest.skip("no hard links here")
    (store.folder / f"{stray.path.name}.0a0a0a0a.part").write_text("")
    assert store.drop_live_links() == [stray]
    assert store.list() == [kept]
    assert len(names(store.folder)) == 1


def test_pruning_keeps_ten_and_one_a_day_and_what_is_protected(workbook: Path, tmp_path: Path) -> None:
    clock = Clock()
    store = BackupStore(tmp_path / "backups", workbook, keep=3, keep_daily_days=2, clock=clock)
    taken = []
    for number in range(12):
        taken.append(store.take(change(workbook, number + 1), f"run-{number}", "before"))
        clock.now += dt.timedelta(hours=12)
    store.prune(protected=[taken[0]])
    kept = store.list()
    assert taken[0] in kept
    assert kept[:3] == [taken[11], taken[10], taken[9]]
    assert len(kept) <= 3 + 2 + 1


def test_only_the_latest_checkpoint_of_each_run_is_kept(store: BackupStore, workbook: Path) -> None:
    taken = []
    for number, run in enumerate(["a", "a", "b", "a", "b"]):
        taken.append(store.take(change(workbook, number + 1), run, "checkpoint"))
    assert store.prune() == [taken[2], taken[1], taken[0]]
    assert store.list() == [taken[4], taken[3]]


def test_workbooks_of_one_name_do_not_share_backups(tmp_path: Path) -> None:
    stores = []
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        workbook = make_workbook(tmp_path / name / "book.xlsx")
        stores.append(BackupStore(tmp_path / "backups", workbook))
        stores[-1].take(digest_of(workbook), name, "before")
    assert [len(store.list()) for store in stores] == [1, 1]


def test_a_project_that_is_moved_as_a_whole_keeps_its_backups(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    workbook = make_workbook(tmp_path / "one" / "book.xlsx")
    BackupStore(tmp_path / "one" / "data", workbook).take(digest_of(workbook), "r", "before")
    (tmp_path / "one").rename(tmp_path / "two")
    assert len(BackupStore(tmp_path / "two" / "data", tmp_path / "two" / "book.xlsx").list()) == 1


def test_other_files_in_the_folder_are_left_alone(store: BackupStore, workbook: Path) -> None:
    assert store.list() == []
    store.take(digest_of(workbook), "a", "before")
    (store.folder / "notes.txt").write_text("")
    (store.folder / "20261399T999999.000000Z_0123456789abcdef_before_x.xlsx").write_text("")
    assert len(store.list()) == 1
    store.prune()
    assert (store.folder / "notes.txt").exists()
