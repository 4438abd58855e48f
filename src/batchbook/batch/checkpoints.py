"""CheckpointManager: the durable state of runs, kept in the ledger."""

from __future__ import annotations

import datetime as dt
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batchbook.batch.outcomes import RowOutcome
from batchbook.batch.recorded import packed_changes
from batchbook.batch.start import ResumeSummary, duration
from batchbook.storage.hosts import this_process
from batchbook.storage.ledger import Ledger, RunRecord, Times
from batchbook.storage.mending import mend
from batchbook.storage.runlog import Checkpoint, RunLog, Selected, StoredOutcome
from batchbook.tables.codec import canonical, decanonical, dumps, pack_rows, same
from batchbook.tables.keys import key_of_text, key_shown
from batchbook.xlsx.values import CellValue

INPUT = "input "
"""What begins the name of the input's digest among the reference data of a run."""


@dataclass(frozen=True, slots=True)
class Definition:
    """What a checkpoint must agree with to be resumed."""

    job: str
    workbook: str
    """The workbook that is written: its name in the ledger."""
    source: str
    sheet: str
    hash: str
    processor: str
    reference: Mapping[str, str]
    max_age: dt.timedelta
    offline: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """An unfinished run, and what stands against resuming it."""

    run: RunRecord
    problems: tuple[str, ...]

    @property
    def valid(self) -> bool:
        """Whether it can be resumed."""
        return not self.problems


class CheckpointManager:
    """Begins, resumes and ends runs in the ledger, and makes outcomes durable."""

    def __init__(self, ledger: Ledger, definition: Definition, clock: Callable[[], dt.datetime]) -> None:
        self.ledger = ledger
        self.definition = definition
        self.clock = clock
        self._attempt = 0

    def now(self) -> str:
        """The present moment as the ledger records it."""
        return self.clock().isoformat(timespec="milliseconds")

    # --- what there is ---------------------------------------------------------------------------------------------

    def candidates(self) -> list[Candidate]:
        """Unfinished runs of this job over this workbook, newest first, each with what stands against it."""
        return [Candidate(run, tuple(self._problems(run))) for run in self.unfinished()]

    def unfinished(self) -> list[RunRecord]:
        """Unfinished runs of this job over this workbook, newest first."""
        return self.ledger.unfinished(self.definition.workbook, self.definition.job)

    def other_input(self, run: RunRecord) -> tuple[str, str] | None:
        """The names of the input that an unfinished run read, and of the one that is read now; None: it is the same.

        The names are the same where the file was changed.
        """
        then, now = input_of(run.reference), input_of(self.definition.reference)
        return None if then is None or now is None or then == now else (then[0], now[0])

    def unfit(self, run: RunRecord) -> list[str]:
        """Why results of a run cannot be brought in as this job's: another definition or sheet, damage."""
        asked, problems = self.definition, []
        if run.definition != asked.hash:
            problems.append("the job definition is another one now")
        if RunLog(self.ledger, run).selection_hash() != run.selection_hash:
            problems.append("its list of rows is damaged")
        if run.sheet != asked.sheet:
            problems.append(f"the sheet is {asked.sheet!r} now, then {run.sheet!r}")
        return problems

    def _problems(self, run: RunRecord) -> list[str]:
        asked, problems = self.definition, self.unfit(run)
        if run.settings.get("offline", False) != asked.offline:
            problems.append(f"it was started {'with' if run.settings.get('offline') else 'without'} --offline")
        if run.processor != asked.processor:
            problems.append(f"the processor is another version now ({asked.processor}, then {run.processor})")
        if dict(run.reference) != dict(asked.reference):
            problems.append(f"reference data changed: {_difference(run.reference, asked.reference)}")
        if RunLog(self.ledger, run).selection_hash() != run.selection_hash:
            problems.append("its list of rows is damaged")
        if run.sheet != asked.sheet:
            problems.append(f"the sheet is {asked.sheet!r} now, then {run.sheet!r}")
        try:
            age = self.clock() - dt.datetime.fromisoformat(run.active)
        except (TypeError, ValueError):
            problems.append(f"when it was last active cannot be read ({run.active!r})")
            return problems
        if age > asked.max_age:
            problems.append(
                f"it was last active {duration(age.total_seconds())} ago, "
                f"longer than resume_max_age ({duration(asked.max_age.total_seconds())})"
            )
        return problems

    def summary(self, run: RunRecord, *, workbook_changed: bool) -> ResumeSummary:
        """What a person should know before a run is taken up again."""
        log = RunLog(self.ledger, run)
        counts = log.counts()
        done = sum(counts.values())
        batches = list(log.batches())
        seconds = sum(batch["seconds"] for batch in batches)
        left = seconds / done * (run.selected - done) if done else None
        return ResumeSummary(
            run=run.id,
            job=run.job,
            started=run.started,
            active=run.active,
            attempts=len(self.ledger.attempts(run.id)) + 1,
            selected=run.selected,
            done=done,
            counts=counts,
            batches=len(batches),
            seconds_left=left,
            workbook_changed=workbook_changed,
            checkpoints=tuple(_line(point) for point in reversed(log.checkpoints())),
        )

    # --- runs ------------------------------------------------------------------------------------------------------

    def begin(
        self,
        rows: Iterable[Selected],
        digest: str,
        how: str,
        settings: Mapping[str, Any],
        note: str = "",
        *,
        set_aside: Sequence[str] = (),
    ) -> RunLog:
        """A new run with its selection; it takes the place of the unfinished runs named in `set_aside`."""
        RunLog.stage_selection(self.ledger, rows)
        now, asked = self.now(), self.definition
        name = new_run_id(self.ledger, self.clock())
        run = RunRecord(
            id=name, job=asked.job, workbook=asked.workbook, source=asked.source, sheet=asked.sheet,
            definition=asked.hash, processor=asked.processor, reference=dict(asked.reference), settings=dict(settings),
            started=now, active=now, ended=None, status="running", selected=0, selection_hash="", digest=digest,
            note=note, summary=None,
        )  # fmt: skip
        with self.ledger.transaction():
            for older in self.unfinished():
                if older.id in set_aside:
                    self._set_aside(older, name)
            self.ledger.add_run(run)
            selected, selection_hash = RunLog.write_selection(self.ledger, name)
            self.ledger.update_run(name, selected=selected, selection_hash=selection_hash)
            self._attempt = self.ledger.add_attempt(name, now, this_process(), how)
        stored = self.ledger.run(name)
        assert stored is not None
        return RunLog(self.ledger, stored)

    def _set_aside(self, older: RunRecord, newer: str) -> None:
        self.ledger.update_run(older.id, status="superseded", ended=self.now(), note=f"set aside by run {newer}")
        RunLog(self.ledger, older).clear_state()

    def mend(self, run: RunRecord) -> tuple[RunRecord, tuple[str, ...]]:
        """Take back what the record of a run does not prove; gives the run as it is then, and what was damaged."""
        found = mend(RunLog(self.ledger, run))
        mended = self.ledger.run(run.id)
        assert mended is not None
        return mended, found.lines

    def resume(self, run: RunRecord, how: str) -> RunLog:
        """Take up a run again, whose record is known to be sound (`mend`)."""
        log = RunLog(self.ledger, run)
        log.by_key_only = log.unsaved() > 0  # whoever left them may have known that and died
        with self.ledger.transaction():
            self.ledger.update_run(run.id, status="running", ended=None, active=self.now())
            self._attempt = self.ledger.add_attempt(run.id, self.now(), this_process(), how)
        return log

    @property
    def attempt(self) -> int:
        """The number of this process's attempt at the run."""
        return self._attempt

    def commit(
        self, log: RunLog, batch: int, outcomes: Sequence[RowOutcome], seconds: float, *, moved: bool = False
    ) -> None:
        """Make outcomes durable; LedgerError where that fails, after which the process has to end.

        moved: the rows were not taken from the workbook that they were selected in, so that people may have changed
        what they held meanwhile.
        """
        ordinals = [outcome.taken.ordinal for outcome in outcomes]
        earlier = log.earlier(ordinals)
        known = moved and log.run.settings.get("held", False)
        held = log.held(ordinals) if known else {}
        kept = []
        for outcome in outcomes:
            place = outcome.taken.ordinal
            one = stored(outcome, earlier.get(place, ()), held.get(place, "{}") if known else None)
            kept.append(one)
            log.by_key_only = log.by_key_only or (known and _differs(one, outcome))
        log.commit(batch, self._attempt, kept, self.now(), seconds)

    def end(
        self,
        log: RunLog,
        status: str,
        result: str,
        summary: Mapping[str, Any] | None,
        times: Times | None = None,
        *,
        note: str = "",
    ) -> None:
        """Record how this attempt ended; a run that completed gives up its resumable state, its history stays.

        note: what the run's note has from now on, behind what it was begun with.
        """
        now = self.now()
        with self.ledger.transaction():
            self.ledger.update_run(log.run.id, status=status, ended=now, active=now, summary=summary)
            if note:
                self.ledger.update_run(log.run.id, note="; ".join(filter(None, [log.run.note, note])))
            self.ledger.end_attempt(log.run.id, self._attempt, now, result)
            if times is not None:
                self.ledger.keep_times(log.run.id, self._attempt, times)
            if status in ("completed", "completed_with_failures"):
                log.clear_state()


def _differs(one: StoredOutcome, outcome: RowOutcome) -> bool:
    """Whether an outcome counts something else as held than what was read with the row."""
    read = outcome.taken.table_row.taken
    return any(not same(value, read.get(name)) for name, value in decanonical(one.taken).items())


def stored(
    outcome: RowOutcome, earlier: Sequence[tuple[str, str, bool]] = (), held: str | None = None
) -> StoredOutcome:
    """An outcome as the ledger keeps it. Of what the row held, the columns to be written are enough.

    earlier: outcomes of a row that is done again (`RunLog.earlier`). What counts as held is then what the run left
    there: what it wrote, else what it found at first. Anything else that is there now, a person put there meanwhile.
    held: what the row held when it was selected, blanks left out; None where that is what was read.
    """
    row = outcome.taken.table_row
    before = {name: row.taken.get(name) for name in outcome.writes}
    left: dict[str, CellValue] = {} if held is None else {**dict.fromkeys(before), **decanonical(held)}
    for taken, writes, saved in earlier:
        left = {**decanonical(taken), **left, **(decanonical(writes) if saved else {})}
    before.update((name, value) for name, value in left.items() if name in before)
    details: dict[str, Any] = {sheet: {"rows": pack_rows(rows)} for sheet, rows in outcome.details.items()}
    details.update(packed_changes(outcome.changes))  # a system's sheets are no detail sheets
    return StoredOutcome(
        ordinal=outcome.taken.ordinal,
        key=outcome.taken.key,
        number=row.number,
        outcome=outcome.outcome.value,
        reason=outcome.reason,
        inputs=row.row.digest(),
        taken=canonical(before),
        writes=canonical(outcome.writes),
        details=dumps(details),
    )


def input_of(reference: Mapping[str, str]) -> tuple[str, str] | None:
    """The input of a run by its reference data: the file's name and its digest; None where it has none."""
    found = ((name.removeprefix(INPUT), digest) for name, digest in reference.items() if name.startswith(INPUT))
    return next(found, None)


def _difference(then: Mapping[str, str], now: Mapping[str, str]) -> str:
    names = sorted(then.keys() | now.keys())
    return "; ".join(
        f"{name} was {then.get(name, 'absent')}, is {now.get(name, 'absent')} now"
        for name in names
        if then.get(name) != now.get(name)
    )


def _line(point: Checkpoint) -> str:
    done = sum(point.counts.values())
    return f"checkpoint {point.number}: batch {point.batch}, {point.at}, {done} rows done"


def new_run_id(ledger: Ledger, now: dt.datetime, verb: str = "") -> str:
    """An id for a run, or for what `verb` names, that the ledger does not have (see `is_run_id`)."""
    begin = f"{now:%Y%m%d-%H%M%S}-{verb}-" if verb else f"{now:%Y%m%d-%H%M%S}-"
    while ledger.run(name := begin + secrets.token_hex(2)) is not None:
        continue  # one of the same second drew the same number
    return name


def is_run_id(text: str) -> bool:
    """Whether a text is the id of a run, an undo or a reapply."""
    return re.fullmatch(r"\d{8}-\d{6}-(?:[a-z]+-)?[0-9a-f]{4}", text) is not None


def shown_key(text: str) -> str:
    """A key text of the ledger as people see it."""
    return key_shown(key_of_text(text))
