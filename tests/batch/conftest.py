"""What holds for all tests of this room."""

import pytest

from batchbook.batch.saving import RunSaver
from tests.batch.helpers import Site


@pytest.fixture(autouse=True)
def every_checkpoint_saves(monkeypatch):
    """Small runs are over before a save could be afforded; here each checkpoint saves, however long that takes."""
    monkeypatch.setattr(RunSaver, "affordable", lambda self: True)


@pytest.fixture
def site(tmp_path):
    """A folder with a workbook of six rows and the small job."""
    return Site(tmp_path / "work")
