from hypothesis import given
from hypothesis import strategies as st
from stdnum import isbn as stdnum_isbn

from batchbook.isbn.numbers import Isbn, core_of, isbn_of, judge
from batchbook.isbn.ranges import Group, RangeTable, shipped_ranges
from batchbook.isbn.records import ASSIGNMENTS, BLOCKS, HISTORY, with_ranges
from tests.isbn.helpers import cores, isbns, own_check_digit

NOBODYS = RangeTable([], source="nobody's", date=None)
OTHERS = RangeTable([Group("978", "1", "English", (("6000000", "6099999"),))], source="test", date=None)


@given(cores)
def test_every_check_digit_is_right_by_definition_and_by_python_stdnum(core):
    isbn = isbn_of(core)
    assert isbn == f"{core:012d}" + own_check_digit(core)
    assert stdnum_isbn.is_valid(isbn)
    assert core_of(isbn) == core


@given(isbns, st.sampled_from([None, NOBODYS, OTHERS]))
def test_what_a_cell_gets_is_read_as_the_same_number(isbn, ranges):
    kind = Isbn(ranges)
    written = kind.write(isbn)
    assert kind.read(written, str(written)) == kind.parse(kind.show(isbn)) == isbn
    assert kind.load(kind.store(isbn)) == isbn


def test_cells_get_hyphens_where_the_range_is_known_to_the_table_in_use():
    assert Isbn().write("9781608880003") == "978-1-60888-000-3"
    assert Isbn(OTHERS).write("9781608880003") == "978-1-6088800-0-3"
    assert Isbn(NOBODYS).write("9781608880003") == "9781608880003"
    assert Isbn().write("9786660000001") == "9786660000001"


def test_a_text_is_invalid_or_of_unknown_range_or_valid():
    valid = judge("1-60888-000-1")
    assert (valid.outcome, valid.isbn, str(valid.parts)) == ("valid", "9781608880003", "978-1-60888-000-3")
    unknown = judge(isbn_of(978666000000))
    assert (unknown.outcome, unknown.isbn, unknown.parts) == ("range-unknown", isbn_of(978666000000), None)
    assert str(shipped_ranges()) in unknown.said
    invalid = judge("978-1-60888-000-4")
    assert (invalid.outcome, invalid.isbn, invalid.rule) == ("invalid", None, "check-digit")
    assert judge("9781608880003", NOBODYS).outcome == "range-unknown"


@given(isbns)
def test_known_ranges_are_those_that_python_stdnum_splits(isbn):
    assert judge(isbn).outcome == ("valid" if stdnum_isbn.split(isbn)[2] else "range-unknown")


def test_record_types_can_be_had_with_another_range_table():
    for kind in (BLOCKS, ASSIGNMENTS, HISTORY):
        other = with_ranges(kind, NOBODYS)
        assert [column.name for column in other.columns] == [column.name for column in kind.columns]
        kinds = [column.kind for column in other.columns if isinstance(column.kind, Isbn)]
        assert kinds
        assert all(one.write("9781608880003") == "9781608880003" for one in kinds)
    assert BLOCKS.column("first").kind.write("9781608880003") == "978-1-60888-000-3"
