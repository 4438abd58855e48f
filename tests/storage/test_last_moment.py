"""Another program saves the workbook between the last look at it and its replace: what it saved is never lost."""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from batchbook.errors import SaveFailed
from batchbook.storage import files
from batchbook.storage.backups import BackupStore
from batchbook.storage.edit import edit_workbook
from batchbook.storage.leftovers import settle, sweep
from batchbook.storage.saver import AtomicSaver, WorkbookChanged
from batchbook.xlsx import digest_of
from tests.storage.helpers import Crash, FaultyOperations, MemoryJournal, make_workbook, names, value, writing


class LastMoment(files.Operations):
    """Something happens just before each exchange, once for each function given."""

    def __init__(self, *happens: Callable[[], None]) -> None:
        self.happens = list(happens)
        self.crash = False

    def exchange(self, one: Path, other: Path) -> None:
        if self.happens:
            self.happens.pop(0)()
        super().exchange(one, other)
        if self.crash:
            raise Crash


def saved_by_rename(workbook: Path, rows: int) -> Callable[[], None]:
    def save() -> None:
        make_workbook(workbook.with_name("theirs.xlsx"), rows).replace(workbook)

    return save


def saved_in_place(workbook: Path, rows: int) -> Callable[[], None]:
    return lambda: (make_workbook(workbook, rows), None)[1]


def save(workbook: Path, ops: object, journal: MemoryJournal | None = None) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "ops", ops)
        saver = AtomicSaver(workbook, journal or MemoryJournal(), None, "run")
        return saver.save(None, writing("ours"), full_verify=True, backup_kind=None).digest


@pytest.mark.parametrize("way", [saved_by_rename, saved_in_place])
def test_what_was_saved_in_the_last_moment_stays_and_the_save_begins_anew(
    workbook: Path, way: Callable[[Path, int], Callable[[], None]]
) -> None:
    journal = MemoryJournal()
    with pytest.raises(WorkbookChanged) as caught:
        save(workbook, LastMoment(way(workbook, 3)), journal)
    assert caught.value.found_digest == digest_of(workbook)
    assert value(workbook, "A3") == 3
    assert value(workbook, "A4") is None
    assert value(workbook, "C1") is None
    assert names(workbook.parent) == {"book.xlsx"}
    assert journal.states == ["abandoned"]


def test_of_two_saves_in_the_last_moment_the_later_one_stays(workbook: Path) -> None:
    with pytest.raises(WorkbookChanged):
        save(workbook, LastMoment(saved_by_rename(workbook, 3), saved_by_rename(workbook, 4)))
    assert value(workbook, "A4") == 4
    assert value(workbook, "A5") is None
    assert names(workbook.parent) == {"book.xlsx"}


def test_a_workbook_that_vanishes_in_the_last_moment_is_a_change(workbook: Path) -> None:
    with pytest.raises(WorkbookChanged):
        save(workbook, LastMoment(workbook.unlink))
    assert names(workbook.parent) == set()


def test_an_edit_in_place_does_not_overwrite_it_either(workbook: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "ops", LastMoment(saved_by_rename(workbook, 3)))
        with pytest.raises(WorkbookChanged):
            edit_workbook(workbook, workbook, {"Data": {"C1": "ours"}})
    assert value(workbook, "C1") is None
    assert value(workbook, "A4") is None
    assert names(workbook.parent) == {"book.xlsx"}


def left_behind(workbook: Path) -> Path:
    """A save died right after it had exchanged its file with what somebody had saved in the last moment."""
    intent = crashed(workbook, saved_by_rename(workbook, 3))
    left = workbook.with_name(intent["temporary"])
    assert (value(workbook, "C1"), value(left, "A3")) == ("ours", 3)
    return left


def test_what_was_saved_in_the_last_moment_is_put_back_without_a_ledger(workbook: Path) -> None:
    left_behind(workbook)
    told: list[str] = []
    sweep(workbook, warn=told.append)
    assert (value(workbook, "A3"), value(workbook, "C1")) == (3, None)
    assert names(workbook.parent) == {"book.xlsx"}
    assert [line for line in told if "is put back in its place" in line] == told != []


def test_where_the_workbook_was_saved_again_since_it_becomes_a_backup(workbook: Path, tmp_path: Path) -> None:
    left_behind(workbook)
    make_workbook(workbook, 5)
    store = BackupStore(tmp_path / "kept", workbook)
    told: list[str] = []
    sweep(workbook, store, told.append)
    (backup,) = store.list()
    assert (value(workbook, "A5"), value(backup.path, "A3"), value(backup.path, "A4")) == (5, 3, None)
    assert backup.path.name in told[0]
    assert names(workbook.parent) == {"book.xlsx"}


@pytest.mark.parametrize("fails", ["nowhere to keep it", "the disk is full"])
def test_where_it_can_be_kept_nowhere_it_stays(workbook: Path, tmp_path: Path, fails: str) -> None:
    left = left_behind(workbook)
    make_workbook(workbook, 5)
    store = BackupStore(tmp_path / "kept", workbook) if fails == "the disk is full" else None
    told: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            files,
            "ops",
            FaultyOperations(0, 0, refuse={"create": errno.ENOSPC, "link": errno.ENOSPC, "clone": errno.ENOSPC}),
        )
        sweep(workbook, store, told.append)
    assert value(left, "A3") == 3
    assert left.name in told[0]


def test_half_a_file_that_somebody_was_writing_there_becomes_a_backup_and_nothing_of_it_is_lost(
    workbook: Path, tmp_path: Path
) -> None:
    def half() -> None:
        whole = make_workbook(workbook.with_name("theirs.xlsx"), 3)
        whole.write_bytes(whole.read_bytes()[:700])
        whole.replace(workbook)

    crashed(workbook, half)
    store = BackupStore(tmp_path / "kept", workbook)
    sweep(workbook, store)
    assert value(workbook, "C1") == "ours"
    assert [(one.kind, one.path.stat().st_size) for one in store.list()] == [("damaged", 700)]


def test_while_somebody_has_the_workbook_open_it_waits(workbook: Path, tmp_path: Path) -> None:
    left = left_behind(workbook)
    mark = workbook.with_name(f".~lock.{workbook.name}#")
    mark.write_text(",carol,desk,21.11.2026 10:00,file:///home/carol;")
    store = BackupStore(tmp_path / "kept", workbook)
    assert sweep(workbook, store) == []
    assert (value(workbook, "C1"), value(left, "A3"), store.list()) == ("ours", 3, [])
    mark.unlink()
    sweep(workbook, store)
    assert value(workbook, "A3") == 3


def test_a_name_too_long_for_the_mark_goes_without_and_the_intent_says_what_it_was_made_for(tmp_path: Path) -> None:
    workbook = make_workbook(tmp_path / f"{'n' * 218}.xlsx")
    intent = crashed(workbook, saved_by_rename(workbook, 3))
    assert value(workbook, "C1") == "ours"
    assert settle(workbook, **intent) == "changed"
    assert (value(workbook, "A3"), names(workbook.parent)) == (3, {workbook.name})
    edit_workbook(workbook, workbook, {"Data": {"C2": "later"}})
    assert value(workbook, "C2") == "later"


def test_files_that_are_open_are_not_renamed(workbook: Path) -> None:
    """As on Windows, where that is refused."""

    class NoneOpen(files.Operations):
        def replace(self, source: Path, target: Path) -> None:
            for fd in Path("/proc/self/fd").iterdir():
                with suppress(OSError):
                    if fd.readlink() == source:
                        raise OSError(errno.EACCES, "sharing violation")
            super().replace(source, target)

    save(workbook, NoneOpen())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "ops", NoneOpen())
        edit_workbook(workbook, workbook, {"Data": {"C2": "edited"}})
        edit_workbook(workbook, workbook.with_name("other.xlsx"), {"Data": {"C2": "edited"}})
    assert (value(workbook, "C1"), value(workbook, "C2")) == ("ours", "edited")


def test_an_interrupt_right_after_the_exchange_loses_nothing_of_what_somebody_saved(
    workbook: Path, tmp_path: Path
) -> None:
    class Interrupted(LastMoment):
        def exchange(self, one: Path, other: Path) -> None:
            super().exchange(one, other)
            raise KeyboardInterrupt

    store = BackupStore(tmp_path / "kept", workbook)
    save(workbook, files.Operations())
    store.take(digest_of(workbook), "run", "before")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(files, "ops", Interrupted(saved_by_rename(workbook, 3)))
        store.restore(store.list()[0])
    sweep(workbook, store)
    assert value(workbook, "A3") == 3


def test_an_edit_puts_back_what_a_dead_edit_had_taken_the_place_of(workbook: Path) -> None:
    left_behind(workbook)
    receipt = edit_workbook(workbook, workbook, {"Data": {"C2": "later"}})
    assert (value(workbook, "A3"), value(workbook, "C1"), value(workbook, "C2")) == (3, None, "later")
    assert "put back" in receipt.warnings[0]


def test_a_save_that_cannot_be_given_back_says_where_it_lies_and_the_next_start_gives_it_back(workbook: Path) -> None:
    class OnlyOnce(LastMoment):
        def exchange(self, one: Path, other: Path) -> None:
            if not self.happens:
                raise OSError(errno.EIO, "the device")
            super().exchange(one, other)

    with pytest.raises(SaveFailed) as caught:
        save(workbook, OnlyOnce(saved_by_rename(workbook, 3)))
    (left,) = names(workbook.parent) - {"book.xlsx"}
    assert left in caught.value.what
    assert "as it was before" not in caught.value.what
    sweep(workbook)
    assert value(workbook, "A3") == 3


@pytest.mark.parametrize("error", [errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM])
def test_where_files_cannot_be_exchanged_the_workbook_is_replaced(workbook: Path, error: int) -> None:
    assert save(workbook, FaultyOperations(0, 0, refuse={"exchange": error})) == digest_of(workbook)
    assert value(workbook, "C1") == "ours"
    assert names(workbook.parent) == {"book.xlsx"}


def crashed(workbook: Path, *happens: Callable[[], None]) -> dict[str, str]:
    """A save whose process dies right after the exchange; gives the intent that it leaves open."""
    ops = LastMoment(*happens)
    ops.crash = True
    journal = MemoryJournal()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("batchbook.storage.saver.put_old_away", lambda *_: None)
        with suppress(Crash):
            save(workbook, ops, journal)
    (intent,) = journal.saves
    assert intent["state"] == "intent"
    assert intent["temporary"] in names(workbook.parent)
    return {name: intent[name] for name in ("old", "new", "temporary")}


def test_a_process_that_died_after_the_exchange_did_save(workbook: Path) -> None:
    assert settle(workbook, **crashed(workbook)) == "saved"
    assert value(workbook, "C1") == "ours"
    assert names(workbook.parent) == {"book.xlsx"}


def test_what_was_saved_in_the_last_moment_of_a_process_that_died_is_put_back(workbook: Path) -> None:
    assert settle(workbook, **crashed(workbook, saved_by_rename(workbook, 3))) == "changed"
    assert value(workbook, "A3") == 3
    assert value(workbook, "C1") is None
    assert names(workbook.parent) == {"book.xlsx"}


def test_a_checkpoint_that_somebody_wrote_into_is_kept_like_any_earlier_state(workbook: Path, tmp_path: Path) -> None:
    store = BackupStore(tmp_path / "backups", workbook)
    backup = store.take(digest_of(workbook), "run", "checkpoint")
    assert backup is not None
    kept = store.as_earlier_state(backup)
    make_workbook(workbook, 3)
    store.take(digest_of(workbook), "run", "checkpoint")
    store.prune()
    assert kept.path.exists()
    assert kept.path in [one.path for one in store.list()]
    assert kept.kind == "before"


def test_a_replaced_file_that_cannot_be_removed_fails_no_save(workbook: Path) -> None:
    assert save(workbook, FaultyOperations(0, 0, refuse={"unlink": errno.EIO})) == digest_of(workbook)
    assert value(workbook, "C1") == "ours"


def test_a_file_that_cannot_be_put_back_at_once_is_put_back_by_the_next_start(workbook: Path) -> None:
    class Once(LastMoment):
        def exchange(self, one: Path, other: Path) -> None:
            if not self.happens:
                raise OSError(errno.EIO, "Input/output error")
            super().exchange(one, other)

    journal = MemoryJournal()
    with pytest.raises(SaveFailed):
        save(workbook, Once(saved_by_rename(workbook, 3)), journal)
    (intent,) = journal.saves
    assert settle(workbook, intent["old"], intent["new"], intent["temporary"]) == "changed"
    assert value(workbook, "A3") == 3
    assert value(workbook, "C1") is None
    assert names(workbook.parent) == {"book.xlsx"}
