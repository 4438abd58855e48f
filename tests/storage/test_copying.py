from __future__ import annotations

import errno
import stat
from pathlib import Path

import pytest

from batchbook.errors import SaveFailed, WorkbookMissing
from batchbook.storage import files
from batchbook.storage.copying import copy_durably, last_look, state_of
from batchbook.storage.temporary import Temporary
from batchbook.storage.trouble import WorkbookChanged
from batchbook.xlsx import digest_of
from tests.storage.helpers import FaultyOperations, make_workbook, names


def test_a_copy_is_made_with_its_folder_and_is_no_more_readable_than_its_source(workbook: Path, tmp_path: Path) -> None:
    workbook.chmod(0o640)
    target = tmp_path / "out" / "deep" / "copy.xlsx"
    assert copy_durably(workbook, target) == digest_of(workbook)
    assert target.read_bytes() == workbook.read_bytes()
    assert stat.S_IMODE(target.stat().st_mode) & ~0o640 == 0
    assert names(target.parent) == {"copy.xlsx"}


def test_a_target_is_replaced_and_keeps_its_permissions(workbook: Path, folder: Path) -> None:
    target = make_workbook(folder / "copy.xlsx", 3)
    target.chmod(0o604)
    copy_durably(workbook, target)
    assert target.read_bytes() == workbook.read_bytes()
    assert stat.S_IMODE(target.stat().st_mode) == 0o604


@pytest.mark.parametrize("operation", ["create", "write", "exchange", "chmod"])
def test_a_copy_that_fails_leaves_the_old_target(
    workbook: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    target = make_workbook(folder / "copy.xlsx", 3)
    before = target.read_bytes()
    monkeypatch.setattr(files, "ops", FaultyOperations(1, errno.ENOSPC, only=operation))
    with pytest.raises(SaveFailed):
        copy_durably(workbook, target)
    assert target.read_bytes() == before
    assert names(folder) == {"book.xlsx", "copy.xlsx"}


def test_a_missing_source_makes_no_target(folder: Path) -> None:
    with pytest.raises(WorkbookMissing):
        copy_durably(folder / "none.xlsx", folder / "copy.xlsx")
    assert names(folder) == set()


def test_the_last_look_tells_sound_damaged_and_missing_files_apart(workbook: Path, folder: Path) -> None:
    (folder / "half.xlsx").write_bytes(b"half")
    states = [state_of(folder / name) for name in ("book.xlsx", "half.xlsx", "none.xlsx")]
    assert states[0] == digest_of(workbook)
    assert states[2] == ""
    assert len(set(states)) == 3
    last_look(folder / "half.xlsx", states[1])
    last_look(folder / "none.xlsx", "")
    for name, state in (("book.xlsx", states[1]), ("half.xlsx", ""), ("none.xlsx", states[0])):
        with pytest.raises(WorkbookChanged):
            last_look(folder / name, state)


def test_what_a_person_saves_as_the_target_during_a_copy_is_not_lost(
    workbook: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = make_workbook(folder / "copy.xlsx", 3)
    sync = Temporary.sync
    saved: list[bytes] = []

    def sync_while_a_person_saves(temporary: Temporary) -> None:
        sync(temporary)
        saved.append(make_workbook(target, 7).read_bytes())

    monkeypatch.setattr(Temporary, "sync", sync_while_a_person_saves)
    with pytest.raises(WorkbookChanged):
        copy_durably(workbook, target)
    assert [target.read_bytes()] == saved
