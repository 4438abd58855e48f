"""Every file operation of a save fails in turn; only the old or the new state may be left, and nothing beside it."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from batchbook.errors import SaveFailed
from batchbook.storage import files
from batchbook.storage.backups import BackupStore
from batchbook.storage.leftovers import settle, sweep
from batchbook.storage.saver import AtomicSaver
from batchbook.xlsx import digest_of, inspect
from tests.storage.helpers import Crash, FaultyOperations, MemoryJournal, make_workbook, names, writing

ERRNOS = [errno.ENOSPC, errno.EIO, errno.EACCES]
FAULTS = [*ERRNOS, Crash, KeyboardInterrupt]
REFUSALS = {
    "hard link": {"clone": errno.EOPNOTSUPP},
    "copy": {"clone": errno.EOPNOTSUPP, "link": errno.EXDEV},
}


def name_of(fault: object) -> str:
    return errno.errorcode[fault] if isinstance(fault, int) else getattr(fault, "__name__", str(fault))


class Scene:
    """A workbook with its backups, and a save that meets one fault."""

    def __init__(self, root: Path) -> None:
        root.mkdir()
        self.folder = root / "books"
        self.folder.mkdir()
        self.workbook = make_workbook(self.folder / "book.xlsx")
        self.backups = BackupStore(root / "backups", self.workbook)
        self.journal = MemoryJournal()
        self.old = digest_of(self.workbook)

    def save(self) -> str:
        saver = AtomicSaver(self.workbook, self.journal, self.backups, "run")
        return saver.save(self.old, writing("new"), full_verify=True, backup_kind="before").digest

    def recover(self) -> None:
        """What the next start does."""
        for save in self.journal.saves:
            if save["state"] == "intent":
                ended = settle(self.workbook, save["old"], save["new"], save["temporary"])
                save["state"] = "saved" if ended == "saved" else "abandoned"
        sweep(self.workbook)
        self.backups.drop_live_links()

    def check(self, new: str) -> None:
        found = digest_of(self.workbook)
        assert found in (self.old, new)
        assert inspect(self.workbook) == []
        assert names(self.folder) == {"book.xlsx"}
        assert self.journal.states in ([], ["saved"] if found == new else ["abandoned"])
        for backup in self.backups.list():
            assert self.backups.verify(backup) == []
            assert backup.digest == self.old[:16]
            assert not backup.path.samefile(self.workbook)
        if found == new:
            assert len(self.backups.list()) == 1


def count_of_operations(root: Path, refuse: dict[str, int]) -> tuple[int, str]:
    scene = Scene(root)
    ops = FaultyOperations(0, 0, refuse=refuse)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "ops", ops)
        new = scene.save()
    return ops.count, new


@pytest.mark.parametrize("way", REFUSALS)
@pytest.mark.parametrize("fault", FAULTS, ids=name_of)
def test_whatever_operation_fails_the_workbook_is_old_or_new(tmp_path: Path, fault, way: str) -> None:
    refuse = REFUSALS[way]
    count, new = count_of_operations(tmp_path / "calm", refuse)
    assert count >= 8
    for k in range(1, count + 1):
        scene = Scene(tmp_path / f"{k}")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(files, "ops", FaultyOperations(k, fault, refuse=refuse))
            try:
                scene.save()
            except SaveFailed as error:
                assert fault in ERRNOS
                assert error.advice
            except (Crash, KeyboardInterrupt) as error:
                assert type(error) is fault
        if fault is not Crash:
            # A process that lives on cleans up at once.
            assert names(scene.folder) == {"book.xlsx"}, k
            if digest_of(scene.workbook) == scene.old:
                assert scene.backups.list() == []
        scene.recover()
        scene.check(new)


def test_after_any_crash_the_next_save_succeeds(tmp_path: Path) -> None:
    count, new = count_of_operations(tmp_path / "calm", {})
    for k in range(1, count + 1):
        scene = Scene(tmp_path / f"{k}")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(files, "ops", FaultyOperations(k, Crash))
            with pytest.raises(Crash):
                scene.save()
        scene.recover()
        if digest_of(scene.workbook) == scene.old:
            assert scene.save() == new
        assert len(scene.backups.list()) == 1


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO], ids=name_of)
def test_each_kind_of_trouble_has_its_own_advice(tmp_path: Path, error: int) -> None:
    scene = Scene(tmp_path / "one")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "ops", FaultyOperations(1, error, only="write"))
        with pytest.raises(SaveFailed) as caught:
            scene.save()
    words = {errno.ENOSPC: "room", errno.EROFS: "read-only", errno.EACCES: "allowed", errno.EIO: "errors"}
    assert words[error] in caught.value.advice
    assert "as it was before" in caught.value.what


def test_a_replace_that_the_disk_does_not_confirm_is_settled_by_the_next_start(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "one")
    calm = FaultyOperations(0, 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "ops", calm)
        Scene(tmp_path / "calm").save()
        last = len(calm.names) - calm.names[::-1].index("fsync_folder")
        patch.setattr(files, "ops", FaultyOperations(last, errno.EIO))
        with pytest.raises(SaveFailed, match="did not confirm"):
            scene.save()
    assert scene.journal.states == ["intent"]
    scene.recover()
    assert scene.journal.states == ["saved"]
    assert len(scene.backups.list()) == 1
