"""What holds whatever the sources say: unknown never looks safe, and no source makes another's warning vanish."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version

from batchbook.packages.columns import MAY_WRITE
from batchbook.packages.cvefacts import CveFact, CveFound
from batchbook.packages.factcolumns import fact_columns, nvd_result
from batchbook.packages.recommendation import Kind, ReleaseFacts, recommend
from batchbook.packages.records import Advisory, read_record
from batchbook.packages.releasecolumns import further_release_columns, release_columns
from batchbook.packages.releases import Project, Release
from batchbook.packages.results import cve_result, github_result
from batchbook.packages.reviewed import IndexAnswer, Reviewed, with_facts
from batchbook.packages.sources import Found, NotAsked, SourceUnreachable
from batchbook.packages.verdict import Question, Status, Verdict, review
from batchbook.packages.wording import MOST_TEXT, fitting
from tests.packages.conftest import ListSource, make_record

VERSIONS = ("0.9", "1.0", "1.0+cpu", "1.1rc1", "1.1", "1.1.post1", "2.0.dev1", "2.0", "1!0.1")
READABLE = st.sampled_from(VERSIONS)
IDS = ("CVE-2024-0001", "CVE-2024-0002", "GHSA-a", "PYSEC-1", "PYSEC-2")
EVENT = st.builds(
    lambda kind, version: {kind: version},
    st.sampled_from(("introduced", "fixed", "last_affected", "limit")),
    st.sampled_from(("0", *VERSIONS, "trunk")),
)
RECORD = st.builds(
    lambda id, aliases, events, versions, withdrawn, label, month: read_record(
        make_record(
            id,
            events=events,
            versions=versions,
            aliases=aliases,
            modified=f"2024-0{month}-01T00:00:00Z",
            database_specific={"severity": label},
            **({"withdrawn": "2024-09-01T00:00:00Z"} if withdrawn else {}),
        )
    ),
    st.sampled_from(IDS),
    st.lists(st.sampled_from(IDS), max_size=2),
    st.none() | st.lists(EVENT, max_size=4),
    st.lists(READABLE, max_size=2),
    st.booleans(),
    st.sampled_from(("", "LOW", "HIGH")),
    st.integers(1, 3),
)
RECORDS = st.lists(RECORD, max_size=4)
TYPED = st.sampled_from((*VERSIONS, "23.0.", "NEW", ""))


class Broken:
    """A source that gives no answer, for one reason or the other."""

    reference_date = ""

    def __init__(self, problem: Exception) -> None:
        self.name, self.problem = f"broken {problem}", problem

    def lookup(self, name: str) -> Found:
        raise self.problem


class Nvd:
    """A source of CVE facts that knows some ids and is in trouble with others."""

    name, reference_date = "NVD", ""

    def __init__(self, said: dict[str, CveFact | Exception | None]) -> None:
        self.said = said

    def lookup(self, cve: str) -> CveFound:
        said = self.said.get(cve)
        if isinstance(said, Exception):
            raise said
        return CveFound(said, "2024-10-20")


FACT = st.one_of(
    st.none(),
    st.builds(SourceUnreachable, st.just("no answer")),
    st.builds(NotAsked, st.just("offline")),
    st.builds(
        CveFact,
        st.sampled_from(IDS[:2]),
        st.sampled_from(("Analyzed", "Rejected", "")),
        st.sampled_from(((), (("LABEL", "CRITICAL"),))),
        st.sampled_from(("", "2024-01-01")),
    ),
)
FACTS = st.builds(Nvd, st.dictionaries(st.sampled_from(IDS[:2]), FACT))
PROJECT = st.builds(
    lambda versions, state: Project("thing", tuple(Release(Version(one)) for one in versions), state, "so"),
    st.lists(READABLE, unique=True, max_size=4),
    st.sampled_from(("", "active", "quarantined", "archived", "deprecated")),
)


def named(lists: list[list[Advisory]]) -> list[ListSource]:
    return [ListSource(records, f"source {number}") for number, records in enumerate(lists)]


def told(verdict: Verdict, project: Project | None, nvd: Nvd | None) -> tuple[Reviewed, dict[str, str]]:
    """A row as the workbook shows it."""
    answers: tuple[Any, ...] = ()
    if nvd is not None:
        verdict, answers = with_facts(verdict, nvd)
    releases = None if project is None else ReleaseFacts.of("index of 2024-10-11", project, verdict.version)
    index = IndexAnswer("index", "2024-10-11", releases) if project else IndexAnswer()
    reviewed = Reviewed(verdict, index, None, "NVD" if nvd is not None else "", answers, Version("3.12"))
    texts = {
        **release_columns(reviewed),
        **further_release_columns(reviewed),
        **fact_columns(reviewed),
        "github_advisory_result": github_result(verdict),
        "mitre_cve_result": cve_result(verdict),
        "nvd_result": nvd_result(reviewed),
        "recommendation": recommend(verdict, releases, reviewed.exploited).text,
    }
    return reviewed, {name: str(text) for name, text in texts.items()}


@settings(deadline=None)
@given(st.lists(RECORDS, min_size=1, max_size=3), TYPED)
def test_the_order_of_sources_does_not_matter_for_status_and_fix(lists: list[list[Advisory]], version: str) -> None:
    sources = named(lists)
    found = {
        (verdict.status, verdict.known, verdict.first_fixed, len(verdict.hits), len(verdict.undecided))
        for order in permutations(sources)
        for verdict in [review(Question("thing", version), order)]
    }
    assert len(found) == 1


@settings(deadline=None)
@given(RECORDS, RECORDS, READABLE)
def test_a_further_source_never_takes_a_warning_away(one: list[Advisory], two: list[Advisory], version: str) -> None:
    """But a newer copy of the same record is a correction: so none of the further ones is of an id known before."""
    known = {record.id for record in one}
    others = [record for record in two if record.id not in known]
    before = review(Question("thing", version), named([one]))
    after = review(Question("thing", version), named([one, others]))
    if before.status is Status.AFFECTED:
        assert after.status is Status.AFFECTED
    if after.status is Status.NOT_AFFECTED:
        assert before.status is Status.NOT_AFFECTED
    if before.status is Status.UNKNOWN:
        assert after.status is not Status.NOT_AFFECTED


@settings(deadline=None)
@given(RECORDS, TYPED, st.none() | PROJECT, st.none() | FACTS)
def test_no_row_is_called_not_affected_where_a_source_was_in_trouble(
    records: list[Advisory], version: str, project: Project | None, nvd: Nvd | None
) -> None:
    sources = [*named([records]), Broken(SourceUnreachable("no answer"))]
    reviewed, texts = told(review(Question("thing", version), sources), project, nvd)
    assert reviewed.verdict.status is not Status.NOT_AFFECTED
    assert not [name for name, text in texts.items() if "not affected by" in text and "disagree" not in text]
    assert "broken no answer could not be asked" in texts["recommendation"] + texts["data_dates"]


@settings(deadline=None)
@given(RECORDS, TYPED, st.none() | PROJECT, st.none() | FACTS, st.sampled_from(("", "it is a number")))
def test_a_row_that_is_unknown_has_no_further_column_that_looks_safe_or_is_blank(
    records: list[Advisory], version: str, project: Project | None, nvd: Nvd | None, suspect: str
) -> None:
    reviewed, texts = told(review(Question("thing", version, suspect), named([records])), project, nvd)
    assert all(texts[name] for name in MAY_WRITE)
    assert all(len(text) <= MOST_TEXT for text in texts.values())
    if reviewed.verdict.status is not Status.UNKNOWN:
        return
    for name in set(MAY_WRITE) - {"data_dates"}:
        bad_news = name == "latest_affected" and texts[name].startswith("affected by")
        assert texts[name].startswith(("unknown", "not checked")) or bad_news, (name, texts[name])
    assert texts["recommendation"].startswith(Kind.UNKNOWN)
    assert texts["nvd_result"].startswith(("unknown", "not checked"))


@settings(deadline=None)
@given(RECORDS, TYPED, PROJECT, st.booleans())
def test_the_latest_is_judged_as_if_it_were_in_use(
    records: list[Advisory], version: str, project: Project, trouble: bool
) -> None:
    sources = [*named([records]), *([Broken(SourceUnreachable("no answer"))] if trouble else [])]
    reviewed, texts = told(review(Question("thing", version), sources), project, None)
    facts = reviewed.index.facts
    assert facts is not None
    if facts.latest is None:
        return
    as_used = review(Question("thing", str(facts.latest.version)), sources)
    text = texts["latest_affected"]
    assert text.startswith(f"affected by {len(as_used.hits)}: ") is (as_used.status is Status.AFFECTED)
    if reviewed.verdict.status is not Status.UNKNOWN:
        assert text.startswith("unknown") is (as_used.status is Status.UNKNOWN)
        assert text.startswith("not affected by") <= (as_used.status is Status.NOT_AFFECTED)
    safe = texts["recommendation"].startswith((Kind.UPDATE, Kind.PROCEED))
    assert not safe or as_used.status is Status.NOT_AFFECTED


@settings(deadline=None)
@given(RECORDS, READABLE, FACTS)
def test_cve_facts_never_change_a_status(records: list[Advisory], version: str, nvd: Nvd) -> None:
    verdict = review(Question("thing", version), named([records]))
    with_them, answers = with_facts(verdict, nvd)
    assert replace(with_them, hits=verdict.hits, undecided=verdict.undecided) == verdict
    assert [hit.id for hit in with_them.hits] == [hit.id for hit in verdict.hits]
    assert len({one.id for one in answers}) == len(answers)


@given(st.lists(st.text("ab", min_size=1, max_size=9), min_size=1, max_size=60), st.integers(30, 90))
def test_names_that_fit_are_whole_and_the_others_are_counted(names: list[str], most: int) -> None:
    text = fitting(names, most)
    assert len(text) <= most
    shown, _, more = text.partition(" and ")
    taken = shown.split(", ")
    assert taken == names[: len(taken)]
    assert len(taken) + (int(more.removesuffix(" more")) if more else 0) == len(names)
