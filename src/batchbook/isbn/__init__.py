"""ISBN blocks and assignments as sheets of a workbook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from batchbook.isbn.jobs import AssignDue, BulkImport

__all__ = ["AssignDue", "BulkImport"]


def __getattr__(name: str) -> Any:
    # The rules are used without jobs far more often: what jobs need is loaded when one is asked for.
    if name in __all__:
        from batchbook.isbn import jobs

        return getattr(jobs, name)
    raise AttributeError(f"module 'batchbook.isbn' has no attribute {name!r}")
