"""Runs in a ledger without a workbook."""

from __future__ import annotations

from typing import Any

from batchbook.storage.ledger import Ledger, RunRecord
from batchbook.storage.runlog import RunLog, Selected, StoredOutcome

AT = "2026-03-01T12:00:00.000+00:00"


def record(name: str = "run1", **changes: Any) -> RunRecord:
    plain: dict[str, Any] = {
        "id": name, "job": "small", "workbook": "/w/book.xlsx", "source": "/w/book.xlsx", "sheet": "Data",
        "definition": "d", "processor": "p 1", "reference": {"rates": "2026"}, "settings": {"batch": {"size": 3}},
        "started": AT, "active": AT, "ended": None, "status": "running", "selected": 0, "selection_hash": "",
        "digest": "old", "note": "", "summary": None,
    }  # fmt: skip
    return RunRecord(**{**plain, **changes})


def selected(count: int) -> list[Selected]:
    return [Selected(n, f'["K{n}"]', n + 1) for n in range(1, count + 1)]


def begin(ledger: Ledger, name: str = "run1", rows: int = 9, **changes: Any) -> RunLog:
    RunLog.stage_selection(ledger, selected(rows))
    with ledger.transaction():
        ledger.add_run(record(name, **changes))
        count, digest = RunLog.write_selection(ledger, name)
        ledger.update_run(name, selected=count, selection_hash=digest)
    stored = ledger.run(name)
    assert stored is not None
    return RunLog(ledger, stored)


def outcome(n: int, kind: str = "done", writes: str = '{"Result":"x"}') -> StoredOutcome:
    return StoredOutcome(n, f'["K{n}"]', n + 1, kind, "", f"inputs {n}", '{"Result":null}', writes, "{}")


def commit(log: RunLog, *places: int, batch: int | None = None, **more: Any) -> None:
    log.commit(log.batch + 1 if batch is None else batch, 1, [outcome(n, **more) for n in places], AT, 0.5)
