"""Kinds of errors: each has its code and exit code, whatever it is derived from."""

from __future__ import annotations

import pickle
import pkgutil
from collections.abc import Iterator
from importlib import import_module

import batchbook
from batchbook.errors import EXIT_FAILED, EXIT_USAGE, BatchbookError, Finding, Refused, WorkbookError
from batchbook.storage.trouble import EditFailed


def kinds(of: type[BatchbookError] = BatchbookError) -> Iterator[type[BatchbookError]]:
    """All kinds of batchbook's own."""
    for module in pkgutil.walk_packages(batchbook.__path__, "batchbook."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    found = {of}
    while more := {kind for one in found for kind in one.__subclasses__()} - found:
        found |= more
    return (kind for kind in found if kind.__module__.startswith("batchbook."))


def test_a_kind_is_declared_in_a_line_and_is_as_what_it_is_derived_from_in_all_else() -> None:
    class PoolRefused(Refused, code="pool-refused"):
        """The rules of a pool do not allow it."""

    class WrongShift(PoolRefused, code="pool-shift", exit_code=EXIT_USAGE):
        """There is no such shift."""

    class NightShift(WrongShift):
        """There is no such shift at night."""

    told = [(kind.code, kind.exit_code) for kind in (PoolRefused, WrongShift, NightShift, EditFailed)]
    assert told == [
        ("pool-refused", EXIT_FAILED), ("pool-shift", EXIT_USAGE), ("pool-shift", EXIT_USAGE),
        ("save-failed", EXIT_FAILED),
    ]  # fmt: skip


def test_a_code_belongs_to_one_kind_and_those_derived_from_it() -> None:
    first: dict[str, type[BatchbookError]] = {}
    for kind in sorted(kinds(), key=lambda kind: len(kind.__mro__)):
        assert issubclass(kind, first.setdefault(kind.code, kind)), kind
        assert kind.__doc__
    assert len(first) > 20


def test_every_kind_keeps_what_it_says_on_its_way_to_another_process() -> None:
    for kind in kinds():
        if kind.__init__ is not BatchbookError.__init__:
            continue
        error = kind("It went wrong.", "Mend it.", findings=[Finding("bad", "a.xlsx", row=3)])
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), again.as_dict(), again.exit_code) == (kind, error.as_dict(), error.exit_code)


def test_an_edit_that_failed_is_a_workbook_error_too() -> None:
    assert issubclass(EditFailed, WorkbookError)
