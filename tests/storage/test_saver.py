from __future__ import annotations

import errno
import os
import stat
import sys
import zipfile
from pathlib import Path

import pytest

from batchbook.errors import SaveFailed, WorkbookMissing
from batchbook.storage import files, saver
from batchbook.storage.backups import BackupStore
from batchbook.storage.leftovers import settle, sweep
from batchbook.storage.saver import AtomicSaver, WorkbookChanged
from batchbook.xlsx import CellRefused, digest_of, inspect
from tests.storage.helpers import FaultyOperations, MemoryJournal, make_workbook, names, value, writing

needs_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
no_root = pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write everything")


def saver_for(workbook: Path, journal: MemoryJournal | None = None) -> AtomicSaver:
    return AtomicSaver(workbook, journal, BackupStore(workbook.parent.parent / "backups", workbook), "run-1")


def save(one: AtomicSaver, text: str, expected: str | None = None, kind: str | None = "before"):
    return one.save(expected, writing(text), full_verify=True, backup_kind=kind)


def test_a_save_replaces_the_workbook_and_keeps_the_old_content(workbook: Path) -> None:
    journal, old = MemoryJournal(), digest_of(workbook)
    before = workbook.read_bytes()
    receipt = save(saver_for(workbook, journal), "new", old)
    assert receipt.digest == digest_of(workbook) != old
    assert value(workbook, "C1") == "new"
    assert receipt.receipt.cells == 1
    assert receipt.seconds > 0
    assert receipt.backup is not None
    assert receipt.backup.path.read_bytes() == before
    assert (journal.saves[0]["old"], journal.saves[0]["new"]) == (old, receipt.digest)
    assert journal.states == ["saved"]
    assert journal.saves[0]["backup"] == str(receipt.backup.path)
    assert names(workbook.parent) == {"book.xlsx"}
    assert receipt.warnings == ()


def test_a_save_without_ledger_and_backup_leaves_only_the_workbook(workbook: Path) -> None:
    receipt = AtomicSaver(workbook, None, None, "run").save(
        None, writing("x"), full_verify=False, backup_kind="checkpoint"
    )
    assert receipt.backup is None
    assert value(workbook, "C1") == "x"
    assert names(workbook.parent) == {"book.xlsx"}


def test_a_workbook_in_another_state_is_not_touched(workbook: Path) -> None:
    journal = MemoryJournal()
    with pytest.raises(WorkbookChanged) as caught:
        save(saver_for(workbook, journal), "new", "0" * 64)
    assert caught.value.found_digest == digest_of(workbook)
    assert caught.value.exit_code == 6
    assert journal.saves == []
    assert names(workbook.parent) == {"book.xlsx"}


def test_a_change_while_the_save_is_built_is_seen_before_the_replace(workbook: Path) -> None:
    journal, one = MemoryJournal(), None
    one = saver_for(workbook, journal)
    build = writing("ours")

    def build_slowly(book, out):
        receipt = build(book, out)
        other = make_workbook(workbook.with_name("theirs.xlsx"), rows=3)
        other.replace(workbook)
        return receipt

    with pytest.raises(WorkbookChanged):
        one.save(None, build_slowly, full_verify=True, backup_kind="before")
    assert value(workbook, "A3") == 3
    assert value(workbook, "A4") is None
    assert names(workbook.parent) == {"book.xlsx"}
    assert BackupStore(workbook.parent.parent / "backups", workbook).list() == []
    assert "saved" not in journal.states


def test_a_change_after_the_intent_is_seen_and_the_intent_is_abandoned(workbook: Path) -> None:
    class Slow(MemoryJournal):
        def intend(self, old: str, new: str, temporary: str, indexes: object = None) -> int:
            make_workbook(workbook, rows=2)
            return super().intend(old, new, temporary)

    journal = Slow()
    with pytest.raises(WorkbookChanged):
        save(AtomicSaver(workbook, journal, None, "r"), "ours")
    assert journal.states == ["abandoned"]
    assert value(workbook, "C1") is None
    assert names(workbook.parent) == {"book.xlsx"}


def test_a_workbook_that_vanishes_meanwhile_is_a_change(workbook: Path) -> None:
    class Thief(MemoryJournal):
        def intend(self, old: str, new: str, temporary: str, indexes: object = None) -> int:
            workbook.unlink()
            return super().intend(old, new, temporary)

    with pytest.raises(WorkbookChanged) as caught:
        save(AtomicSaver(workbook, Thief(), None, "r"), "ours")
    assert caught.value.found_digest == ""
    assert names(workbook.parent) == set()


def test_a_missing_workbook_is_named(folder: Path) -> None:
    with pytest.raises(WorkbookMissing):
        save(AtomicSaver(folder / "none.xlsx", None, None, "r"), "x")


def test_what_the_builder_raises_passes_through_and_leaves_nothing(workbook: Path) -> None:
    before = workbook.read_bytes()
    with pytest.raises(CellRefused):
        AtomicSaver(workbook, None, None, "r").save(None, writing("x" * 40_000), full_verify=True, backup_kind=None)
    assert workbook.read_bytes() == before
    assert names(workbook.parent) == {"book.xlsx"}


def test_a_ledger_that_cannot_commit_the_intent_stops_the_save_untouched(workbook: Path) -> None:
    journal, before = MemoryJournal(), workbook.read_bytes()
    journal.fail = "intend"
    with pytest.raises(RuntimeError, match="ledger is broken"):
        save(saver_for(workbook, journal), "x")
    assert workbook.read_bytes() == before
    assert names(workbook.parent) == {"book.xlsx"}
    assert saver_for(workbook).backups.list() == []


def test_even_a_system_error_of_the_ledger_passes_through_untouched(workbook: Path) -> None:
    class Broken(MemoryJournal):
        def intend(self, old: str, new: str, temporary: str, indexes: object = None) -> int:
            raise OSError("the ledger's own")

    with pytest.raises(OSError, match="the ledger's own"):
        save(AtomicSaver(workbook, Broken(), None, "r"), "x")
    assert names(workbook.parent) == {"book.xlsx"}


def test_a_ledger_that_cannot_commit_saved_leaves_everything_for_settling(workbook: Path) -> None:
    journal, old = MemoryJournal(), digest_of(workbook)
    journal.fail = "saved"
    with pytest.raises(RuntimeError, match="ledger is broken"):
        save(saver_for(workbook, journal), "x")
    intent = journal.saves[0]
    assert intent["state"] == "intent"
    assert settle(workbook, old, intent["new"], intent["temporary"]) == "saved"
    assert value(workbook, "C1") == "x"
    assert len(saver_for(workbook).backups.list()) == 1


def test_a_failed_fsync_is_never_tried_again_on_the_same_file(workbook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    class Watching(FaultyOperations):
        def __init__(self) -> None:
            super().__init__(1, 5, only="fsync")

        def _fail(self, name, method, values):
            seen.append(os.fstat(values[0]).st_ino)
            return super()._fail(name, method, values)

    ops = Watching()
    monkeypatch.setattr(files, "ops", ops)
    receipt = save(AtomicSaver(workbook, None, None, "r"), "written anew")
    assert ops.names.count("fsync") == 2
    assert seen != [workbook.stat().st_ino]
    assert receipt.digest == digest_of(workbook)
    assert inspect(workbook) == []
    assert value(workbook, "C1") == "written anew"
    assert names(workbook.parent) == {"book.xlsx"}


def test_what_does_not_read_back_is_not_published(workbook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = workbook.read_bytes()
    build = writing("x" * 5000)

    def corrupt(book, out):
        receipt = build(book, out)
        out.seek(300)
        out.write(b"\0\0\0\0\0\0\0\0")
        return receipt

    with pytest.raises(SaveFailed, match="does not read back"):
        AtomicSaver(workbook, None, None, "r").save(None, corrupt, full_verify=True, backup_kind=None)
    assert workbook.read_bytes() == before
    assert names(workbook.parent) == {"book.xlsx"}


def test_permissions_and_times_of_rights_are_kept(workbook: Path) -> None:
    workbook.chmod(0o640)
    save(AtomicSaver(workbook, None, None, "r"), "x")
    assert stat.S_IMODE(workbook.stat().st_mode) == 0o640


@needs_root
def test_owner_and_group_are_kept(workbook: Path) -> None:
    os.chown(workbook, 1234, 2345)
    receipt = save(AtomicSaver(workbook, None, None, "r"), "x")
    assert (workbook.stat().st_uid, workbook.stat().st_gid) == (1234, 2345)
    assert receipt.warnings == ()


def test_an_owner_that_cannot_be_kept_is_a_warning(workbook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can give files away")
    os.chown(workbook, 1234, 2345)
    monkeypatch.setattr(files, "ops", FaultyOperations(0, 0, refuse={"chown": 1}))
    receipt = save(AtomicSaver(workbook, None, None, "r"), "x")
    assert receipt.warnings == ("book.xlsx could not keep its owner (user 1234), its group (2345)",)


@no_root
def test_a_read_only_workbook_is_not_replaced(workbook: Path) -> None:
    workbook.chmod(0o444)
    with pytest.raises(SaveFailed, match=r"[Pp]ermission"):
        save(AtomicSaver(workbook, None, None, "r"), "x")


def test_a_symbolic_link_is_followed_and_stays_a_link(workbook: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.xlsx"
    link.symlink_to(workbook)
    save(AtomicSaver(link, None, None, "r"), "x")
    assert link.is_symlink()
    assert value(workbook, "C1") == "x"
    assert not any(name.endswith("tmp") for name in names(tmp_path))


def test_other_names_of_the_file_are_warned_of(workbook: Path, tmp_path: Path) -> None:
    os.link(workbook, tmp_path / "second.xlsx")
    receipt = save(saver_for(workbook), "x")
    assert "hard links" in receipt.warnings[0]
    assert value(tmp_path / "second.xlsx", "C1") is None


def test_what_a_program_writes_into_the_replaced_file_is_named(
    workbook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = make_workbook(tmp_path / "theirs.xlsx", rows=3).read_bytes()
    real = saver.confirm

    def write_late(path: Path) -> None:
        real(path)
        with next((tmp_path / "backups").rglob("*.xlsx")).open("r+b") as opened:
            opened.truncate()
            opened.write(theirs)

    monkeypatch.setattr(saver, "confirm", write_late)
    receipt = save(saver_for(workbook), "x")
    assert "at the moment it was replaced" in receipt.warnings[0]


def test_a_run_keeps_the_state_before_it_and_its_latest_checkpoint(workbook: Path) -> None:
    one = saver_for(workbook)
    digests = [digest_of(workbook)]
    for number in range(5):
        digests.append(save(one, f"v{number}", kind="before" if number == 0 else "checkpoint").digest)
    kept = one.backups.list()
    assert [(b.kind, b.digest) for b in kept] == [("checkpoint", digests[4][:16]), ("before", digests[0][:16])]


def test_a_run_keeps_its_own_backups_though_the_rule_keeps_none(workbook: Path, tmp_path: Path) -> None:
    store = BackupStore(tmp_path / "b", workbook, keep=0, keep_daily_days=0)
    one = AtomicSaver(workbook, MemoryJournal(), store, "r")
    for number in range(3):
        save(one, f"v{number}", kind="before" if number == 0 else "checkpoint")
    assert [b.kind for b in store.list()] == ["checkpoint", "before"]


def test_sweep_takes_this_workbooks_strays_and_no_others(folder: Path) -> None:
    workbook = make_workbook(folder / "a.xlsx")
    strays = [".a.xlsx.run-1.batchbook-tmp", ".a.xlsx.batchbook-lock.1f-00ff00ff"]
    others = [".a.xlsx.b.xlsx.run-1.batchbook-tmp", ".b.xlsx.run.batchbook-tmp", "a.xlsx.batchbook-pending",
              ".a.xlsx.batchbook-lock", ".aXxlsx.run.batchbook-tmp", "a.xlsx"]  # fmt: skip
    for name in [*strays, *others[:-1]]:
        (folder / name).write_text("")
    assert {path.name for path in sweep(workbook)} == set(strays)
    assert names(folder) == set(others)


def test_settling_tells_the_three_ends_apart(workbook: Path) -> None:
    found = digest_of(workbook)
    stray = workbook.with_name(".book.xlsx.r.batchbook-tmp")
    for old, new, said in ((found, "n", "not saved"), ("o", found, "saved"), ("o", "n", "changed")):
        stray.write_text("")
        assert settle(workbook, old, new, stray.name) == said
        assert not stray.exists()
    other = workbook.with_name("precious")
    other.write_text("")
    settle(workbook, "o", "n", "../books/precious")
    settle(workbook, "o", "n", "precious")
    assert other.exists()
    workbook.unlink()
    assert settle(workbook, "o", "n", stray.name) == "changed"


@pytest.mark.parametrize("refused", [None, errno.ENOSYS, errno.EXDEV])
def test_a_large_part_is_copied_bit_for_bit_whoever_copies_it(
    workbook: Path, monkeypatch: pytest.MonkeyPatch, refused: int | None
) -> None:
    picture = os.urandom(300_000)
    with zipfile.ZipFile(workbook, "a") as archive:
        archive.writestr("xl/media/image1.png", picture)
    operations = FaultyOperations(0, 0, refuse={} if refused is None else {"copy_range": refused})
    monkeypatch.setattr(files, "ops", operations)
    save(AtomicSaver(workbook, None, None, "r"), "ours")
    if refused is None and sys.platform == "linux":
        assert "copy_range" in operations.names
    assert value(workbook, "C1") == "ours"
    with zipfile.ZipFile(workbook) as archive:
        assert archive.read("xl/media/image1.png") == picture
        assert archive.testzip() is None


def test_a_disk_that_fills_up_while_the_system_copies_leaves_the_old_workbook(
    workbook: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(workbook, "a") as archive:
        archive.writestr("xl/media/image1.png", os.urandom(300_000))
    before = workbook.read_bytes()
    monkeypatch.setattr(files, "ops", FaultyOperations(1, errno.ENOSPC, only="copy_range"))
    with pytest.raises(SaveFailed):
        save(AtomicSaver(workbook, None, None, "r"), "ours")
    assert workbook.read_bytes() == before
    assert names(workbook.parent) == {"book.xlsx"}
