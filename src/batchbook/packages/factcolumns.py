"""The columns that a job may ask for beside the usual ones, and what a source of CVE facts says.

In a row whose status is unknown none of them looks like safe: they say unknown or not checked, except where something
speaks against the package.
"""

from __future__ import annotations

from collections.abc import Iterator

from batchbook.packages.cvefacts import CveAnswer
from batchbook.packages.kev import cves
from batchbook.packages.recommendation import judged_latest, known_text, not_to_be_had, severity_text
from batchbook.packages.releasecolumns import UNKNOWN
from batchbook.packages.reviewed import Reviewed
from batchbook.packages.severity import Severity
from batchbook.packages.verdict import Status, Verdict
from batchbook.packages.wording import MOST_TEXT, NOT_CHECKED, count, fitting, shorten

MOST_FACTS = 10
"""CVE ids of which a cell tells what is known; the others are counted."""
MOST_DATES = 1_500
NOT_AFFECTED = str(Status.NOT_AFFECTED)


_INCOMPLETE = "a source could not be asked, there may be more"


def fact_columns(reviewed: Reviewed) -> dict[str, str]:
    """Status, ids, severity, exploitation, fix, the latest release's status and the dates of the data."""
    verdict = reviewed.verdict
    columns = {
        "security_status": str(verdict.status),
        "latest_affected": latest_affected(reviewed),
        "data_dates": data_dates(reviewed),
    }
    if verdict.status is Status.UNKNOWN:
        return columns | {
            "advisory_ids": _ids_of_unknown(verdict),
            **dict.fromkeys(("highest_severity", "known_exploited", "first_fixed"), UNKNOWN),
        }
    if verdict.status is Status.NOT_AFFECTED:
        return columns | {
            "advisory_ids": known_text(verdict),
            "known_exploited": NOT_CHECKED if reviewed.kev is None else f"no: {NOT_AFFECTED}",
            **dict.fromkeys(("highest_severity", "first_fixed"), NOT_AFFECTED),
        }
    found = {
        "advisory_ids": _ids(verdict),
        "highest_severity": severity_text(verdict.hits),
        "known_exploited": _known_exploited(reviewed),
        "first_fixed": _first_fixed(reviewed),
    }
    if verdict.answers is None or not verdict.answers.troubles:
        return columns | found
    return columns | {name: f"{text}; {_INCOMPLETE}" for name, text in found.items()}


def _first_fixed(reviewed: Reviewed) -> str:
    """With what the index has against it, as in the recommendation: one that cannot be had is no way out."""
    fixed = reviewed.verdict.first_fixed
    return "none known" if fixed is None else f"{fixed}{not_to_be_had(fixed, reviewed.index.facts)}"


def latest_affected(reviewed: Reviewed) -> str:
    """What the same advisories say of the latest release."""
    index = reviewed.index
    if index.facts is None:
        return UNKNOWN if index.not_found else index.in_brief or NOT_CHECKED
    if index.facts.latest is None:
        return f"{UNKNOWN}: {index.facts.source} has no release that could be used"
    judged = judged_latest(reviewed.verdict, index.facts)
    if judged is None:
        return UNKNOWN
    if judged.status is Status.AFFECTED:
        return f"affected by {len(judged.hits)}: {_ids(judged)}"
    if judged.status is Status.UNKNOWN:
        return f"{UNKNOWN}: {judged.reason}"
    return UNKNOWN if reviewed.verdict.status is Status.UNKNOWN else known_text(judged)


def nvd_result(reviewed: Reviewed) -> str:
    """What the source of CVE facts says of the CVE ids of the advisories; trouble is told before anything else."""
    verdict, name = reviewed.verdict, reviewed.cve_source
    if not name:
        return NOT_CHECKED
    unknown = f"{UNKNOWN}: {verdict.reason}" if verdict.status is Status.UNKNOWN else ""
    if not reviewed.facts:
        return unknown or f"no CVE id to ask {name} for: {_without_ids(verdict)}"
    without = sum(not cves(hit.names) for hit in verdict.hits)
    parts = [*_troubles(reviewed.facts), *([unknown] if unknown else []), *_said(reviewed.facts)]
    return "; ".join([*parts, f"{without} without a CVE id"] if without else parts)


def data_dates(reviewed: Reviewed) -> str:
    """Every source that answered with the date of what it said, and those that were not asked or did not answer."""
    verdict, index = reviewed.verdict, reviewed.index
    found = [f"{name} {date}" for name, date in verdict.asked.items()]
    found += verdict.answers.troubles if verdict.answers is not None else ()
    found += verdict.not_asked
    if index.name:
        found.append(f"{index.name} {index.date}" if index.date else index.problem)
    if reviewed.kev is not None:
        found.append(f"{reviewed.kev.name} {reviewed.kev.date}")
    if reviewed.cve_source:
        found.append(_dates_of_facts(reviewed))
    return shorten("; ".join(found), MOST_DATES) or NOT_CHECKED


def _dates_of_facts(reviewed: Reviewed) -> str:
    name, facts = reviewed.cve_source, reviewed.facts
    if not facts:
        return f"{name} {NOT_CHECKED} (no CVE id to ask for)"
    dates = sorted({one.date for one in facts if one.date})
    problems = list(dict.fromkeys(one.problem for one in facts if one.problem))
    shown = [f"{name} {dates[0] if len(dates) == 1 else f'{dates[0]} to {dates[-1]}'}"] if dates else []
    return "; ".join([*shown, *problems[:1]])


def _ids(verdict: Verdict) -> str:
    return fitting(list(dict.fromkeys(name for hit in verdict.hits for name in hit.names)), MOST_TEXT - 100)


def _ids_of_unknown(verdict: Verdict) -> str:
    if not verdict.hits:
        return UNKNOWN
    return f"{UNKNOWN}; read as {shorten(verdict.question.version, 40)}: {_ids(verdict)}"


def _known_exploited(reviewed: Reviewed) -> str:
    found = reviewed.exploited
    if found.said:
        return f"yes: {found.ids}"
    if not found.asked:
        return NOT_CHECKED
    return f"no{found.without}"


def _without_ids(verdict: Verdict) -> str:
    hits = len(verdict.hits)
    return f"{count(hits, 'advisory', 'advisories')} without one" if hits else known_text(verdict)


def _troubles(facts: tuple[CveAnswer, ...]) -> Iterator[str]:
    by_problem: dict[str, list[str]] = {}
    for one in facts:
        if one.problem:
            by_problem.setdefault(one.problem, []).append(one.id)
    for problem, ids in by_problem.items():
        yield problem if len(ids) == len(facts) else f"{problem}: {fitting(ids, 100)}"


def _said(facts: tuple[CveAnswer, ...]) -> Iterator[str]:
    known = sorted((one for one in facts if one.fact is not None), key=_worst_first)
    yield from (_fact(one) for one in known[:MOST_FACTS])
    if len(known) > MOST_FACTS:
        yield f"{len(known) - MOST_FACTS} more of no higher severity"
    missing: dict[str, list[str]] = {}
    for one in facts:
        if one.date and one.fact is None:
            missing.setdefault(one.where, []).append(one.id)
    yield from (f"{fitting(ids, 100)} not known to {where}" for where, ids in missing.items())


def _worst_first(one: CveAnswer) -> tuple[float, float]:
    rank = (one.severity or Severity("NONE")).rank()
    return -rank[0], -rank[1]


def _fact(one: CveAnswer) -> str:
    severity = str(one.severity) if one.severity is not None else "severity not given"
    status = f", {shorten(one.fact.status, 40)}" if one.fact is not None and one.fact.status else ""
    return f"{one.id}: {severity}{status} ({one.where})"
