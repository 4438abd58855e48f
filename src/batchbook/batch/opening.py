"""How a run begins: fresh, resumed, from a row or batch, or only what failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from batchbook.batch.assembly import Assembly
from batchbook.batch.checkpoints import Candidate, CheckpointManager
from batchbook.batch.delivery import Settle, deliver_results
from batchbook.batch.history import find_run, must_have_details
from batchbook.batch.interrupt import StopToken
from batchbook.batch.outcomes import Outcome
from batchbook.batch.progress import Listener, Resumed, Warned
from batchbook.batch.readagain import READ, as_read
from batchbook.batch.recordwork import record_settings, this_user
from batchbook.batch.recovery import difference, restore_checkpoint, runs_not_known
from batchbook.batch.selection import Selector, must_have_keys
from batchbook.batch.start import Decisions, OnChange, StartRequest
from batchbook.batch.waiting import is_there, open_settled
from batchbook.errors import BatchbookError, CannotResume, ChoiceNeeded, LedgerError, UsageError
from batchbook.storage.backups import BackupStore
from batchbook.storage.ledger import RunRecord
from batchbook.storage.owners import check_not_open
from batchbook.storage.restored import remember_restore
from batchbook.storage.runlog import RunLog, Selected
from batchbook.storage.savelog import saves_of, unsave
from batchbook.tables.keys import KeySet, key_of_text, matches
from batchbook.tables.table import Table
from batchbook.xlsx import Book

_OPTIONS = "--resume-auto, --start-fresh, --resume-from-row N or --resume-from-batch N"


@dataclass(frozen=True)
class Begun:
    """A run that is ready to work."""

    log: RunLog
    resumed: dict[str, Any] | None
    """For the result: run id, attempt, rows kept."""
    settle_first: bool = False
    """Bring what is in the ledger into the workbook before rows are taken (the workbook changed meanwhile)."""


class Opening:
    """Decides how a run begins and begins it. The caller holds the workbook's lock."""

    def __init__(
        self,
        assembly: Assembly,
        request: StartRequest,
        target: Path,
        manager: CheckpointManager,
        backups: BackupStore,
        *,
        decide: Decisions | None,
        listener: Listener,
        selector: Selector,
        settle: Settle,
        before_fresh: Callable[[bool], None],
        stop: StopToken,
    ) -> None:
        """`settle` saves the unsaved outcomes of a run (finally, or not).

        `before_fresh` makes the output, where it has to be made.
        """
        self._job = assembly.job
        self._table = assembly.table
        self._system = assembly.processor.system
        self._must_have_same_input = assembly.must_have_same_input
        self._request = request
        self._target = target
        self._manager = manager
        self._backups = backups
        self._decide = decide
        self._listen = listener
        self._selector = selector
        self._settle = settle
        self._before_fresh = before_fresh
        self._stop = stop

    def begin(self) -> Begun:
        """Begin the run that was asked for."""
        mode = self._request.mode
        if self._target.exists():
            deliver_results(self._manager, self._settle, self._job.fail_on, mode, self._warn)
        candidate = self._candidate() if mode != "fresh" or self._filters else None
        if mode == "ask" and candidate is not None:
            return self._ask(candidate)
        if mode == "auto" and candidate is not None and self._request.resumes(candidate.run.settings):
            return self._resume(candidate.run)
        if mode in ("row", "batch"):
            return self._from_point(candidate, mode, self._request.number or 0)
        if mode == "only-failed":
            return self._only_failed(candidate)
        return self._fresh_or_beside(candidate)

    @property
    def _filters(self) -> dict[str, Any]:
        return self._request.filters

    def _fresh_or_beside(self, candidate: Candidate | None) -> Begun:
        """A fresh run; one over some rows only leaves an unfinished run as it is, to be taken up later."""
        if self._filters:
            self._keep_results(candidate)
        return self._fresh()

    def _warn(self, message: str) -> None:
        self._listen(Warned(message))

    def _candidate(self) -> Candidate | None:
        """The newest unfinished run, if it can be resumed; why not is said aloud."""
        for candidate in self._manager.candidates():
            if candidate.valid and is_there(self._target, True, self._stop):
                return self._mended(candidate)
            self._warn(
                self._of_other_input(candidate.run)
                or f"run {candidate.run.id} cannot be resumed: {'; '.join(candidate.problems) or 'its output is gone'}"
            )
        return None

    def _of_other_input(self, run: RunRecord) -> str | None:
        """What becomes of an unfinished run over another input than this one; None where it is not of another one."""
        other = self._manager.other_input(run)
        if other is None:
            return None
        then, now = other
        log = RunLog(self._manager.ledger, run)
        there = sum(log.counts().values()) - log.unsaved()
        rows = f"{there:,} of its {run.selected:,} rows are done and in the workbook"
        stays = "it stays unfinished" if self._filters else "it is given up now"
        if then == now:
            begun = (
                f"run {run.id} over the input {then} is unfinished, and the file was changed since: {rows}, which stay"
            )
            return f"{begun}; {stays}, and this run takes all rows of {now} as it is now"
        begun = f"run {run.id} over the input {then} is unfinished: {rows}, which stay"
        again = f"start the same over {then} again: rows that are done already come out unchanged"
        return f"{begun}; {stays}, for this run takes {now}. For the rest of {then} {again}"

    def _mended(self, candidate: Candidate) -> Candidate:
        """The same run with nothing in its record that is not certain; what was damaged is said aloud."""
        run, lines = self._manager.mend(candidate.run)
        for line in (*lines, *self._put_back(run)):
            self._listen(Warned(f"run {run.id}: {line}"))
        return Candidate(run, ())

    def _put_back(self, run: RunRecord) -> Iterator[str]:
        """Results are unsaved again where the workbook is as it was before a save of this run (a restored backup)."""
        with Book.open(self._target) as book:
            digest = book.digest
        if digest == run.digest:
            return
        ledger = self._manager.ledger
        saves = [save for save in saves_of(ledger, run.id) if save.state == "saved" and save.new]
        before = [save.id for save in saves if save.old == digest]
        if before and saves[-1].new != digest:
            remember_restore(ledger, run.workbook, digest, "")
            count = unsave(ledger, run.id, [save.id for save in saves if save.id >= before[-1]])
            yield f"the workbook is as it was before save {before[-1]}; {count} results go in again"

    def _ask(self, candidate: Candidate) -> Begun:
        summary = self._manager.summary(candidate.run, workbook_changed=self._changed(candidate.run))
        if self._decide is None:
            raise ChoiceNeeded(
                f"An unfinished run exists and nobody is at a terminal to ask: {'; '.join(summary.lines)}.",
                f"Say how to start: {_OPTIONS}.",
            )
        choice = self._decide.start(summary)
        if choice == "resume":
            return self._resume(candidate.run)
        if choice == "fresh":
            return self._fresh_or_beside(candidate)
        if choice == "cancel":
            raise UsageError("Nothing was started; the checkpoint is kept.", f"Start again with {_OPTIONS}.")
        mode, number = choice
        return self._from_point(candidate, mode, number)

    # --- fresh -----------------------------------------------------------------------------------------------------

    def _fresh(
        self, *, only: KeySet | None = None, skip: int = 0, note: str = "", instead_of: str | None = None
    ) -> Begun:
        """A new run: instead of all unfinished ones where it does all rows, else instead of the one named."""
        selector = self._selector if only is None else replace(self._selector, only=only)
        whole = only is None and not skip and not self._filters
        self._say_what_is_not_known()
        self._before_fresh(whole)
        older = [run.id for run in self._manager.unfinished()] if whole else [instead_of or ""]
        with open_settled(self._target, self._stop) as book:
            table = self._table(book)
            index = table.keys()
            must_have_keys(self._job, table, index)
            rows = _skipped(selector.select(table, index), skip)
            log = self._manager.begin(
                rows, book.digest, self._request.mode, self._settings(table, whole), note, set_aside=older
            )
        if self._request.keys:
            self._name_missing_keys(log)
        return Begun(log, None)

    def _say_what_is_not_known(self) -> None:
        """Backups of runs that the ledger does not have: it is a new one, or one from before."""
        ledger = self._manager.ledger
        if self._backups.list() and not ledger.runs(workbook=self._manager.definition.workbook):
            self._warn(
                f"the ledger knows of no run over {self._target.name}, though there are backups of it: results that "
                "people wrote over cannot be told from the machine's, and are written anew"
            )
            return
        later = runs_not_known(ledger, self._backups)
        if later:
            self._warn(
                f"the ledger does not know run {', '.join(later)}, of which there are backups: it is from before, as "
                "it seems. What such runs wrote cannot be told from what people wrote: it stays, and is listed. "
                f"`batchbook backups restore {self._target.name}` puts a state back that the ledger knows"
            )

    def _name_missing_keys(self, log: RunLog) -> None:
        found = [key_of_text(selected.key) for selected in log.selection()]
        missing = [wanted for wanted in self._request.keys if not any(matches(key, [wanted]) for key in found)]
        if missing:
            self._listen(Warned(f"no row has the key {', '.join(map(repr, missing))} (--keys)"))

    def _settings(self, table: Table, whole: bool) -> dict[str, Any]:
        return {
            "partial": not whole or self._job.select.mode != "all" or self._system is not None,
            "rows": self._filters,
            "offline": self._request.offline,
            "batch": self._job.batch.model_dump(mode="json"),
            "held": True,
            "table": {
                "key": [table.title(name) for name in self._job.key],
                # The rows of an input are not in the workbook: nobody can change them there.
                READ: None if self._job.input is not None else as_read(table),
            },
            **self._record_settings(),
        }

    def _record_settings(self) -> dict[str, Any]:
        """What it takes to find the records again that the run changes."""
        if self._system is None:
            return {}
        with open_settled(self._target, self._stop) as book:
            return record_settings(book, self._system, self._request.user or this_user())

    def _only_failed(self, candidate: Candidate | None) -> Begun:
        wanted = find_run(self._manager.ledger, self._request.run or "")
        self._must_have_same_input(wanted)
        log = RunLog(self._manager.ledger, wanted)
        keys = KeySet(outcome.key for outcome in log.outcomes() if outcome.outcome == Outcome.FAILED)
        must_have_details(self._manager.ledger, wanted, "which of its rows failed is no longer known")
        if not len(keys):
            self._listen(Warned(f"run {wanted.id} has no failed rows; there is nothing to do"))
        self._keep_results(candidate)
        return self._fresh(only=keys, note=f"only the failed rows of run {wanted.id}")

    def _keep_results(self, candidate: Candidate | None) -> None:
        """Results of an unfinished run go into the workbook before another run touches it."""
        if candidate is not None:
            log = self._manager.resume(candidate.run, self._request.mode)
            try:
                self._settle(log, False)
            except LedgerError:
                raise
            except BatchbookError as error:
                self._manager.end(log, "interrupted", error.code, None)
                raise
            self._manager.end(log, "interrupted", "made way for another run", None)
            self._listen(Warned(f"run {log.run.id} is unfinished; its results so far are saved"))

    # --- resumed ---------------------------------------------------------------------------------------------------

    def _changed(self, run: RunRecord) -> bool:
        with open_settled(self._target, self._stop) as book:
            return book.digest != run.digest

    def _resume(self, run: RunRecord) -> Begun:
        changed = self._changed(run)
        summary = self._manager.summary(run, workbook_changed=changed)
        lines = list(summary.lines)
        choice: OnChange = self._request.on_change or "merge"
        if changed:
            with open_settled(self._target, self._stop) as book:
                found = difference(RunLog(self._manager.ledger, run), self._table(book))
            lines += found.lines
            if self._request.on_change is None and self._decide is not None:
                answer = self._decide.changed(summary, found)
                if answer == "cancel":
                    raise UsageError("Nothing was started; the checkpoint is kept.", "Give --on-change to choose.")
                choice = answer
            lines.append(f"on the change: {choice}")
        log = self._manager.resume(run, self._request.mode)
        self._listen(Resumed(run.id, tuple(lines)))
        if changed and choice != "merge":
            log = self._take_side(log, choice)
        kept = sum(log.counts().values())
        resumed = {"run_id": run.id, "attempt": self._manager.attempt, "rows_kept": kept}
        # Results that add rows hold the places that these rows had; what is taken now must come after them.
        return Begun(log, resumed, settle_first=changed or (self._job.input is not None and log.unsaved() > 0))

    def _take_side(self, log: RunLog, choice: OnChange) -> RunLog:
        ledger = self._manager.ledger
        if choice == "checkpoint":
            check_not_open(self._target)  # with `on_open: later` it may be
            restore_checkpoint(ledger, log.run, self._backups, self._warn)
        else:
            log.drop_unsaved(self._manager.attempt, self._manager.now())
        run = ledger.run(log.run.id)
        assert run is not None
        return RunLog(ledger, run)

    # --- from a row or batch ---------------------------------------------------------------------------------------

    def _from_point(self, candidate: Candidate | None, mode: str, number: int) -> Begun:
        if candidate is None:
            if mode == "batch":
                raise CannotResume(
                    f"There is no unfinished run that has a batch {number}.",
                    "Start with --start-fresh or --resume-auto.",
                )
            return self._fresh(skip=number - 1, note=f"from row {number} of the selection")
        log = RunLog(self._manager.ledger, candidate.run)
        first = self._first_ordinal(log, mode, number)
        trouble = self._not_as_expected(log, first)
        if trouble and not self._request.force:
            expected, current = trouble
            answer = self._decide.mismatch(expected, current) if self._decide else "cancel"
            if answer == "fresh":
                return self._fresh()
            if answer == "cancel":
                raise CannotResume(
                    f"The workbook is not in the state expected at {mode} {number}. "
                    f"Expected: {expected}. Found: {current}.",
                    "Go on all the same with --force-continue, or use --resume-auto or --start-fresh.",
                )
        keys = KeySet(selected.key for selected in log.selection() if selected.ordinal >= first)
        kept = sum(1 for outcome in log.outcomes() if outcome.ordinal < first)
        self._keep_results(candidate)
        begun = self._fresh(only=keys, note=f"run {candidate.run.id} from {mode} {number}", instead_of=candidate.run.id)
        resumed = {"run_id": candidate.run.id, "attempt": self._manager.attempt, "rows_kept": kept}
        self._listen(Resumed(candidate.run.id, (f"it goes on from {mode} {number}: {len(keys)} rows",)))
        return Begun(begun.log, resumed)

    def _first_ordinal(self, log: RunLog, mode: str, number: int) -> int:
        if mode == "row":
            if not 1 <= number <= log.run.selected:
                raise UsageError(
                    f"There is no row {number} in run {log.run.id}.", f"It has rows 1 to {log.run.selected}."
                )
            return number
        batches = {batch["batch"]: batch["first"] for batch in log.batches()}
        last = max(batches, default=0)
        if number == last + 1:
            return next((selected.ordinal for selected in log.selection(pending=True)), log.run.selected + 1)
        if batches.get(number) is None:
            raise UsageError(
                f"There is no batch {number} in run {log.run.id}.",
                f"It has batches 1 to {last}; {last + 1} is the next one.",
            )
        return int(batches[number])

    def _not_as_expected(self, log: RunLog, first: int) -> tuple[str, str] | None:
        ended = sum(1 for outcome in log.outcomes() if outcome.ordinal < first)
        changed = self._changed(log.run)
        if ended == first - 1 and not changed:
            return None
        state = "changed since by someone else" if changed else "as the run left it"
        return (
            f"rows 1 to {first - 1} have a result and the workbook is as the run left it",
            f"{ended} of these {first - 1} rows have a result and the workbook is {state}",
        )


def _skipped(rows: Iterator[Selected], skip: int) -> Iterator[Selected]:
    """Rows but for the first few; UsageError where there are no more (the run is not begun then)."""
    last = 0
    for selected in rows:
        last = selected.ordinal
        if last > skip:
            yield replace(selected, ordinal=last - skip)
    if skip and last <= skip:
        raise UsageError(f"There is no row {skip + 1}: {last} rows are selected.", "Give a row within the selection.")
