"""`batchbook status`: what is unfinished, locked or waiting here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from batchbook.cli.options import Json
from batchbook.cli.output import manner, say, show_json
from batchbook.cli.places import base_for


def status(json: Json = False) -> None:
    """Show unfinished runs, locks and waiting saves."""
    from batchbook.storage.ledger import Ledger

    base = base_for()
    runs: list[Any] = []
    paths: dict[str, Path] = {}
    ledger = Ledger.open_existing(base.ledger, root=base.folder, allow_network=base.state.allow_network)
    if ledger is not None:
        with ledger:
            runs = ledger.runs()
            paths = {run.workbook: ledger.path_of(run.workbook) for run in runs}
    unfinished = [
        {
            "run_id": run.id,
            "job": run.job,
            "status": run.status,
            "workbook": str(paths[run.workbook]),
            "active": run.active,
        }
        for run in runs
        if run.unfinished
    ]
    found = [_workbook(path) for path in sorted(set(paths.values()))]
    if manner.json:
        show_json({"folder": str(base.folder), "unfinished": unfinished, "workbooks": found, "error": None})
        return
    say(f"folder: {base.folder}{'' if base.file else ' (no config/batchbook.yaml; the defaults hold)'}")
    say(f"runs: {len(runs)}, unfinished: {len(unfinished)}")
    for run in unfinished:
        say(f"  {run['run_id']} of {run['job']} on {run['workbook']}, {run['status']}, last active {run['active']}")
    for book in found:
        remarks = [str(book[name]) for name in ("state", "locked_by", "open_in", "pending") if book[name]]
        say(f"{book['workbook']}: {'; '.join(remarks)}")


def _workbook(path: Path) -> dict[str, Any]:
    """How a workbook that runs worked on is now."""
    from batchbook.storage import owner_of, read_lock

    lock, owner = read_lock(path), owner_of(path)
    pending = path.with_name(f"{path.name}.batchbook-pending")
    return {
        "workbook": str(path),
        "state": "there" if path.exists() else "gone",
        "locked_by": f"locked by {lock}" if lock else None,
        "open_in": f"open: {owner}" if owner else None,
        "pending": f"a save waits in {pending.name}" if pending.exists() else None,
    }
