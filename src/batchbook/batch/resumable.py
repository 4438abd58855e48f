"""Whether there is a run to resume, asked where the workbook itself cannot be used."""

from __future__ import annotations

from batchbook.batch.assembly import Assembly, Clock
from batchbook.batch.checkpoints import CheckpointManager
from batchbook.batch.emptied import must_not_be_emptied
from batchbook.batch.start import StartRequest
from batchbook.errors import LedgerError
from batchbook.storage.ledger import Ledger, RunRecord
from batchbook.storage.links import followed


def resumable_run(assembly: Assembly, request: StartRequest, clock: Clock) -> str | None:
    """The unfinished run that a request would go on with, as far as the ledger can tell, whatever the workbook is.

    Nothing is locked or written. None also where the ledger cannot be read: then that is not known.
    """
    base = assembly.job.base
    try:
        must_not_be_emptied(base)
        ledger = Ledger.reading(base.ledger, root=base.folder, allow_network=base.state.allow_network)
        if ledger is None:
            return None
        with ledger:
            run = _newest_valid(ledger, assembly, request, clock)
            return run.id if run is not None and request.resumes(run.settings) else None
    except LedgerError:
        return None


def _newest_valid(ledger: Ledger, assembly: Assembly, request: StartRequest, clock: Clock) -> RunRecord | None:
    workbook = ledger.name_of(followed(assembly.job.target))
    for run in ledger.unfinished(workbook, assembly.job.job):
        # The sheet cannot be looked up now: it is taken to be the run's.
        manager = CheckpointManager(ledger, assembly.definition(request, workbook, run.sheet), clock)
        if any(one.valid and one.run.id == run.id for one in manager.candidates()):
            return run
    return None
