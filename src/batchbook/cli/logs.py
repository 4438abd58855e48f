"""The log file: what happened and what to do next, for the morning after."""

from __future__ import annotations

import logging
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING

from batchbook.errors import BatchbookError
from batchbook.hiding import hide

if TYPE_CHECKING:
    from io import TextIOWrapper

    from batchbook.config import BaseConfig
    from batchbook.storage.private import Access

_LARGEST = 5_000_000
_log_file: list[Path] = []


class _Discreet(logging.Formatter):
    """Lines and tracebacks without the secrets that may stand in them."""

    def format(self, record: logging.LogRecord) -> str:
        return hide(super().format(record))


class _StateLog(RotatingFileHandler):
    """A log file that only those can read who can read the other state."""

    def __init__(self, path: Path, access: Access) -> None:
        self._access = access
        super().__init__(path, maxBytes=_LARGEST, backupCount=3, encoding="utf-8", delay=True)

    def _open(self) -> TextIOWrapper:
        from batchbook.storage.private import accessible, create_private

        with accessible(self._access):
            create_private(Path(self.baseFilename))
        return super()._open()


def hide_in_last_resort() -> None:
    """What loggers without a file say goes to standard error, without secrets too."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_Discreet("%(message)s"))


def start_log(base: BaseConfig) -> None:
    """Log into the base folder's log file from now on. A log that cannot be written stops nothing."""
    from batchbook.storage.private import Access, accessible, make_state_folder

    access = Access.of(base.state.group)
    try:
        with accessible(access):
            make_state_folder(base.log_file.parent)
        handler = _StateLog(base.log_file, access)
    except OSError:
        return
    handler.setFormatter(_Discreet("%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s"))
    logger = logging.getLogger("batchbook")
    stop_log()
    logger.addHandler(handler)
    logger.setLevel(base.logging.level.upper())
    logger.propagate = False
    logging.raiseExceptions = False
    _log_file[:] = [base.log_file]


def stop_log() -> None:
    """Close the log file."""
    logger = logging.getLogger("batchbook")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        with suppress(OSError):  # a full disk takes neither the log nor the rest of it that close() would write
            handler.close()
    _log_file.clear()


def log_file() -> Path | None:
    """The log file of this call, where there is one."""
    return _log_file[0] if _log_file else None


def log_error(error: BatchbookError) -> None:
    """Write a failure down, with what to do next."""
    if _log_file:
        findings = "".join(f"\n  {finding}" for finding in error.findings)
        logging.getLogger("batchbook").error("%s: %s%s\n  %s", error.code, error.what, findings, error.advice)


def log_unexpected(error: BaseException) -> None:
    """Write down a fault of the program, with where it happened."""
    if _log_file:
        logging.getLogger("batchbook").error("unexpected: %s", error, exc_info=error)
