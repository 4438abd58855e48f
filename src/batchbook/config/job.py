"""A job: its file, the base configuration, the environment and the caller's overrides as one checked object."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from batchbook.config.base import BaseConfig, find_base, read_base
from batchbook.config.checking import check, finding_at, known_keys
from batchbook.config.environment import lay_environment
from batchbook.config.layers import Layers
from batchbook.config.models import BatchSettings, JobFile, Marks, SaveSettings, Select
from batchbook.config.suggest import did_you_mean
from batchbook.config.yamlfile import read_settings
from batchbook.errors import ConfigurationError, Finding


@dataclass(frozen=True, slots=True)
class JobConfig:
    """A checked job, its paths absolute."""

    path: Path
    """The job file."""
    base: BaseConfig
    job: str
    workbook: Path
    input: Path | None
    output: Path | None
    sheet: str | None
    header_row: int | None
    key: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]]
    processor: str
    reads: tuple[str, ...] | None
    writes: tuple[str, ...] | None
    select: Select
    batch: BatchSettings
    save: SaveSettings
    fail_on: tuple[str, ...]
    marks: Marks
    on_problem: str
    person_edits: Mapping[str, str]
    """``on_person_edit`` by column; ``*`` stands for all that are not named."""
    on_bad_key: str
    on_open: str
    conflicts_sheet: bool
    resume_max_age: timedelta
    options: Mapping[str, Any]
    definition_hash: str
    """Of all that matters for results: a checkpoint of another definition cannot be resumed."""

    @property
    def target(self) -> Path:
        """The workbook that is written: the output where there is one."""
        return self.output or self.workbook

    def headers(self, column: str) -> tuple[str, ...]:
        """The headers a column can have: those of its own name, else the name itself."""
        return self.columns.get(column, (column,))

    def on_person_edit(self, column: str) -> str:
        """``keep`` or ``overwrite`` for a column."""
        return self.person_edits.get(column, self.person_edits.get("*", "keep"))

    def strategy_problems(self) -> list[str]:
        """Parameters of the chosen strategy that are out of range; the run goes on as fixed, with a warning."""
        own = self.batch.own_parameters()
        return [said for name, said in self.batch.problems().items() if name in own]

    def idle_problems(self) -> list[str]:
        """Parameters out of range that belong to other strategies than the chosen one: worth a warning, no more."""
        own = self.batch.own_parameters()
        return [said for name, said in self.batch.problems().items() if name not in own]


def load_job(
    path: Path,
    overrides: Mapping[str, object] | None = None,
    environ: Mapping[str, str] = os.environ,
    *,
    folder: Path | None = None,
) -> JobConfig:
    """A job file as a checked job; ConfigurationError with everything that is wrong, in all its sources.

    Overrides name settings by dots (``{"batch.size": 20, "output": "x.xlsx"}``) and win over environment variables,
    which win over the file, which wins over the defaults of the base configuration. folder: the base folder of a job
    file that lies elsewhere, such as one that is installed with a system; left out: found above the job file.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100 - a link in the path stays one
    file = read_settings(path)
    base, findings = read_base(folder or find_base(job_file=path), environ)
    layers = Layers()
    layers.add_defaults(base.defaults if base else {})
    layers.add_file(file)
    findings += lay_environment(layers, JobFile, environ)
    overrides = dict(overrides or {})
    output, wrong_output = _output(overrides.pop("output", None))
    findings += wrong_output + _lay_overrides(layers, overrides)
    request, wrong = check(JobFile, layers)
    findings += wrong
    if request is not None:
        findings += _contradictions(request, layers)
    if findings or request is None or base is None:
        raise ConfigurationError(
            f"The job {path.name} cannot run as it is.", "Mend the places named.", findings=findings
        )
    return _config(path, base, request, output)


def _output(given: object) -> tuple[str | None, list[Finding]]:
    """The path of the output, which only a caller can ask for: a job file has no such key."""
    if given is None:
        return None, []
    if isinstance(given, (str, os.PathLike)) and str(given):
        return str(given), []
    return None, [Finding("must be the path of a workbook", file="override output", value=given)]


def _lay_overrides(layers: Layers, overrides: Mapping[str, object]) -> list[Finding]:
    findings = []
    known = known_keys(JobFile)
    for name, value in overrides.items():
        path = tuple(name.split("."))
        source = f"override {name}"
        if path[0] not in known or not all(path):
            findings.append(Finding(f"is not known{did_you_mean(path[0], known)}", file=source))
            continue
        layers.set(path, os.fspath(value) if isinstance(value, os.PathLike) else value, source)
    return findings


def _contradictions(request: JobFile, layers: Layers) -> list[Finding]:
    """What no single setting shows: settings that do not go together."""
    findings = []
    writes = request.writes or ()
    for place, name in enumerate(writes):
        if name in request.key:
            findings.append(finding_at(layers, ("writes", place), f"writes names {name!r}, which is part of the key"))
    for mark, name in request.marks.model_dump().items():
        if name is not None and name in request.key:
            findings.append(
                finding_at(layers, ("marks", mark), f"marks.{mark} names {name!r}, which is part of the key")
            )
    if request.select.mode == "stale" and request.marks.checked_at is None:
        said = "select: {stale: ...} needs marks.checked_at, the column that says when a row was checked"
        findings.append(finding_at(layers, ("select",), said))
    findings += _people_and_written(request, layers)
    if request.batch.strict:
        findings += [finding_at(layers, ("batch", name), said) for name, said in request.batch.problems().items()]
    return findings


def _people_and_written(request: JobFile, layers: Layers) -> list[Finding]:
    written = {*(request.writes or ()), *request.marks.columns(), "*"}
    if request.writes is None:
        return []
    return [
        finding_at(
            layers,
            ("on_person_edit", name),
            f"on_person_edit names {name!r}, which the job does not write{did_you_mean(name, written)}",
            of_key=True,
        )
        for name in request.on_person_edit
        if name not in written
    ]


def _config(path: Path, base: BaseConfig, request: JobFile, output: str | None) -> JobConfig:
    return JobConfig(
        path=path,
        base=base,
        job=request.job,
        workbook=base.resolve(request.workbook),
        input=base.resolve(request.input) if request.input else None,
        output=base.resolve(output) if output else None,
        sheet=request.sheet,
        header_row=request.header_row,
        key=request.key,
        columns=request.columns,
        processor=request.processor,
        reads=request.reads,
        writes=request.writes,
        select=request.select,
        batch=request.batch,
        save=request.save,
        fail_on=request.fail_on,
        marks=request.marks,
        on_problem=request.on_problem,
        person_edits=request.on_person_edit,
        on_bad_key=request.on_bad_key,
        on_open=request.on_open,
        conflicts_sheet=request.conflicts_sheet,
        resume_max_age=request.resume_max_age,
        options=request.options,
        definition_hash=_definition_hash(base, request, output),
    )


# How rows are grouped, saved and counted, and where, changes no result.
_NO_MATTER_FOR_RESULTS = {"batch", "save", "on_open", "fail_on", "resume_max_age"}


def _definition_hash(base: BaseConfig, request: JobFile, output: str | None) -> str:
    content = {**request.model_dump(exclude=_NO_MATTER_FOR_RESULTS), "output": output}
    for name in ("workbook", "input", "output"):
        if content[name] is not None:
            content[name] = _movable(base, content[name])
    canonical = json.dumps(
        content, sort_keys=True, ensure_ascii=False, default=lambda value: f"{type(value).__name__}:{value}"
    )
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def _movable(base: BaseConfig, path: str) -> str:
    """A path as seen from the base folder, so that a folder that was moved keeps its checkpoints."""
    resolved = base.resolve(path)
    return resolved.relative_to(base.folder).as_posix() if resolved.is_relative_to(base.folder) else str(resolved)
