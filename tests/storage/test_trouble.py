from __future__ import annotations

import errno
import os
import pickle
from pathlib import Path

import pytest

from batchbook.errors import SaveFailed, WorkbookError
from batchbook.storage import trouble
from batchbook.storage.trouble import (
    EditFailed,
    WorkbookChanged,
    advice_for,
    check_writable,
    disk_trouble,
    named_trouble,
)


def test_every_error_of_the_system_has_advice() -> None:
    for number in errno.errorcode:
        assert advice_for(OSError(number, "x"))
    assert advice_for(OSError("without a number"))


def test_errors_survive_pickling() -> None:
    for error in (
        WorkbookChanged("book.xlsx", "abc"),
        disk_trouble(Path("book.xlsx"), OSError(errno.EIO, "broken")),
        disk_trouble(Path("book.xlsx"), OSError(errno.EIO, "broken"), EditFailed),
    ):
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error)
        assert str(again) == str(error)


def test_only_errors_of_the_system_are_renamed() -> None:
    with pytest.raises(SaveFailed) as caught, named_trouble(Path("book.xlsx"), EditFailed):
        raise OSError(errno.ENOSPC, "full")
    assert isinstance(caught.value, WorkbookError)
    with pytest.raises(KeyError), named_trouble(Path("book.xlsx")):
        raise KeyError


def test_a_folder_elsewhere_that_takes_no_file_is_named(tmp_path: Path) -> None:
    refused = tmp_path / "backups" / "book" / "one.xlsx"
    said = disk_trouble(tmp_path / "book.xlsx", PermissionError(errno.EACCES, "Permission denied", str(refused)))
    assert said.what.endswith(f"Permission denied ({refused}).")
    assert f"allowed to write the folder {refused.parent}" in said.advice


def test_a_workbook_that_is_read_only_is_said_to_be_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = tmp_path / "book.xlsx"
    book.touch(0o444)
    monkeypatch.setattr(trouble.os, "access", lambda _path, mode: mode != os.W_OK)  # nothing is read-only for root
    with pytest.raises(SaveFailed, match="it is read-only") as caught, named_trouble(book):
        check_writable(book)
    assert f"allowed to write {book}:" in caught.value.advice
