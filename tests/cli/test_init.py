"""What `batchbook init` leaves where it cannot lay everything down."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from batchbook.cli.app import call
from batchbook.cli.init import init
from batchbook.errors import UsageError


def test_a_folder_that_cannot_be_made_is_named_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine")
    assert call(["init", str(tmp_path / "file" / "below")]) == 2
    said = capsys.readouterr().err
    assert str(tmp_path / "file") in said
    assert "Not a directory" in said
    assert "unexpected" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("fail_at", range(4))
def test_what_was_laid_down_before_the_disk_was_full_is_removed_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fail_at: int
) -> None:
    folder = tmp_path / "new" / "work"
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "notes.txt").write_text("mine")
    opened, count = Path.open, 0

    def open_until_full(path: Path, mode: str = "r", *more: Any) -> Any:
        nonlocal count
        if mode == "xb":
            count += 1
            if count > fail_at:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return opened(path, mode, *more)

    monkeypatch.setattr(Path, "open", open_until_full)
    with pytest.raises(UsageError, match="No space left"):
        init(folder)
    assert [path.name for path in (tmp_path / "new").rglob("*")] == ["notes.txt"]


def test_a_folder_that_was_there_stays_where_init_fails(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where a folder is to be")
    with pytest.raises(UsageError):
        init(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
