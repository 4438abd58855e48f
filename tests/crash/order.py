"""The order in which a save has things on the disk, checked in the recorded calls of a command."""

from __future__ import annotations

from collections.abc import Sequence

from tests.crash.tracing import Call

BOOK = "book.xlsx"
WAL = "data/checkpoints/ledger.db-wal"
_SYNC = ("fsync", "fdatasync")
_WRITE = ("write", "pwrite64", "copy_file_range", "ftruncate", "ioctl")


def order_problems(calls: Sequence[Call]) -> list[str]:
    """What is not in order around each replace of the workbook; empty where all is."""
    replaces = [place for place, call in enumerate(calls) if call.name.startswith("rename") and call.paths[-1] == BOOK]
    problems = [] if replaces else ["the workbook is never replaced"]
    start = 0
    for number, place in enumerate(replaces, 1):
        before, after = calls[start:place], calls[place + 1 :]
        found = [*_before(before, calls[place].paths[0]), *_after(after)]
        problems += [f"replace {number}: {text}" for text in found]
        start = place + 1
    return problems


def without_ledger(problems: Sequence[str]) -> list[str]:
    """The problems of a command that keeps no ledger."""
    return [text for text in problems if "ledger" not in text]


def _before(calls: Sequence[Call], temporary: str) -> list[str]:
    # A finished temporary file gets another name before the intent.
    named = max(
        (n for n, call in enumerate(calls) if call.name.startswith("rename") and call.paths[-1] == temporary),
        default=-1,
    )
    first = calls[named].paths[0] if named >= 0 else temporary
    written = max(_last(calls, _WRITE, temporary), _last(calls, _WRITE, first))
    synced = max(_last(calls, _SYNC, temporary), _last(calls, _SYNC, first))
    backup = max((place for place, call in enumerate(calls) if _makes_backup(call)), default=-1)
    folder = calls[backup].paths[-1].rpartition("/")[0] if backup >= 0 else ""
    logged = _last(calls, _WRITE, WAL)
    checks = [
        (written >= 0, "nothing was written into the temporary file"),
        (synced > written, "the temporary file was not on the disk"),
        (backup >= 0, "no backup was taken"),
        (backup < 0 or _last(calls, _SYNC, folder) > backup, "the backup's folder was not on the disk"),
        (logged > max(synced, backup, named), "the ledger has no intent of it"),
        (_last(calls, _SYNC, WAL) > logged, "the intent in the ledger was not on the disk"),
    ]
    return [text for fine, text in checks if not fine]


def _after(calls: Sequence[Call]) -> list[str]:
    said = next((place for place, call in enumerate(calls) if call.name in _WRITE and WAL in call.paths), len(calls))
    synced = next((place for place, call in enumerate(calls) if call.name in _SYNC and call.paths == (".",)), None)
    if synced is None:
        return ["the workbook's folder was not on the disk afterwards"]
    return [] if synced < said else ["the ledger said saved before the folder was on the disk"]


def _makes_backup(call: Call) -> bool:
    return call.name.startswith(("link", "rename")) and call.paths[-1].startswith("data/backups/")


def _last(calls: Sequence[Call], names: Sequence[str], path: str) -> int:
    return max((place for place, call in enumerate(calls) if call.name in names and path in call.paths), default=-1)
