"""The two requests of the OSV API that the review asks: querybatch, and a record by its id."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Mapping
from operator import is_not
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from tests.servers.settings import Settings
from tests.servers.wire import Answer, Asked, json_answer

MOST_QUERIES = 1000
BAD_ARGUMENT, NOT_FOUND = 3, 5


class Refused(Exception):
    """A request that the API refuses; the message says why."""


class Osv:
    """Answers for the OSV API."""

    def __init__(self, advisories: dict[str, dict[str, Any]], settings: Settings) -> None:
        """`advisories` by id; changes to it show at once."""
        self.advisories = advisories
        self.settings = settings
        self._by_package: dict[str, list[dict[str, Any]]] = {}
        self._known: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def record(self, identity: str) -> Answer:
        """A record in full."""
        found = self.advisories.get(identity)
        if found is None:
            return json_answer(404, {"code": NOT_FOUND, "message": "Bug not found."})
        return json_answer(200, found)

    def batch(self, asked: Asked) -> Answer:
        """The answers to all queries, in their order."""
        try:
            queries = queries_in(asked.body)
            if len(queries) > MOST_QUERIES:
                raise Refused("Too many queries.")
            self._bring_up_to_date()
            return json_answer(200, {"results": [self._page(query) for query in queries]})
        except Refused as problem:
            return json_answer(400, {"code": BAD_ARGUMENT, "message": str(problem)})

    def _page(self, query: Mapping[str, Any]) -> dict[str, Any]:
        name, version = subject(query)
        start = self._start(query.get("page_token"), name, version)
        if start is None:
            if self.settings.osv_empty_pages:
                return {"next_page_token": token(name, version, 0)}
            start = 0
        found = self._matching(name, version)
        end = start + self.settings.osv_page_size
        page: dict[str, Any] = {}
        if found[start:end]:
            page["vulns"] = [{"id": one["id"], "modified": one.get("modified", "")} for one in found[start:end]]
        if end < len(found):
            page["next_page_token"] = token(name, version, end)
        return page

    def _start(self, given: object, name: str, version: str) -> int | None:
        """Where a page begins, None for the first request of a query; a token is good for its own query only."""
        if given is None or given == "":
            return None
        try:
            of_name, of_version, start = json.loads(base64.urlsafe_b64decode(str(given)))
        except ValueError as problem:
            raise Refused("Invalid page token.") from problem
        if (of_name, of_version) != (name, version):
            raise Refused("Invalid page token.")
        return int(start)

    def _matching(self, name: str, version: str) -> list[dict[str, Any]]:
        """The records of a package, those that affect a version where one is given; withdrawn ones are not found."""
        records = self._by_package.get(name, [])
        return [one for one in records if not version or affects(one, name, version)]

    def _bring_up_to_date(self) -> None:
        """The records by package anew, where any was added, changed or removed since."""
        records = list(self.advisories.values())
        with self._lock:
            if len(records) != len(self._known) or any(map(is_not, records, self._known)):
                self._by_package = _by_package(self.advisories)
                self._known = records


def queries_in(body: bytes) -> list[Mapping[str, Any]]:
    """The queries of a batch; Refused where the body holds none."""
    try:
        queries = json.loads(body)["queries"]
    except (ValueError, KeyError, TypeError) as problem:
        raise Refused("Invalid JSON.") from problem
    if not isinstance(queries, list) or not all(isinstance(one, dict) for one in queries):
        raise Refused("Invalid queries.")
    return queries


def subject(query: Mapping[str, Any]) -> tuple[str, str]:
    """Normalised name and version (or nothing) of a query."""
    package = query.get("package")
    if not isinstance(package, dict) or not isinstance(package.get("name"), str):
        raise Refused("Invalid query.")
    if package.get("ecosystem") != "PyPI":
        raise Refused("Invalid ecosystem.")
    version = query.get("version", "")
    if not isinstance(version, str):
        raise Refused("Invalid version.")
    return canonicalize_name(package["name"]), version


def token(name: str, version: str, start: int) -> str:
    """What asks for the page that begins at `start`."""
    return base64.urlsafe_b64encode(json.dumps([name, version, start]).encode()).decode()


def affects(record: Mapping[str, Any], name: str, version: str) -> bool:
    """Whether a record affects a version: listed, or in a range."""
    return any(
        _listed(entry, version) or any(_within(one, version) for one in entry.get("ranges", ()))
        for entry in record.get("affected", ())
        if _name_of(entry) == name
    )


def _listed(entry: Mapping[str, Any], version: str) -> bool:
    listed = entry.get("versions") or ()
    wanted = _version(version)
    return version in listed or (wanted is not None and any(_version(one) == wanted for one in listed))


def _within(bounds: Mapping[str, Any], version: str) -> bool:
    wanted = _version(version)
    if wanted is None or bounds.get("type") != "ECOSYSTEM":
        return False
    inside = False
    for kind, bound in sorted(_events(bounds), key=lambda event: event[1]):
        if kind == "introduced" and wanted >= bound:
            inside = True
        elif (kind == "fixed" and wanted >= bound) or (kind == "last_affected" and wanted > bound):
            inside = False
    return inside


def _events(bounds: Mapping[str, Any]) -> list[tuple[str, Version]]:
    lowest = Version("0.dev0")
    events = []
    for event in bounds.get("events", ()):
        for kind, text in event.items():
            bound = lowest if text == "0" else _version(text)
            if bound is not None:
                events.append((kind, bound))
    return events


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def _name_of(entry: Mapping[str, Any]) -> str:
    package = entry.get("package") or {}
    return canonicalize_name(package.get("name", "")) if package.get("ecosystem") == "PyPI" else ""


def _by_package(advisories: Mapping[str, dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for identity in sorted(advisories):
        record = advisories[identity]
        if record.get("withdrawn"):
            continue
        for name in {_name_of(entry) for entry in record.get("affected", ())} - {""}:
            found.setdefault(name, []).append(record)
    return found
