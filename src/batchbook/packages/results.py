"""What the result columns and the sheet Advisories say of a verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from urllib.parse import quote

from batchbook import Link
from batchbook.packages.exploited import known_exploited
from batchbook.packages.hits import Hit
from batchbook.packages.kev import KnownExploited, cves
from batchbook.packages.recommendation import known_text
from batchbook.packages.severity import NOT_GIVEN
from batchbook.packages.verdict import Status, Verdict
from batchbook.packages.wording import NOT_CHECKED, count, shorten, some

MOST_LINK = 255
"""Excel takes no longer text in a formula, and a link is one."""
MOST_IDS = 1_000
"""Of ids beside which there has to be room for their source."""


def id_result(verdict: Verdict, kind: str, pick: Callable[[Sequence[str]], list[str]]) -> str:
    """The ids of one kind (GHSA, CVE) among the advisories that affect the version."""
    if verdict.status is Status.UNKNOWN:
        return shorten(f"unknown: {verdict.reason}")
    if verdict.status is Status.NOT_AFFECTED:
        return known_text(verdict)
    picked = [pick(hit.names) for hit in verdict.hits]
    ids = list(dict.fromkeys(name for names in picked for name in names))
    without = sum(not names for names in picked)
    where = verdict.scope
    if not ids:
        return f"affected: no {kind} id given for {count(without, 'advisory', 'advisories')} in {where}"
    rest = f"; {without} without a {kind} id" if without else ""
    return shorten(f"{len(ids)} known: {shorten(some(ids), MOST_IDS)}{rest} (in {where})")


def ghsa_ids(names: Sequence[str]) -> list[str]:
    """The GitHub advisory ids among ids and aliases."""
    return [name for name in names if name.upper().startswith("GHSA-")]


def github_result(verdict: Verdict) -> str:
    """GitHub advisories of the version in use."""
    return id_result(verdict, "GHSA", ghsa_ids)


def cve_result(verdict: Verdict) -> str:
    """CVE ids of the version in use."""
    return id_result(verdict, "CVE", cves)


def package_link(template: str, place: str, name: str) -> Link | None:
    """A link for a package: `{name}` in the template is replaced, else the name is put at its end."""
    part = quote(name, safe="")
    url = template.replace("{name}", part) if "{name}" in template else template + part
    return Link(url, shorten(f"{place}: {name}", MOST_LINK)) if len(url) <= MOST_LINK else None


def advisory_link(hit: Hit, templates: Mapping[str, str]) -> Link | None:
    """The link of an advisory: of its first id whose beginning has a template."""
    for name in hit.names:
        for prefix, template in templates.items():
            if name.upper().startswith(prefix.upper()):
                url = template.replace("{id}", quote(name, safe=""))
                return Link(url, shorten(name, MOST_LINK)) if len(url) <= MOST_LINK else None
    return None


def detail_row(
    verdict: Verdict, hit: Hit, key: str, templates: Mapping[str, str], kev: KnownExploited | None
) -> list[str | Link | None]:
    """One row of the sheet Advisories: every text but the key is of a length that a cell holds."""
    others = [name for name in hit.names if name != hit.id]
    fixed = str(hit.first_fixed) if hit.first_fixed is not None else "none known"
    cells: list[str | Link | None] = [
        verdict.question.version,
        _state(verdict, hit),
        hit.id,
        ", ".join(others) or None,
        hit.summary or None,
        _severity(hit),
        _range(verdict, hit),
        NOT_CHECKED if hit.undecided else fixed,
        advisory_link(hit, templates),
        known_exploited(hit, kev),
        " and ".join(hit.sources),
        hit.disagreement or None,
    ]
    return [key, *(shorten(cell) if isinstance(cell, str) else cell for cell in cells)]


def _severity(hit: Hit) -> str:
    """The highest severity; who says it is named where no record does."""
    severity = hit.severity
    if severity is None:
        return NOT_GIVEN
    if severity == hit.stated_severity:
        return str(severity)
    return f"{severity} by {next(one.where for one in hit.facts if one.severity == severity)}"


def _range(verdict: Verdict, hit: Hit) -> str:
    """The affected versions; where only the list names the version in use, the ranges alone would mislead."""
    if verdict.version is None or not hit.only_listed(verdict.version):
        return hit.ranges
    return f"{hit.ranges}; {verdict.version} by its list of versions"


def _state(verdict: Verdict, hit: Hit) -> str:
    if hit.undecided:
        return f"unknown: {hit.undecided}"
    if verdict.status is Status.AFFECTED:
        return "affected"
    return "unknown: would be affected, were the version as shown"
