"""The log file."""

from __future__ import annotations

import errno
import logging
from pathlib import Path

import pytest

from batchbook.cli.logs import start_log, stop_log
from batchbook.config import load_base


def test_a_log_that_a_full_disk_does_not_take_ends_in_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start_log(load_base(tmp_path, {}))
    logger = logging.getLogger("batchbook")
    (handler,) = logger.handlers

    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(handler, "flush", full)
    stop_log()
    assert logger.handlers == []
