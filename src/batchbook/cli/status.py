"""`batchbook status`: what is unfinished, locked, waiting or lost here."""

from __future__ import annotations

from batchbook.cli.options import Json, OfWorkbook
from batchbook.cli.output import manner, say, show_json
from batchbook.cli.places import base_for


def status(workbook: OfWorkbook = None, json: Json = False) -> None:
    """Show unfinished runs, waiting saves, results that vanished, locks, and who has a workbook open.

    It only reads, and waits for nobody.
    """
    from batchbook.batch.history import no_ledger
    from batchbook.batch.overview import overview

    base = base_for(workbook)
    found = overview(base)
    if manner.json:
        show_json(
            {
                "folder": str(base.folder),
                "ledger": str(base.ledger) if base.ledger.exists() else None,
                "unfinished": [one.as_dict() for one in found.unfinished],
                "workbooks": [one.as_dict() for one in found.workbooks],
                "error": None,
            }
        )
        return
    say(f"folder: {base.folder}{'' if base.file else ' (no config/batchbook.yaml; the defaults hold)'}")
    if not base.ledger.exists():
        for line in no_ledger(base):
            say(line)
        return
    say(f"runs: {found.runs}, unfinished: {len(found.unfinished)}")
    for one in found.unfinished:
        say(f"  {one}")
    for book in found.workbooks:
        say(f"{book.workbook}: {'; '.join(book.remarks)}")
        for line in book.look.lines:
            say(f"  {line}")
