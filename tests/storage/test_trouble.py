from __future__ import annotations

import errno
import pickle
from pathlib import Path

import pytest

from batchbook.errors import SaveFailed, WorkbookError
from batchbook.storage.trouble import EditFailed, WorkbookChanged, advice_for, disk_trouble, named_trouble


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
