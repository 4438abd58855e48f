from __future__ import annotations

from pathlib import Path

import pytest

from tests.storage.helpers import make_workbook


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "books"
    made.mkdir()
    return made


@pytest.fixture
def workbook(folder: Path) -> Path:
    return make_workbook(folder / "book.xlsx")
