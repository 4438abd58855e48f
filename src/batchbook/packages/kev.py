"""The catalogue of known exploited vulnerabilities (CISA KEV), from its JSON or CSV file."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from batchbook.errors import ConfigurationError, Finding
from batchbook.packages.documents import parse_json, unpack
from batchbook.packages.sources import moment_of, read_sidecar

_CVE = re.compile(r"CVE-\d{4}-\d{4,19}", re.IGNORECASE | re.ASCII)


def cves(names: Iterable[str]) -> list[str]:
    """The CVE ids among ids and aliases, in capitals, each once."""
    return list(dict.fromkeys(name.upper() for name in names if _CVE.fullmatch(name)))


class KnownExploited:
    """Which CVE ids are known to be exploited, by a file of a known date."""

    def __init__(self, path: Path, name: str = "", date: str = "") -> None:
        """Read the file; ConfigurationError where it is no such catalogue."""
        findings: list[Finding] = []
        about = read_sidecar(path, findings)
        try:
            entries, released = _read(path)
        except (OSError, ValueError) as problem:
            findings.append(Finding(f"is no catalogue of known exploited vulnerabilities: {problem}", str(path)))
            entries, released = [], ""
        self.name = name or about.name or "CISA KEV"
        self.ids = frozenset(str(entry.get("cveID", "")).strip().upper() for entry in entries)
        wrong = sorted(one for one in self.ids if not _CVE.fullmatch(one))
        if wrong:
            findings.append(Finding("has entries without a CVE id", str(path), value=wrong[0]))
        elif not findings and not self.ids:
            findings.append(Finding("holds no entry", str(path)))
        self.date = date or about.date or _day(released) or _newest(entries)
        if not findings and not self.date:
            findings.append(Finding("has no date; say which date it is of", str(path)))
        if findings:
            raise ConfigurationError(
                f"The known exploited vulnerabilities at {path} cannot be used.",
                "Mend `kev:` in the job's options, or fetch the file anew.",
                findings=findings,
            )


def _read(path: Path) -> tuple[list[Mapping[str, Any]], str]:
    """The entries and the date of release, where the file says one."""
    text = unpack(path.read_bytes(), path.suffix.lower())
    if ".csv" in path.name.lower():
        reader = csv.DictReader(io.StringIO(text, newline=""))
        if "cveID" not in (reader.fieldnames or ()):
            raise ValueError("it has no column cveID")
        return list(reader), ""
    catalogue = parse_json(text)
    entries = catalogue.get("vulnerabilities") if isinstance(catalogue, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError("it has no list of vulnerabilities")
    stated = catalogue.get("count")
    if isinstance(stated, str) and stated != str(len(entries)):
        raise ValueError(f"it says that it has {stated} entries and has {len(entries)}")
    return entries, str(catalogue.get("dateReleased") or "")


def _day(text: str) -> str:
    moment = moment_of(text)
    return moment.date().isoformat() if moment else ""


def _newest(entries: Iterable[Mapping[str, Any]]) -> str:
    days = []
    for entry in entries:
        try:
            days.append(dt.date.fromisoformat(str(entry.get("dateAdded", ""))))
        except ValueError:
            continue
    return max(days).isoformat() if days else ""
