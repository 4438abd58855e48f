"""A job made ready to run: its processor, its columns, what its checkpoints must agree with."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from batchbook.batch.checkpoints import INPUT, Definition
from batchbook.batch.details import CONFLICT_SHEET, CONFLICTS, Details, must_be_ours
from batchbook.batch.judging import Judge
from batchbook.batch.loader import find_processor, make_processor
from batchbook.batch.processors import JobContext, Processor
from batchbook.batch.reportplace import must_be_no_workbook
from batchbook.batch.start import StartRequest
from batchbook.config import JobConfig, did_you_mean
from batchbook.errors import ConfigurationError, Finding, UsageError
from batchbook.storage.ledger import RunRecord
from batchbook.tables.inputfeed import LINE, InputFeed, open_whole
from batchbook.tables.inputs import InputTable, RowFile, file_digest
from batchbook.tables.records import RecordChange
from batchbook.tables.table import Table, TableSpec
from batchbook.tables.workspace import Workspace
from batchbook.xlsx import Book

Clock = Callable[[], dt.datetime]


@dataclass(frozen=True)
class Assembly:
    """A job and its processor."""

    job: JobConfig
    processor: Processor
    spec: TableSpec
    writes: tuple[str, ...]
    """The columns that the processor may write (the engine's marks not included)."""
    reference: Mapping[str, str]
    _examined: list[Workspace] = field(default_factory=list, compare=False, repr=False)

    def definition(self, request: StartRequest, workbook: str, sheet: str) -> Definition:
        """What a checkpoint of this job over a workbook (its name in the ledger) must agree with."""
        job = self.job
        return Definition(
            job=job.job,
            workbook=workbook,
            source=str(job.input or job.workbook),
            sheet=sheet,
            hash=job.definition_hash,
            processor=f"{job.processor} {self.processor.version}",
            reference=self.reference,
            max_age=job.resume_max_age,
            offline=request.offline,
        )

    def table(self, book: Book) -> Table:
        """The job's table in an opened workbook; its rows come from the input file where the job names one.

        ConfigurationError where sheets or headers are missing, those of the other sheets of its system too.
        """
        try:
            return self._table(book)
        except ConfigurationError as error:
            also = self._missing_besides(book)
            if also is None:
                raise
            raise _together(error, also) from error

    def _missing_besides(self, book: Book) -> ConfigurationError | None:
        """What the sheets of the processor's system lack, None where that is nothing."""
        if self.processor.system is not None:
            try:
                Workspace.without_rows(book, self.processor.system.types)
            except ConfigurationError as error:
                return error
        return None

    def _table(self, book: Book) -> Table:
        if self.job.input is not None and self.processor.input_only:
            return InputFeed(book, self.spec, self.job.input, self.processor.may_read, self.processor.order)
        if self.job.input is not None:
            return InputTable(book, self.spec, self.job.input)
        return Table(book, self.spec)

    def must_have_same_input(self, run: RunRecord) -> None:
        """UsageError where rows go by their numbers in the input, and those of a run are of another one."""
        if self.processor.input_only and _inputs(run.reference) != _inputs(self.reference):
            raise UsageError(
                f"The input is another one than that of run {run.id}, and a row of it is known by its number only.",
                "Import the file of that run's rejected rows, or the whole input with --start-fresh.",
            )

    def whole_input(self) -> RowFile:
        """The input of a job whose rows come from it alone, with all its columns."""
        assert self.job.input is not None
        return open_whole(self.spec, self.job.input, self.processor.may_read)

    def check_own_sheets(self, book: Book) -> None:
        """See that the sheets which the job fills as a whole hold nothing of a person; ConfigurationError otherwise."""
        sheets = dict(self.processor.details)
        if self.job.conflicts_sheet:
            sheets[CONFLICTS] = CONFLICT_SHEET
        for name, spec in sheets.items():
            must_be_ours(book, name, spec)

    def examine_records(self, book: Book) -> None:
        """Let a processor with a system look whether it can build on the records; what it raises passes through."""
        if self.processor.system is not None:
            workspace = Workspace.read(book, self.processor.system.types)
            self.processor.examine(workspace)
            self._examined[:] = [workspace]

    def examined(self) -> Workspace | None:
        """The records that were examined; given once, for whoever gets them stages on top."""
        return self._examined.pop() if self._examined else None

    def judge(
        self,
        *,
        date1904: bool,
        clock: Clock,
        known: Details,
        waits_for: Callable[[RecordChange], str | None] | None = None,
    ) -> Judge:
        """The judge of this job's rows; `known` is what the detail sheets hold now, `waits_for` see there."""
        return Judge(
            writes=frozenset(self.writes),
            marks=self.job.marks,
            clear_problems=self.job.on_problem == "clear",
            details=self.processor.details,
            waits_for=waits_for,
            date1904=date1904,
            clock=clock,
            known_details=known,
        )


def assemble(job: JobConfig, request: StartRequest, clock: Clock) -> Assembly:
    """Load the job's processor and settle which columns it works on.

    Raises ConfigurationError where something does not fit.
    """
    target = find_processor(job)
    kind: type[Processor] | None = target.target if target.is_class else None
    defaults = dict(kind.columns) if kind else {}
    headers = {name: (h,) if isinstance(h, str) else tuple(h) for name, h in defaults.items()} | dict(job.columns)
    writes = job.writes if job.writes is not None else (kind.writes if kind else None)
    if writes is None:
        raise ConfigurationError(
            f"The job {job.path.name} does not say which columns it writes.",
            "Add `writes: [Column, ...]`: the only columns that the job may ever change.",
        )
    if kind is not None and (kind.writes or kind.may_write):
        _must_be_known(job, writes, kind)
    reads = job.reads if job.reads is not None else (kind.reads if kind else None)
    marks = job.marks.columns()
    spec = TableSpec(
        sheet=job.sheet,
        header_row=job.header_row,
        key=job.key,
        headers=headers,
        reads=reads,
        writes=tuple(dict.fromkeys((*writes, *marks))),
        changes=kind.changes if kind is not None else (),
    )
    base = job.base
    context = JobContext(frozenset(writes), base.folder, request.offline, clock(), base.cache, base.zone, base.sections)
    processor = make_processor(job, target, context)
    _must_have_key(job, processor)
    if processor.system is not None:
        _must_fit_system(job, processor)
    must_be_no_workbook(job, processor, context.now)
    reference = dict(processor.reference_dates())
    if job.input is not None:
        reference[f"{INPUT}{job.input.name}"] = file_digest(job.input)
    return Assembly(job, processor, spec, tuple(writes), reference)


def _together(error: ConfigurationError, also: ConfigurationError) -> ConfigurationError:
    """Two errors about one workbook as one, of the first one's kind, with each finding once."""
    named = {(finding.sheet, finding.message) for finding in also.findings}
    own = [finding for finding in error.findings if (finding.sheet, finding.message) not in named]
    if not own and (error.findings or (None, error.what) in named):
        return type(error)(also.what, also.advice, findings=also.findings)
    advice = " ".join(dict.fromkeys([error.advice, also.advice]))
    return type(error)(f"{error.what} {also.what}", advice, findings=[*own, *also.findings])


def _inputs(reference: Mapping[str, str]) -> set[str]:
    """The digests of the input: its name does not count."""
    return {digest for name, digest in reference.items() if name.startswith(INPUT)}


def _must_have_key(job: JobConfig, processor: Processor) -> None:
    """Details are found again by the row's key: a sheet that holds another number of key columns would lose them."""
    for name, sheet in processor.details.items():
        if sheet.key != len(job.key):
            raise ConfigurationError(
                f"The sheet {name!r} of this processor holds rows by {sheet.key} key column(s), "
                f"but the job {job.path.name} has {len(job.key)}: {', '.join(job.key)}.",
                f"Give `key:` {sheet.key} column(s).",
            )


def _must_fit_system(job: JobConfig, processor: Processor) -> None:
    """A processor of records writes whole records of its system, and nothing beside them."""
    cells = {"writes": job.writes, "marks": job.marks.columns(), "conflicts_sheet": job.conflicts_sheet}
    findings = [
        Finding(f"{name} is for jobs that write cells of their rows; this one changes records", job.path.name)
        for name, given in cells.items()
        if given
    ]
    if processor.input_only and job.input is None:
        findings.append(Finding("the rows come from a file: give `input: FILE` (or --input FILE)", job.path.name))
    if processor.input_only and job.key != (LINE,):
        findings.append(Finding(f"key must be [{LINE}], the row number in the input", job.path.name, value=job.key))
    if findings:
        raise ConfigurationError(
            f"The job {job.path.name} does not fit its processor.", "Mend the places named.", findings=findings
        )


def _must_be_known(job: JobConfig, given: tuple[str, ...], kind: type[Processor]) -> None:
    known = (*kind.writes, *kind.may_write)
    findings = [
        Finding(f"writes names {name!r}, which the processor does not fill{did_you_mean(name, known)}", job.path.name)
        for name in given
        if name not in known
    ]
    if findings:
        further = f"; where `writes:` names them also: {', '.join(kind.may_write)}" if kind.may_write else ""
        raise ConfigurationError(
            f"The job {job.path.name} asks for columns that its processor does not fill.",
            f"It fills: {', '.join(kind.writes)}{further}.",
            findings=findings,
        )
