import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchbook.tables import Alike, AnyOf, Between, Containing
from tests.tables.library import LOG, TITLES, Entry, Title, library_with

DAYS = [dt.date(2026, 1, 1), dt.date(2026, 2, 1), dt.date(2026, 3, 1)]
RECORD = st.builds(
    Title,
    code=st.integers(0, 10**6).map(str),
    status=st.sampled_from(["there", "lost"]),
    title=st.sampled_from([None, "Äpfel", "äpfel und Birnen", "STRASSE", "Straße", "100 %_", "a'b"]),
    copies=st.none() | st.integers(0, 3),
    due=st.sampled_from([None, *DAYS]),
)
RECORDS = st.lists(RECORD, max_size=12, unique_by=lambda title: title.code)
WANTED = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["there", "lost", AnyOf(["there", "lost"]), AnyOf([])]),
        "title": st.sampled_from(
            [None, "Äpfel", Alike("äPFEL"), *map(Containing, ("ÄPF", "strasse", "%")), AnyOf(["a'b", None])]
        ),
        "copies": st.sampled_from([None, 2, Between(1, 2), Between(low=2), Between(high=1), Between(), AnyOf([0, 3])]),
        "due": st.sampled_from([None, DAYS[1], Between(DAYS[0], DAYS[1]), Between(high=DAYS[0])]),
    },
)
ORDERS = st.lists(
    st.sampled_from(["code", "status", "title", "copies", "due"]).flatmap(lambda n: st.sampled_from([n, f"-{n}"])),
    max_size=3,
)


def fits(value, wanted):
    if isinstance(wanted, AnyOf):
        return value in wanted.values
    if isinstance(wanted, Between):
        return (
            value is not None
            and (wanted.low is None or value >= wanted.low)
            and (wanted.high is None or value <= wanted.high)
        )
    if isinstance(wanted, Alike):
        return value is not None and wanted.text.casefold() == value.casefold()
    if isinstance(wanted, Containing):
        return value is not None and wanted.text.casefold() in value.casefold()
    return value == wanted


def plain(records, wanted, order=()):
    found = [one for one in records if all(fits(getattr(one, name), value) for name, value in wanted.items())]
    for name in reversed(order):
        field = name.removeprefix("-")
        filled = [one for one in found if getattr(one, field) is not None]
        filled.sort(key=lambda one: getattr(one, field), reverse=name.startswith("-"))
        found = filled + [one for one in found if getattr(one, field) is None]
    return found


def titles_of(records):
    titles = library_with().table(TITLES)
    for record in records:
        titles.insert(record)
    return titles


@settings(max_examples=150, deadline=None)
@given(RECORDS, WANTED, ORDERS)
def test_any_question_is_answered_as_by_going_through_all_records(records, wanted, order):
    titles = titles_of(records)
    expected = plain(records, wanted, order)
    for _ in range(3):  # the second time there is an index
        assert list(titles.where(order=order, **wanted)) == expected
        assert titles.first(order=order, **wanted) == (expected[0] if expected else None)
        assert titles.count(**wanted) == len(expected)


@settings(max_examples=50, deadline=None)
@given(RECORDS, WANTED)
def test_a_tally_counts_what_is_found_by_its_values(records, wanted):
    expected = {}
    for one in plain(records, wanted, ["status", "due"]):
        expected[one.status, one.due] = expected.get((one.status, one.due), 0) + 1
    titles = titles_of(records)
    assert list(titles.tally("status", "due", **wanted).items()) == list(expected.items())
    assert titles.tally(**wanted) == {(): sum(expected.values())}


@pytest.mark.parametrize("order", [(), ("code",)])
def test_records_may_be_staged_while_they_are_gone_through(order):
    titles = titles_of([Title(code=f"{n:04}", status="there") for n in range(1500)])
    titles.count(status="there")
    seen = []
    for title in titles.where(order=order, status="there"):
        seen.append(title.code)
        titles.update(title.code, status="lost")
        titles.insert(Title(code=f"new {title.code}", status="there"))
    assert seen == [f"{n:04}" for n in range(1500)]
    assert titles.tally("status") == {("lost",): 1500, ("there",): 1500}


def test_numbers_sort_as_numbers():
    log = library_with().table(LOG)
    for entry in (10, 9, 100, 1):
        log.insert(Entry(entry=entry))
    assert [one.entry for one in log.where(order=["-entry"])] == [100, 10, 9, 1]
    assert log.first(order=["entry"]).entry == 1


def test_any_number_of_values_can_be_asked_for():
    titles = titles_of([Title(code=str(n), status="there") for n in (1, 39_999, 40_000)])
    assert titles.count(code=AnyOf([str(n) for n in range(40_000)])) == 2
