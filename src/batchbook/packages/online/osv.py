"""The OSV API as a source of advisories: lists by `querybatch`, records one by one, each fetched once for good."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from batchbook.packages.documents import parse_json
from batchbook.packages.online.endpoint import Answer, Endpoint, Reading
from batchbook.packages.online.gathering import Gathering
from batchbook.packages.online.once import BROKEN_OFF, Once, outcome
from batchbook.packages.records import Advisory, RecordError, read_record
from batchbook.packages.sources import Found, NotAsked, SourceUnreachable, moment_of
from batchbook.packages.wording import count, quoted, some

MOST_PACKAGES = 1_000
"""In one request; the API takes no more."""
MOST_ADVISORIES = 10_000
"""Of one package; a list that is longer is not believed."""
MOST_PAGES = 1_000
MOST_ID = 200
_ROUNDING = timedelta(seconds=1)
"""By so much the times of a list and of a record may differ: some write fewer digits."""

Listed = Mapping[str, str]
"""The advisories of a package: when each was last changed, by id."""


@dataclass(frozen=True, slots=True)
class _Query:
    """A page of the list of a package; the first one has no token."""

    package: str
    token: str = ""

    def payload(self) -> dict[str, Any]:
        # No version: the rule here judges, and it judges the latest version as well as the one in use.
        asked: dict[str, Any] = {"package": {"name": self.package, "ecosystem": "PyPI"}}
        return {**asked, "page_token": self.token} if self.token else asked


@dataclass(frozen=True, slots=True)
class _Page:
    listed: Listed
    token: str
    """Of the page that follows; blank where it is the last."""
    date: str


class OsvApi:
    """Advisories by the OSV API; may be asked from many threads, whose questions share requests."""

    reference_date = ""

    def __init__(
        self,
        endpoint: Endpoint,
        url: str,
        name: str = "OSV",
        *,
        wait: float = 0.02,
        most: int = MOST_PACKAGES,
        fetchers: int = 8,
    ) -> None:
        """`url` is what comes before ``/v1``.

        A request waits `wait` seconds for other packages and asks about `most` of them; `fetchers` threads fetch
        records.
        """
        self.name = name
        self._endpoint = endpoint
        self._url = url.rstrip("/")
        self._found: Once[str, Found] = Once()
        self._pages: Gathering[_Query, _Page] = Gathering(self._send, wait, min(most, MOST_PACKAGES))
        self._fetchers = ThreadPoolExecutor(fetchers, thread_name_prefix="osv")
        self._details: Once[tuple[str, str], Advisory] = Once()

    def close(self) -> None:
        """Fetch no more records; who still waits for one gets SourceUnreachable."""
        self._fetchers.shutdown(wait=False, cancel_futures=True)

    def expect(self, names: Iterable[str]) -> None:
        """These packages will be asked about soon: their lists are asked for together."""
        if not self._endpoint.offline:
            self._pages.expect(_Query(name) for name in names if not self._found.has(name))

    def lookup(self, name: str) -> Found:
        """All records of a package by its normalised name; may raise SourceUnreachable or NotAsked."""
        found = self._found.get(name, lambda: self._ask(name))
        if found.missing:
            self._found.drop(name)  # the next row of this package asks anew: the source may be back
        return found

    def _ask(self, name: str) -> Found:
        listed, date = self._recall(name) if self._endpoint.offline else self._list(name)
        records, missing = self._records(name, listed)
        return Found(records, date, missing)

    def _list(self, name: str) -> tuple[Listed, str]:
        """The list of a package out of all its pages, and the day of the oldest."""
        listed: dict[str, str] = {}
        dates: list[str] = []
        tokens = [""]
        while True:
            page = self._pages.ask(_Query(name, tokens[-1]))
            listed.update(page.listed)
            dates.append(page.date)
            if len(listed) > MOST_ADVISORIES:
                raise SourceUnreachable(f"it lists more than {MOST_ADVISORIES:,} advisories")
            if not page.token:
                break
            if page.token in tokens or len(tokens) >= MOST_PAGES:
                raise SourceUnreachable(f"its list does not end: page {len(tokens)} leads to no new one")
            tokens.append(page.token)
        self._endpoint.remember(self._key(name), json.dumps(listed).encode())
        return listed, min(dates)

    def _key(self, name: str) -> str:
        return f"osv list {self._url} {name}"

    def _recall(self, name: str) -> tuple[Listed, str]:
        stored = self._endpoint.recall(self._key(name))
        if stored is None:
            raise NotAsked("offline, no stored answer")
        body, date = stored
        try:
            listed = parse_json(body.decode())
        except ValueError as problem:
            raise SourceUnreachable("its stored answer cannot be read") from problem
        if not isinstance(listed, dict) or not all(isinstance(one, str) for one in listed.values()):
            raise SourceUnreachable("its stored answer cannot be read")
        return listed, date

    def _send(self, queries: Sequence[_Query]) -> list[_Page | SourceUnreachable]:
        reading = Reading(lambda answer: _results(answer, len(queries)))
        payload = {"queries": [one.payload() for one in queries]}
        answer = self._endpoint.post(f"{self._url}/v1/querybatch", payload, check=reading)
        return [_page(one, answer.date) for one in reading.of(answer)]

    def _records(self, name: str, listed: Listed) -> tuple[list[Advisory], str]:
        """The records of a list, several fetched at once, and why some could not be had: one of them may be the one."""
        futures = [(id, self._detail(id, modified)) for id, modified in listed.items()]
        records, problems = [], []
        for id, future in futures:
            try:
                records.append(_about(name, outcome(future)))
            except (SourceUnreachable, NotAsked) as problem:  # it is listed: that it is not stored is no "none known"
                problems.append(f"{quoted(id)} ({problem})")
        if not problems:
            return records, ""
        missing = f"{len(problems)} of {count(len(listed), 'advisory', 'advisories')} cannot be used: {some(problems)}"
        if not records:
            raise SourceUnreachable(missing)
        return records, missing

    def _detail(self, id: str, modified: str) -> Future[Advisory]:
        """A record to come; several packages may name the same."""
        try:
            return self._fetchers.submit(lambda: self._details.get((id, modified), lambda: self._fetch(id, modified)))
        except RuntimeError as problem:
            raise SourceUnreachable(BROKEN_OFF) from problem

    def _fetch(self, id: str, modified: str) -> Advisory:
        # Checked before it is stored: it is stored for good, and may be an error page or an old state given once.
        reading = Reading(lambda answer: _detail_of(answer, id, modified))
        address = f"{self._url}/v1/vulns/{quote(id, safe='')}"
        return reading.of(self._endpoint.get(address, keep=f"osv {self._url} {id} {modified}", check=reading))


def _results(answer: Answer, asked: int) -> list[Any]:
    """The results of an answer, as many as were asked for."""
    if answer.status != 200:
        raise SourceUnreachable(f"answered {answer.status} to the question for its advisories")
    said = answer.json()
    results = said.get("results") if isinstance(said, dict) else None
    if not isinstance(results, list):
        raise SourceUnreachable("answered without a list of results")
    if len(results) != asked:
        raise SourceUnreachable(f"answered with {count(len(results), 'result', 'results')} to {asked}")
    return results


def _page(result: object, date: str) -> _Page | SourceUnreachable:
    """The page that a result holds, or why it cannot be believed. A package without advisories has an empty result."""
    if not isinstance(result, dict):
        return SourceUnreachable("its result is not a mapping")
    token = result.get("next_page_token") or result.get("nextPageToken") or ""
    if not isinstance(token, str) or not token.isprintable():
        return SourceUnreachable("its result leads to a next page that is no text")
    if "vulns" not in result and not result.keys() <= {"next_page_token", "nextPageToken"}:
        return SourceUnreachable("its result holds no list of advisories")
    vulns = result.get("vulns", [])
    if not isinstance(vulns, list):
        return SourceUnreachable("its result holds no list of advisories")
    if len(vulns) > MOST_ADVISORIES:
        return SourceUnreachable(f"it lists more than {MOST_ADVISORIES:,} advisories")
    listed: dict[str, str] = {}
    for one in vulns:
        id, modified = (one.get("id"), one.get("modified")) if isinstance(one, dict) else (None, None)
        if not _is_id(id) or not _is_id(modified):
            return SourceUnreachable("it lists an advisory without an id or without the time of its last change")
        listed[str(id)] = str(modified)
    return _Page(listed, token, date)


def _is_id(value: object) -> bool:
    """Whether something can be asked for: a text of one line that is more than dots, which lead elsewhere in a URL."""
    return isinstance(value, str) and len(value) <= MOST_ID and value.isprintable() and bool(value.strip(" ."))


def _detail_of(answer: Answer, id: str, modified: str) -> Advisory:
    """The record of an answer, if it is the one that was listed, in the state that was listed or a later one."""
    if answer.status != 200:
        raise SourceUnreachable("listed, but not to be had")
    try:
        record = read_record(answer.json())
    except RecordError as problem:
        raise SourceUnreachable(str(problem)) from problem
    # An answer with another id is not what was asked for, even if it names this one as an alias: what it says of
    # versions need not be what the listed one says.
    if record.id.casefold() != id.strip().casefold():
        raise SourceUnreachable(f"its record has another id: {quoted(record.id)}")
    listed, stated = moment_of(modified), moment_of(record.modified)
    if listed and stated and stated < listed - _ROUNDING:
        raise SourceUnreachable(f"its record is of {quoted(record.modified)}, the list of {quoted(modified)}")
    return record


def _about(name: str, record: Advisory) -> Advisory:
    """The record, if it names the package that it was listed for; one that is withdrawn need not."""
    if name not in record.packages and not record.withdrawn:
        raise SourceUnreachable("it does not name the package")
    return record
