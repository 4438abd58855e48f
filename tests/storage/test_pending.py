"""Pending saves: made, published and taken back, with every file operation failing in turn."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from batchbook.errors import CannotSave, SaveFailed
from batchbook.storage import files
from batchbook.storage.backups import BackupStore
from batchbook.storage.ledger import PENDING, Ledger
from batchbook.storage.leftovers import sweep
from batchbook.storage.pending import SettledPending, pending_runs, settle_pending
from batchbook.storage.pendingfile import pending_path
from batchbook.storage.runlog import RunLog
from batchbook.storage.savelog import Change, SaveLog, pending_saves, saves_of
from batchbook.storage.saver import AtomicSaver
from batchbook.storage.settling import settle_intents
from batchbook.xlsx import digest_of, inspect
from tests.storage.helpers import Crash, FaultyOperations, make_workbook, names, value, writing
from tests.storage.ledgers import begin, commit

ERRNOS = [errno.ENOSPC, errno.EIO, errno.EACCES]
FAULTS = [*ERRNOS, Crash, KeyboardInterrupt]
BOOK, FILE = "book.xlsx", "book.xlsx.batchbook-pending"


def name_of(fault: object) -> str:
    return errno.errorcode[fault] if isinstance(fault, int) else getattr(fault, "__name__", str(fault))


class Scene:
    """A workbook, a ledger with a run of one row that is done, and the save of that."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "books"
        self.folder.mkdir(parents=True)
        self.workbook = make_workbook(self.folder / BOOK)
        self.file = pending_path(self.workbook)
        self.backups = BackupStore(root / "backups", self.workbook)
        self.old = digest_of(self.workbook)
        self.ledger = Ledger.open(root / "ledger.db")
        self.name = self.ledger.name_of(self.workbook)
        self.log: RunLog = begin(self.ledger, rows=1, workbook=self.name, digest=self.old)
        commit(self.log, 1)

    def put_by(self) -> str:
        saves = SaveLog(self.ledger, "run1", self.name, lambda: "now")
        saves.clear_plan()
        saves.plan([Change("Data", '["K1"]', 1, '{"Result":null}', '{"Result":"new"}')])
        saves.plan_outcomes(self.log.seq)
        digest = AtomicSaver(self.workbook, saves, self.backups, "run1").put_by(self.old, writing("new")).digest
        with self.ledger.transaction():
            self.ledger.update_run("run1", status=PENDING, summary={"status": "completed"})
        return digest

    def settle(self) -> list[SettledPending]:
        settle_intents(self.ledger, self.workbook)
        found = settle_pending(self.ledger, self.workbook, self.backups)
        sweep(self.workbook)
        return found

    @property
    def status(self) -> str:
        run = self.ledger.run("run1")
        assert run is not None
        return run.status

    @property
    def states(self) -> list[str]:
        return [save.state for save in saves_of(self.ledger, "run1")]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "one")


def operations(root: Path, publish: bool) -> int:
    calm = Scene(root)
    ops = FaultyOperations(0, 0)
    with pytest.MonkeyPatch.context() as patch:
        if publish:
            calm.put_by()
        patch.setattr(files, "ops", ops)
        if publish:
            calm.settle()
        else:
            calm.put_by()
    return ops.count


@pytest.mark.parametrize("fault", FAULTS, ids=name_of)
def test_whatever_operation_fails_there_is_no_pending_file_or_a_whole_one(tmp_path: Path, fault: object) -> None:
    count = operations(tmp_path / "calm", publish=False)
    assert count >= 5
    for k in range(1, count + 1):
        one = Scene(tmp_path / f"{k}")
        before = one.workbook.read_bytes()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(files, "ops", FaultyOperations(k, fault))  # type: ignore[arg-type]
            try:
                one.put_by()
            except (SaveFailed, Crash, KeyboardInterrupt) as error:
                assert isinstance(error, SaveFailed) == isinstance(fault, int)
        assert one.workbook.read_bytes() == before
        if one.file.exists():
            assert inspect(one.file) == []
            assert pending_saves(one.ledger, one.name)[0].new == digest_of(one.file)
        if fault is not Crash:
            assert names(one.folder) <= {BOOK, FILE}, k
        one.settle()
        assert names(one.folder) == {BOOK}
        published = value(one.workbook, "C1") == "new"
        assert one.states in ([], ["saved" if published else "abandoned"])
        assert one.log.unsaved() == (0 if published else 1)
        one.ledger.close()


@pytest.mark.parametrize("fault", FAULTS, ids=name_of)
def test_whatever_operation_fails_while_it_is_published_the_next_start_publishes_it(
    tmp_path: Path, fault: object
) -> None:
    count = operations(tmp_path / "calm", publish=True)
    assert count >= 5
    for k in range(1, count + 1):
        one = Scene(tmp_path / f"{k}")
        new = one.put_by()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(files, "ops", FaultyOperations(k, fault))  # type: ignore[arg-type]
            try:
                one.settle()
            except (SaveFailed, Crash, KeyboardInterrupt) as error:
                assert isinstance(error, SaveFailed) == isinstance(fault, int)
        assert digest_of(one.workbook) in (one.old, new)
        assert one.file.exists() or digest_of(one.workbook) == new, k
        one.settle()
        assert digest_of(one.workbook) == new
        assert names(one.folder) == {BOOK}
        assert (one.states, one.status, one.log.unsaved()) == (["saved"], "completed", 0)
        (backup,) = one.backups.list()
        assert backup.digest == one.old[:16]
        assert one.backups.verify(backup) == []
        one.ledger.close()


def test_it_waits_while_the_workbook_is_open_and_keeps_its_permissions(scene: Scene) -> None:
    new = scene.put_by()
    mark = scene.folder / ".~lock.book.xlsx#"
    mark.write_text(",ann,desk,21.11.2026 10:00,p;")
    assert scene.settle() == [SettledPending("run1", "waiting")]
    assert (scene.status, pending_runs(scene.ledger, scene.name)) == (PENDING, ["run1"])
    scene.workbook.chmod(0o640)
    mark.unlink()
    assert scene.settle() == [SettledPending("run1", "published")]
    assert digest_of(scene.workbook) == new
    assert scene.workbook.stat().st_mode & 0o777 == 0o640
    assert scene.settle() == []


def test_a_workbook_that_changed_takes_it_back_and_the_results_count_as_not_saved(scene: Scene) -> None:
    scene.put_by()
    make_workbook(scene.workbook, rows=3)
    assert scene.settle() == [SettledPending("run1", "taken back")]
    assert (scene.states, scene.log.unsaved(), scene.status) == (["abandoned"], 1, PENDING)
    assert names(scene.folder) == {BOOK}


def test_a_change_in_the_last_moment_before_the_replace_takes_it_back(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.put_by()
    real = scene.backups.take

    def changed(*values: object) -> object:
        kept = real(*values)  # type: ignore[arg-type]
        scene.workbook.unlink()
        make_workbook(scene.workbook, rows=3)
        return kept

    monkeypatch.setattr(scene.backups, "take", changed)
    assert scene.settle() == [SettledPending("run1", "taken back")]
    assert value(scene.workbook, "C1") is None
    assert scene.log.unsaved() == 1


def test_a_remnant_of_ours_goes_and_a_file_of_others_is_named(scene: Scene) -> None:
    scene.put_by()
    content = scene.file.read_bytes()
    make_workbook(scene.workbook, rows=3)
    scene.settle()
    scene.file.write_bytes(content)
    scene.settle()
    assert not scene.file.exists()
    theirs = make_workbook(scene.file.with_name("theirs.xlsx"), rows=5).rename(scene.file).read_bytes()
    said: list[str] = []
    settle_pending(scene.ledger, scene.workbook, scene.backups, said.append)
    assert "not known here" in said[0]
    make_workbook(scene.workbook)
    with pytest.raises(CannotSave, match="already"):
        scene.put_by()
    assert scene.file.read_bytes() == theirs
    assert names(scene.folder) == {BOOK, FILE}


@pytest.mark.parametrize("record", ["sound", "damaged"])
def test_a_pending_file_that_was_damaged_becomes_a_backup_and_makes_way(scene: Scene, record: str) -> None:
    scene.put_by()
    scene.file.write_bytes(scene.file.read_bytes()[:700])
    if record == "damaged":
        scene.ledger.execute("UPDATE saves SET at = 'x'")
    said: list[str] = []
    (found,) = settle_pending(scene.ledger, scene.workbook, scene.backups, said.append)
    assert (found.fate, found.why) == (
        "taken back",
        "the pending file is damaged" if record == "sound" else "its record in the ledger is damaged",
    )
    assert [one.path.stat().st_size for one in scene.backups.list() if one.kind == "damaged"] == [700]
    scene.put_by()


def test_what_somebody_saved_while_a_waiting_save_was_published_is_kept_though_its_record_is_damaged(
    scene: Scene,
) -> None:
    scene.put_by()
    make_workbook(scene.file.with_name("theirs.xlsx"), rows=5).replace(scene.file)
    scene.ledger.execute("UPDATE saves SET at = 'x'")
    scene.settle()
    assert [value(one.path, "A5") for one in scene.backups.list()] == [5]
    assert not scene.file.exists()


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs links")
def test_the_pending_file_of_a_link_lies_beside_the_file_itself(scene: Scene, tmp_path: Path) -> None:
    link = tmp_path / "link.xlsx"
    link.symlink_to(scene.workbook)
    assert pending_path(link) == scene.file


def test_what_somebody_saves_in_the_moment_of_the_publishing_stays(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    class LastMoment(files.Operations):
        def exchange(self, one: Path, other: Path) -> None:
            if not theirs:
                theirs.append(make_workbook(scene.folder / "theirs", rows=20).read_bytes())
                (scene.folder / "theirs").replace(scene.workbook)
            super().exchange(one, other)

    theirs: list[bytes] = []
    scene.put_by()
    with monkeypatch.context() as patch:
        patch.setattr(files, "ops", LastMoment())
        assert scene.settle() == [SettledPending("run1", "taken back")]
    assert [scene.workbook.read_bytes()] == theirs
    assert names(scene.folder) == {BOOK} and scene.log.unsaved() == 1


def test_who_dies_after_that_exchange_has_lost_neither(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    class Dying(files.Operations):
        def exchange(self, one: Path, other: Path) -> None:
            theirs.append(make_workbook(scene.folder / "theirs", rows=20).read_bytes())
            (scene.folder / "theirs").replace(scene.workbook)
            super().exchange(one, other)
            raise Crash

    theirs: list[bytes] = []
    scene.put_by()
    with monkeypatch.context() as patch:
        patch.setattr(files, "ops", Dying())
        with pytest.raises(Crash):
            scene.settle()
    assert scene.settle() == [SettledPending("run1", "taken back")]
    assert [scene.workbook.read_bytes()] == theirs
    assert names(scene.folder) == {BOOK} and scene.log.unsaved() == 1


@pytest.mark.parametrize("column", ["before", "after"])
def test_a_waiting_save_whose_record_is_damaged_is_taken_back(scene: Scene, column: str) -> None:
    before = scene.workbook.read_bytes()
    scene.put_by()
    with scene.ledger.transaction():
        scene.ledger.execute(f"UPDATE changes SET {column} = replace({column}, 'Res', 'Rex')")
    assert scene.settle() == [SettledPending("run1", "taken back")]
    assert scene.workbook.read_bytes() == before
    assert names(scene.folder) == {BOOK}
    assert (scene.states, scene.log.unsaved(), scene.status) == (["damaged"], 1, PENDING)


def test_a_backup_that_is_to_be_put_back_outlives_the_publishing(scene: Scene) -> None:
    scene.backups.keep, scene.backups.keep_daily_days = 1, 0
    chosen = scene.backups.take(scene.old, "earlier", "before")
    assert chosen is not None
    make_workbook(scene.folder / "other", rows=3).replace(scene.workbook)
    scene.backups.take(digest_of(scene.workbook), "later", "before")
    scene.old = digest_of(scene.workbook)
    scene.put_by()
    settle_pending(scene.ledger, scene.workbook, scene.backups, keep=[chosen])
    assert chosen.path.exists()
