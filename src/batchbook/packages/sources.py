"""Where advisories are looked up: sources with a name and a date.

A source that cannot be read in full stops the run at its start, with every place named. An empty source would make
every package look safe.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from batchbook.errors import ConfigurationError, Finding
from batchbook.packages.documents import SIDECAR, documents, parse_yaml
from batchbook.packages.records import Advisory, RecordError, read_record
from batchbook.packages.wording import quoted


class SourceUnreachable(Exception):
    """A source could not be asked about a package; the message says why."""


class NotAsked(Exception):
    """A source was not asked on purpose, as in offline mode without a stored answer; the message says why."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a source says of a package: all its records, the withdrawn ones too, and the day of that answer (ISO)."""

    records: Sequence[Advisory]
    date: str
    missing: str = ""
    """Why some records that it is known to have could not be had; blank where these are all."""


class AdvisorySource(Protocol):
    """Where advisories are looked up."""

    @property
    def name(self) -> str:
        """What the source is called in results."""
        ...

    @property
    def reference_date(self) -> str:
        """The date of what it knows, ISO; blank for a source whose answers each have a date of their own."""
        ...

    def lookup(self, name: str) -> Found:
        """All that is known of a package by its normalised name; may raise SourceUnreachable or NotAsked."""
        ...


@dataclass(frozen=True, slots=True)
class About:
    """What a sidecar file or the configuration says of a source."""

    name: str = ""
    date: str = ""


class FileAdvisories:
    """Advisories out of a file or folder, all read at the start."""

    def __init__(self, path: Path, name: str = "", date: str = "", now: dt.datetime | None = None) -> None:
        """Read everything below `path`; ConfigurationError with all findings where something cannot be read.

        Without a name or date given, those of the sidecar count; without a date there, the newest `modified` of a
        record of PyPI, as far as it is not after the day of `now`.
        """
        if not path.exists():
            raise ConfigurationError(f"There are no advisories at {path}.", "Mend `advisories:` in the job's options.")
        findings: list[Finding] = []
        about = read_sidecar(path, findings)
        records = _records(path, findings)
        self.by_package = _by_package(records)
        if not findings and not self.by_package:
            findings.append(Finding("holds no OSV record of a PyPI package", str(path)))
        self.name = name or about.name or "advisories"
        self.date = date or about.date or _newest(records, now or dt.datetime.now(dt.UTC))
        if not findings and not self.date:
            findings.append(
                Finding("no record has a date that can be; say which date the advisories are of", str(path))
            )
        if findings:
            raise ConfigurationError(
                f"The advisories at {path} cannot be used: {len(findings)} problems.",
                "A source is read in full or not at all. Mend or remove what is named, or fetch it anew.",
                findings=findings,
            )

    @property
    def reference_date(self) -> str:
        """The date of the records."""
        return self.date

    def lookup(self, name: str) -> Found:
        """All records of a package by its normalised name."""
        return Found(self.by_package.get(name, ()), self.date)


def read_sidecar(path: Path, findings: list[Finding]) -> About:
    """What the sidecar of a file or folder says; nothing where there is none."""
    sidecar = path / SIDECAR if path.is_dir() else path.with_name(f"{path.name}.{SIDECAR}")
    if not sidecar.is_file():
        return About()
    try:
        said = parse_yaml(sidecar.read_text("utf-8"))
        if not isinstance(said, dict):
            raise ValueError("is no mapping of name and date")
        name, date = said.get("name") or "", said.get("date") or ""
        if not isinstance(name, str) or not isinstance(date, str):
            raise ValueError("its name or date is not a text")
        if date and not _is_day(date):
            raise ValueError(f"{quoted(date)} is no date such as 2024-10-31")
        return About(name, date)
    except (OSError, ValueError) as problem:
        findings.append(Finding(f"cannot be used: {problem}", str(sidecar)))
        return About()


def _is_day(text: str) -> bool:
    try:
        return bool(dt.date.fromisoformat(text))
    except ValueError:
        return False


def _records(path: Path, findings: list[Finding]) -> list[Advisory]:
    records = []
    for place, document in documents(path, findings):
        try:
            records.append(read_record(document))
        except RecordError as problem:
            findings.append(Finding(str(problem), place.file, line=place.line))
    return records


def _by_package(records: Sequence[Advisory]) -> dict[str, list[Advisory]]:
    found: dict[str, list[Advisory]] = {}
    for record in records:
        for package in record.packages:
            found.setdefault(package, []).append(record)
    return found


def _newest(records: Sequence[Advisory], now: dt.datetime) -> str:
    """The newest day of a record of PyPI; what is dated after today says nothing of how old the source is."""
    moments = (moment_of(record.modified) for record in records if record.packages)
    today = now.astimezone(dt.UTC).date()
    days = [day for moment in moments if moment is not None and (day := moment.date()) <= today]
    return max(days).isoformat() if days else ""


def moment_of(text: str) -> dt.datetime | None:
    """A time as OSV writes it, in UTC; None where it cannot be read."""
    try:
        moment = dt.datetime.fromisoformat(text)
        return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None
