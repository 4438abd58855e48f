"""The job file's settings and their ranges."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from batchbook.config.checking import Duration, Settings, Text, Texts
from batchbook.config.durations import parse_duration

Strategy = Literal["fixed", "memory-adaptive", "time-based"]
Outcome = Literal["rejected", "unknown", "failed", "gone"]
PersonEdit = Literal["keep", "overwrite"]

LARGEST_SIZE = 10_000
_NAME = re.compile(r"\w[\w.-]{0,99}")


class BatchSettings(Settings):
    """``batch:``, how rows are grouped, tried and recorded.

    The strategies' own parameters (size, memory_threshold, time_based_interval) stay as given even out of range,
    because a run then goes on as fixed with a warning; `problems` says which. Only ``strict: true`` makes them errors.
    """

    strategy: Strategy = Field(default="memory-adaptive", description="fixed, memory-adaptive or time-based")
    size: int = Field(default=10, description="a whole number from 1 to batch.max_batch_size")
    checkpoint_frequency: int = Field(default=5, ge=1, description="a whole number of batches, 1 or more")
    memory_threshold: float = Field(default=0.8, description="a number above 0 and up to 1")
    time_based_interval: float = Field(default=300.0, description="a number of seconds above 0")
    max_retry_attempts: int = Field(default=3, ge=1, description="a whole number of tries, 1 or more")
    concurrency: int = Field(default=5, ge=1, le=64, description="a whole number from 1 to 64")
    max_batch_size: int = Field(
        default=100, ge=1, le=LARGEST_SIZE, description=f"a whole number from 1 to {LARGEST_SIZE}"
    )
    strict: bool = Field(default=False, description="true or false")

    def problems(self) -> dict[str, str]:
        """Strategy parameters that are out of range, each with what is allowed."""
        found: dict[str, str] = {}
        if not 1 <= self.size <= self.max_batch_size:
            more = "; a larger batch.max_batch_size must be asked for" if self.size > self.max_batch_size else ""
            found["size"] = f"batch.size is {self.size}, not a whole number from 1 to {self.max_batch_size}{more}"
        if not 0 < self.memory_threshold <= 1:
            found["memory_threshold"] = f"batch.memory_threshold is {self.memory_threshold}, not above 0 and up to 1"
        if not 0 < self.time_based_interval < math.inf:
            given = self.time_based_interval
            found["time_based_interval"] = f"batch.time_based_interval is {given}, not a number of seconds above 0"
        return found

    def own_parameters(self) -> frozenset[str]:
        """The strategy parameters that the chosen strategy works by."""
        by_strategy = {
            "fixed": {"size"},
            "memory-adaptive": {"size", "memory_threshold"},
            "time-based": {"size", "time_based_interval"},
        }
        return frozenset(by_strategy[self.strategy])

    @property
    def usable_size(self) -> int:
        """The size, or the nearest one that is in range."""
        return min(max(self.size, 1), self.max_batch_size)


class SaveSettings(Settings):
    """``save:``, how much of the time saving may take."""

    max_overhead: float = Field(
        default=0.05, gt=0, le=1, allow_inf_nan=False, description="a share of the time, above 0 and up to 1"
    )


class Marks(Settings):
    """``marks:``, the columns (own name or header) in which the engine says what became of a row."""

    status: Text | None = Field(default=None, description="a column's own name or header")
    reason: Text | None = Field(default=None, description="a column's own name or header")
    checked_at: Text | None = Field(default=None, description="a column's own name or header")

    def columns(self) -> tuple[str, ...]:
        """The mark columns there are."""
        return tuple(name for name in (self.status, self.reason, self.checked_at) if name is not None)


class Select(Settings):
    """``select:``, which rows a run takes: ``all``, ``blank`` or ``{stale: 7d}``."""

    mode: Literal["all", "blank", "stale"] = "all"
    older_than: timedelta | None = None


_SELECT = "must be all, blank or {stale: DURATION} such as {stale: 7d}"


def _select(value: Any) -> Any:
    if isinstance(value, Select):
        return value
    if value == "all" or value == "blank":
        return Select(mode=value)
    if isinstance(value, Mapping) and set(value) == {"stale"} and isinstance(value["stale"], str):
        try:
            return Select(mode="stale", older_than=parse_duration(value["stale"]))
        except ValueError:
            raise ValueError(f"{_SELECT}; {value['stale']!r} is no duration") from None
    raise ValueError(_SELECT)


def _headers(value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise ValueError("must be a mapping of own names to headers, such as {version: Version}")
    columns: dict[str, tuple[str, ...]] = {}
    taken: dict[str, str] = {}
    for name, headers in value.items():
        listed = [headers] if isinstance(headers, str) else list(headers) if isinstance(headers, (list, tuple)) else []
        if not listed or not all(isinstance(header, str) and header.strip() for header in listed):
            raise ValueError(f"must give {name} a header or a list of headers; headers like numbers need quotes")
        for header in listed:
            if taken.setdefault(header, name) != name:
                raise ValueError(f"must not give the header {header!r} to both {taken[header]} and {name}")
        columns[name] = tuple(listed)
    return columns


def _person_edit(value: Any) -> Any:
    said = "must be keep or overwrite, or a mapping of columns to one of them"
    if isinstance(value, str):
        value = {"*": value}
    if not isinstance(value, Mapping) or not value:
        raise ValueError(said)
    wrong = [name for name, choice in value.items() if choice not in ("keep", "overwrite")]
    if wrong:
        raise ValueError(said + (f"; wrong for {', '.join(wrong)}" if wrong != ["*"] else ""))
    return dict(value)


def _job_name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("must be a name of letters, digits, '-', '_' and '.', at most 100 long")
    return value


class JobDefaults(Settings):
    """What a job can leave to ``defaults:`` of the base configuration."""

    batch: BatchSettings = BatchSettings()
    save: SaveSettings = SaveSettings()
    fail_on: Annotated[tuple[Outcome, ...], BeforeValidator(lambda v: tuple(v) if isinstance(v, list) else v)] = Field(
        default=("rejected", "failed", "gone"), description="a list of rejected, unknown, failed, gone"
    )
    marks: Marks = Marks()
    on_problem: Literal["clear", "keep"] = "clear"
    on_person_edit: Annotated[dict[str, PersonEdit], BeforeValidator(_person_edit)] = Field(default={"*": "keep"})
    on_bad_key: Literal["reject", "refuse"] = "reject"
    on_open: Literal["refuse", "wait", "later"] = "refuse"
    conflicts_sheet: bool = Field(default=False, description="true or false")
    resume_max_age: Duration = timedelta(hours=24)


class JobFile(JobDefaults):
    """A job file's content."""

    job: Annotated[Text, AfterValidator(_job_name)] = Field(description="the job's name")
    workbook: Text = Field(description="the path of the workbook")
    input: Text | None = Field(default=None, description="the path of a CSV or XLSX file to bring rows in from")
    sheet: Text | None = Field(default=None, description="the name of a sheet")
    header_row: int | None = Field(default=None, ge=1, le=1_048_576, description="a row number from 1 to 1048576")
    key: Texts = Field(min_length=1, description="a list of one or more columns")
    columns: Annotated[dict[str, tuple[str, ...]], BeforeValidator(_headers)] = Field(default={})
    processor: Text = Field(description="a module and what it holds, as in package.module:Name, or a registered name")
    reads: Texts | None = Field(default=None, description="a list of columns")
    writes: Texts | None = Field(default=None, description="a list of columns")
    select: Annotated[Select, BeforeValidator(_select)] = Select()
    options: dict[str, Any] = Field(default={}, description="a mapping of the processor's own settings")
