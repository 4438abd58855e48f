import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchbook.storage.celltexts import folded
from batchbook.tables.header import SEARCHED_ROWS, HeaderError, find_header
from batchbook.xlsx import Book
from tests.tables.helpers import make_book

WANTED = {"key": ("Key",), "name": ("Name", "Title")}


def found(path, rows, wanted=WANTED, **options):
    with Book.open(make_book(path / "b.xlsx", rows)) as book:
        return find_header(book, "Data", wanted, **options)


def test_columns_are_found_by_header_wherever_they_stand(tmp_path):
    header = found(tmp_path, [["x", "Name", None, "Key"]])
    assert (header.row, dict(header.columns)) == (1, {"key": 4, "name": 2})


def test_the_header_row_is_the_first_that_has_every_header(tmp_path):
    assert found(tmp_path, [["Key"], [], ["about", "Name"], ["Key", "Name"], ["Key", "Name"]]).row == 4


def test_a_header_row_that_is_named_is_taken_even_if_another_fits(tmp_path):
    assert found(tmp_path, [["Key", "Name"], ["Name", "Key"]], row=2).columns == {"key": 2, "name": 1}


def test_case_blanks_and_line_breaks_in_a_header_do_not_count(tmp_path):
    assert found(tmp_path, [[" KEY\n", "na\tme", "Title "]]).columns == {"key": 1, "name": 3}


def test_the_title_is_the_header_as_it_stands_in_the_sheet(tmp_path):
    assert found(tmp_path, [["KEY", "Title"]]).titles == {"key": "KEY", "name": "Title"}


def test_every_missing_or_doubled_header_is_named_at_once_with_its_place(tmp_path):
    with pytest.raises(HeaderError) as caught:
        found(tmp_path, [["Kye", "Name", "x", "Title"]])
    said = [str(finding) for finding in caught.value.findings]
    assert "there is no header 'Key'; is 'Kye' meant to be it?" in said[0]
    assert "stands in 2 columns: B, D" in said[1]
    assert caught.value.exit_code == 2


def test_a_sheet_without_any_header_is_an_error_not_a_crash(tmp_path):
    with pytest.raises(HeaderError, match="2 headers"):
        found(tmp_path, [])


def test_other_columns_are_given_under_their_header_where_asked_for(tmp_path):
    header = found(tmp_path, [["Key", "Name", "Extra", None, "More"]], others=True)
    assert header.columns == {"key": 1, "name": 2, "Extra": 3, "More": 5}


def test_headers_far_down_are_not_searched_for(tmp_path):
    with pytest.raises(HeaderError):
        found(tmp_path, [*([["x"]] * SEARCHED_ROWS), ["Key", "Name"]])
    assert found(tmp_path, [*([["x"]] * SEARCHED_ROWS), ["Key", "Name"]], row=SEARCHED_ROWS + 1).columns["key"] == 1


@settings(max_examples=15, deadline=None)
@given(order=st.permutations(["Key", "Title", "a", "b", "c"]))
def test_the_order_of_columns_never_matters(tmp_path_factory, order):
    header = found(tmp_path_factory.mktemp("h"), [order])
    assert [order[header.columns[name] - 1] for name in ("key", "name")] == ["Key", "Title"]


@given(st.text())
def test_a_header_is_compared_the_same_however_often_it_is_folded(text):
    assert folded(f" {folded(text)}\n") == folded(folded(text))
