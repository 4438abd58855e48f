"""Advisories in OSV form, brought into one shape.

Only the shape is made uniform. What a record says stays as it is, odd or not: unsorted events, versions that nobody
can read, empty lists. Judging is done elsewhere.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import unquote

from packaging.version import Version

from batchbook.packages.names import read_name, read_version
from batchbook.packages.wording import quoted

ECOSYSTEM = "pypi"
EVENT_KINDS = ("introduced", "fixed", "last_affected", "limit")


class RecordError(ValueError):
    """A document is no OSV record; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a range: its kind (introduced, fixed, last_affected, limit) and its version as written."""

    kind: str
    version: str


@dataclass(frozen=True, slots=True)
class Range:
    """A range of versions: its type as written (ECOSYSTEM, SEMVER, GIT), and its events in the record's order."""

    type: str
    events: tuple[Event, ...]


@dataclass(frozen=True)
class Affected:
    """What a record says about one package: affected versions by list, by range, or both."""

    versions: tuple[str, ...]
    ranges: tuple[Range, ...]

    @cached_property
    def readable_versions(self) -> frozenset[Version]:
        """The listed versions that can be read."""
        return frozenset(version for version in map(read_version, self.versions) if version is not None)


@dataclass(frozen=True, slots=True)
class Advisory:
    """A record, reduced to what a review needs."""

    id: str
    modified: str
    withdrawn: bool
    aliases: tuple[str, ...]
    summary: str
    severities: tuple[tuple[str, str], ...]
    """Type and score as written, such as ``("CVSS_V3", "CVSS:3.1/AV:N/...")`` or ``("LABEL", "HIGH")``."""
    packages: Mapping[str, tuple[Affected, ...]]
    """By normalised package name; packages of other ecosystems are left out."""
    references: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The id and all aliases."""
        return (self.id, *self.aliases)


def read_record(raw: object) -> Advisory:
    """An OSV record from parsed JSON or YAML; RecordError where it is none."""
    record = _mapping(raw, "the document")
    identity = record.get("id")
    if not isinstance(identity, str) or not identity.strip():
        raise RecordError("is no OSV record: it has no id")
    severities = list(_severities(record))
    packages: dict[str, list[Affected]] = {}
    for entry in _list(record, "affected"):
        entry = _mapping(entry, "an entry of affected")
        name = _package_name(entry)
        if name is not None:
            packages.setdefault(name, []).append(_affected(entry))
            severities += _severities(entry)
    return Advisory(
        id=identity.strip(),
        modified=_text(record, "modified"),
        withdrawn=_is_withdrawn(record),
        aliases=tuple(
            dict.fromkeys(
                alias
                for alias in _texts(record, "aliases")
                if alias and alias.casefold() != identity.strip().casefold()
            )
        ),
        summary=" ".join(_text(record, "summary").split()),
        severities=tuple(dict.fromkeys(severities)),
        packages={name: tuple(entries) for name, entries in packages.items()},
        references=tuple(
            url for one in _list(record, "references") if (url := _text(_mapping(one, "a reference"), "url"))
        ),
    )


def _is_withdrawn(record: Mapping[str, Any]) -> bool:
    """Whether a record has a time of withdrawal; RecordError for anything else: withdrawn, it would not count."""
    said = record.get("withdrawn")
    if not said:
        return False
    try:
        dt.datetime.fromisoformat(said)
    except (TypeError, ValueError):
        raise RecordError(f"has a time of withdrawal that is none: {quoted(str(said))}") from None
    return True


def _package_name(entry: Mapping[str, Any]) -> str | None:
    """The package an entry is about, None where it belongs to another ecosystem or names none."""
    package = _mapping(entry.get("package") or {}, "affected.package")
    ecosystem, text = _text(package, "ecosystem"), _text(package, "name")
    if not ecosystem and package:
        ecosystem, text = _by_purl(_text(package, "purl"), text)
    if ecosystem.split(":")[0].casefold() != ECOSYSTEM:
        return None
    name = read_name(text)
    if name is None:
        raise RecordError(f"names a package that is none: {quoted(text)}")
    return name


def _by_purl(purl: str, name: str) -> tuple[str, str]:
    """Ecosystem and name by a package URL, for an entry that does not say the ecosystem."""
    scheme, _, rest = purl.partition(":")
    kind, _, path = rest.lstrip("/").partition("/")
    if scheme.casefold() != "pkg" or not kind or not path:
        raise RecordError(f"names a package without its ecosystem: {quoted(name or purl)}")
    return kind, unquote(path.split("#")[0].split("?")[0].split("@")[0].strip("/"))


def _affected(entry: Mapping[str, Any]) -> Affected:
    ranges = []
    for one in _list(entry, "ranges"):
        one = _mapping(one, "a range")
        events = tuple(event for raw in _list(one, "events") for event in _events(raw))
        ranges.append(Range(_text(one, "type").upper(), events))
    return Affected(tuple(_texts(entry, "versions")), tuple(ranges))


def _events(raw: object) -> Iterator[Event]:
    """The events in one object: one by the schema, several in records that do not keep to it."""
    found = False
    for kind, version in _mapping(raw, "an event").items():
        if kind in EVENT_KINDS:
            found = True
            yield Event(kind, version.strip() if isinstance(version, str) else "(not a text)")
    if not found:
        yield Event("not known", "(an event of another kind)")


def _severities(holder: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for one in _list(holder, "severity"):
        one = _mapping(one, "a severity")
        yield _text(one, "type").upper(), _text(one, "score")
    specific = holder.get("database_specific")
    label = specific.get("severity") if isinstance(specific, Mapping) else None
    if isinstance(label, str) and label.strip():
        yield "LABEL", label.strip().upper()


def _mapping(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise RecordError(f"is no OSV record: {what} is not a mapping")
    return value


def _list(holder: Mapping[str, Any], name: str) -> list[Any]:
    value = holder.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise RecordError(f"is no OSV record: {name} is not a list")
    return value


def _text(holder: Mapping[str, Any], name: str) -> str:
    value = holder.get(name)
    return value.strip() if isinstance(value, str) else ""


def _texts(holder: Mapping[str, Any], name: str) -> list[str]:
    values = _list(holder, name)
    if not all(isinstance(value, str) for value in values):
        raise RecordError(f"is no OSV record: {name} holds something that is not text")
    return [value.strip() for value in values]
