"""Errors of record tables."""

from __future__ import annotations

from batchbook.errors import EXIT_USAGE, BatchbookError


class RecordRefused(BatchbookError, code="record-refused", exit_code=EXIT_USAGE):
    """A record breaks the rules of its sheet; nothing of it was staged."""


class Unsound(BatchbookError, code="unsound", exit_code=EXIT_USAGE):
    """Rows of the workbook break the rules of their sheet; nothing is built on them."""
