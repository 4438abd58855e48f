"""The NVD API 2.0 as a source of facts about CVE ids."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from batchbook.packages.cvefacts import CveFact, CveFound
from batchbook.packages.online.endpoint import Answer, Endpoint, Reading
from batchbook.packages.online.once import Once
from batchbook.packages.sources import SourceUnreachable
from batchbook.packages.wording import quoted

WEEK = timedelta(days=7)
_CVE = re.compile(r"CVE-[0-9]{4}-[0-9]{4,19}", re.IGNORECASE | re.ASCII)
_METRIC = re.compile(r"cvssMetricV([0-9])([0-9]{0,2})", re.ASCII)


class NvdApi:
    """Facts about CVE ids by the NVD API; may be asked from many threads, an id is asked for once."""

    reference_date = ""

    def __init__(
        self, endpoint: Endpoint, url: str, name: str = "NVD", max_age: timedelta = WEEK, link: str = ""
    ) -> None:
        """`url` is that of the CVE service; a stored answer is used until `max_age`.

        `link` is where a person reads about a CVE, `{id}` standing for its id.
        """
        self.name = name
        self._endpoint = endpoint
        self._url = url
        self._max_age = max_age
        self._link = link
        self._found: Once[str, CveFound] = Once()

    def lookup(self, cve: str) -> CveFound:
        """What is known of a CVE id; ValueError where the text is none, may raise SourceUnreachable or NotAsked."""
        if not _CVE.fullmatch(cve):
            raise ValueError(f"{quoted(cve)} is no CVE id")
        cve = cve.upper()
        return self._found.get(cve, lambda: self._ask(cve))

    def _ask(self, cve: str) -> CveFound:
        reading = Reading(lambda answer: CveFound(_fact(answer, cve, self._link), answer.date))
        asked = {"cveId": cve}
        return reading.of(
            self._endpoint.get(
                self._url, params=asked, keep=f"nvd {self._url} {cve}", max_age=self._max_age, check=reading
            )
        )


def _fact(answer: Answer, cve: str, link: str) -> CveFact | None:
    if answer.status != 200:
        # It says that it knows no such CVE by an empty answer; this one is how it refuses a key.
        raise SourceUnreachable(f"answered {answer.status}: its address or its key is not valid")
    entry = _entry(answer.json(), cve)
    if entry is None:
        return None
    return CveFact(
        id=cve,
        status=_text(entry, "vulnStatus"),
        severities=_severities(entry),
        exploited_since=_day(_text(entry, "cisaExploitAdd")),
        summary=_english(entry),
        url=link.replace("{id}", cve),
    )


def _entry(said: object, cve: str) -> Mapping[str, Any] | None:
    """What an answer holds about the CVE that was asked for; None where it says that there is nothing."""
    page = _mapping(said, "its answer")
    total, found = page.get("totalResults"), _list(page, "vulnerabilities")
    if total == "0" and not found:
        return None
    if total != "1" or len(found) != 1:
        raise SourceUnreachable(f"answered with {len(found)} of {quoted(str(total))} entries to one question")
    entry = _mapping(_mapping(found[0], "an entry").get("cve"), "an entry")
    if _text(entry, "id").upper() != cve:
        raise SourceUnreachable(f"answered about {quoted(_text(entry, 'id'))} instead")
    return entry


def _severities(entry: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The vectors, primary ones first, and among these the newest version of CVSS first."""
    ranked: list[tuple[bool, int, int, tuple[str, str]]] = []
    for kind, metrics in _mapping(entry.get("metrics", {}), "metrics").items():
        version = _METRIC.fullmatch(kind)
        if version is None:
            continue
        major, minor = int(version[1]), int(version[2] or 0)
        for metric in _list({kind: metrics}, kind):
            vector = _text(_mapping(_mapping(metric, kind).get("cvssData"), kind), "vectorString")
            if vector:
                ranked.append((_text(metric, "type") != "Primary", -major, -minor, (f"CVSS_V{major}", vector)))
    return tuple(dict.fromkeys(one[3] for one in sorted(ranked, key=lambda one: one[:3])))


def _english(entry: Mapping[str, Any]) -> str:
    for one in _list(entry, "descriptions"):
        one = _mapping(one, "a description")
        if _text(one, "lang").casefold().split("-")[0] == "en":
            return " ".join(_text(one, "value").split())
    return ""


def _day(text: str) -> str:
    try:
        return dt.date.fromisoformat(text).isoformat() if text else ""
    except ValueError as problem:
        raise SourceUnreachable(f"its day of exploitation is no date: {quoted(text)}") from problem


def _mapping(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise SourceUnreachable(f"answered in another form: {what} is not a mapping")
    return value


def _list(holder: Mapping[str, Any], name: str) -> list[Any]:
    value = holder.get(name, [])
    if not isinstance(value, list):
        raise SourceUnreachable(f"answered in another form: {name} is not a list")
    return value


def _text(holder: Mapping[str, Any], name: str) -> str:
    value = holder.get(name, "")
    if not isinstance(value, str):
        raise SourceUnreachable(f"answered in another form: {name} is not a text")
    return value.strip()
