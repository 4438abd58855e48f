import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import isbn as stdnum_isbn

from batchbook.isbn.numbers import isbn_of
from batchbook.isbn.ranges import Group, OverlappingRanges, RangeTable, message_date, shipped_ranges
from tests.isbn.helpers import boundary_cores, cores, isbns, stdnum_content


def by_stdnum(isbn):
    """What python-stdnum itself says, None where it does not know the registrant."""
    parts = stdnum_isbn.split(isbn)
    return parts if parts[2] else None


def parts_of(table, isbn):
    parts = table.split(isbn)
    return parts and (parts.prefix, parts.group, parts.registrant, parts.publication, parts.check)


def test_the_shipped_table_splits_as_python_stdnum_does_at_every_boundary_of_every_group():
    table, seen = shipped_ranges(), set()
    for core in boundary_cores():
        isbn = isbn_of(core)
        assert parts_of(table, isbn) == by_stdnum(isbn), isbn
        seen.add(isbn[:3] + "-" + str(table.split(isbn) and table.split(isbn).group))
    groups = {
        f"{prefix}-{group}" for prefix, (_, groups) in stdnum_content().items() for group in groups if groups[group][1]
    }
    assert len(groups) > 250
    assert groups <= seen
    assert {"978-None", "979-None"} <= seen, "no boundary lies beside a range that nobody has"


@given(isbns)
def test_the_shipped_table_splits_as_python_stdnum_does(isbn):
    assert parts_of(shipped_ranges(), isbn) == by_stdnum(isbn)


@given(isbns)
def test_parts_put_together_are_the_number(isbn):
    parts = shipped_ranges().split(isbn)
    written = shipped_ranges().hyphenate(isbn)
    assert written.replace("-", "") == isbn
    assert written == (isbn if parts is None else str(parts))
    if parts is not None:
        assert written.startswith(parts.registrant_prefix + "-")
        assert len(parts.publication) >= 1


def test_the_shipped_table_says_of_which_date_it_is():
    table = shipped_ranges()
    assert table.date is not None
    assert table.date.tzinfo is not None
    assert table.date >= dt.datetime(2026, 1, 4, tzinfo=dt.UTC)
    assert table.serial
    assert str(table) == f"{table.source}, {table.date.date().isoformat()}"
    assert table.source.startswith("python-stdnum ")


def test_every_group_of_the_shipped_table_has_its_agency():
    for prefix, (_, groups) in stdnum_content().items():
        for group, (agency, _) in groups.items():
            assert shipped_ranges().agency(prefix + group) == agency
    assert shipped_ranges().agency("9786660000000") is None


@given(cores, st.integers(4, 12))
def test_a_registrant_is_known_from_as_many_digits_as_it_takes_and_not_from_fewer(core, length):
    isbn = isbn_of(core)
    parts = shipped_ranges().split(isbn)
    found = shipped_ranges().registrant(isbn[:length])
    if parts is not None and length >= len(parts.registrant_prefix) - 2:
        assert found == (parts.prefix, parts.group, parts.registrant)
    else:
        assert found is None


@given(cores, st.integers(3, 11))
def test_digits_that_several_registrants_share_are_told_by_the_first_of_them(core, length):
    digits = f"{core:012d}"[:length]
    longer = shipped_ranges().longer_registrant(digits)
    if longer is not None:
        assert "".join(longer).startswith(digits)
        assert len("".join(longer)) > length
        assert shipped_ranges().registrant(digits) is None
    else:
        known = [shipped_ranges().split(isbn_of(int(digits.ljust(12, fill)))) for fill in "0123456789"]
        assert all(parts is None or len(parts.registrant_prefix) - 2 <= length for parts in known)


def test_ranges_that_overlap_are_no_table():
    groups = [Group("978", "1", "A", (("00", "19"), ("195", "200")))]
    with pytest.raises(OverlappingRanges):
        RangeTable(groups, source="test", date=None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sun, 4 Jan 2026 16:49:25 GMT", dt.datetime(2026, 1, 4, 16, 49, 25, tzinfo=dt.UTC)),
        ("4 Jan 2026 16:49:25", dt.datetime(2026, 1, 4, 16, 49, 25, tzinfo=dt.UTC)),
        ("4 Jan 2026 16:49:25 +0100", dt.datetime(2026, 1, 4, 15, 49, 25, tzinfo=dt.UTC)),
        ("2026", None),
        ("", None),
        ("Sun, 40 Jan 2026 16:49:25 GMT", None),
        ("Sun, 4 Jan 2026 16:49:25 +9999999999", None),
    ],
)
def test_dates_are_read_as_mails_have_them(text, expected):
    assert message_date(text) == expected


def test_a_table_of_unknown_date_says_so():
    assert str(RangeTable([], source="here", date=None)) == "here, of unknown date"
