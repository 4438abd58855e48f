import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchbook.errors import ConfigurationError
from batchbook.tables.header import HeaderError
from batchbook.tables.inputs import CsvRows, InputTable, file_digest
from batchbook.xlsx import Book
from tests.tables.helpers import make_book, spec_of

SHEET = [["Key", "Name", "Result"], ["K1", "a", "old"], ["K2", "b"], [None, "no key"]]
WANTED = {"Key": ("Key",), "Name": ("Name", "Title")}


def read(path, content, *, others=False, name="in.csv", encoding="utf-8"):
    source = path / name
    source.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return [
        {name: cell and cell.value for name, cell in cells.items()}
        for _, cells, _ in CsvRows(source, WANTED, others=others).rows()
    ]


def table_rows(path, content, sheet=SHEET, change=None, **spec):
    source = path / "in.csv"
    source.write_text(content)
    with Book.open(make_book(path / "b.xlsx", sheet, change=change)) as book:
        table = InputTable(book, spec_of(**spec), source)
        return table, list(table.rows())


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_csv_file_as_programs_write_them_is_read(tmp_path, delimiter, encoding, end):
    lines = [["Key", "Title"], ["ä1", "x y"], ["", ""], ["K2", ""]]
    content = end.join(delimiter.join(line) for line in lines).encode(encoding)
    assert read(tmp_path, content) == [{"Key": "ä1", "Name": "x y"}, {"Key": "K2", "Name": None}]


def test_what_looks_like_a_number_stays_text(tmp_path):
    assert read(tmp_path, "Key,Name\n007,1.10\n") == [{"Key": "007", "Name": "1.10"}]


def test_quoted_delimiters_and_line_breaks_belong_to_their_field(tmp_path):
    assert read(tmp_path, 'Key,Name\n"a,b","two\nlines"\n') == [{"Key": "a,b", "Name": "two\nlines"}]
    assert read(tmp_path, '"Key","the\nNote","Name"\na,b,c\n') == [{"Key": "a", "Name": "c"}]


def test_a_short_line_has_blanks_at_its_end(tmp_path):
    assert read(tmp_path, "Key,Name\na\n") == [{"Key": "a", "Name": None}]


@pytest.mark.parametrize("content", [b"Key;Name\nK1;M\xfcller\n", b"Key,Name\n" + b"a,b\n" * 9000 + b"K1,\xff\n"])
def test_a_csv_file_in_another_encoding_is_refused_with_the_place_and_the_advice(tmp_path, content):
    with pytest.raises(ConfigurationError, match=r"in\.csv is not in UTF-8.*CSV UTF-8") as caught:
        read(tmp_path, content)
    (finding,) = caught.value.findings
    assert (finding.column, finding.rule, "0xF" in finding.message) == ("Name", "encoding", True)
    assert finding.row == content.count(b"\n")


def test_of_a_csv_file_in_another_encoding_the_first_places_are_told_at_once(tmp_path):
    with pytest.raises(ConfigurationError, match="first 50 places") as caught:
        read(tmp_path, "Key,Name\n" + "Ä,ü\n" * 40, encoding="cp1252")
    assert len(caught.value.findings) == 50
    assert {(one.row, one.column) for one in caught.value.findings} == {
        (row, name) for row in range(2, 27) for name in ("Key", "Name")
    }


@pytest.mark.parametrize("content", ["", "Name\nx\n", "Key,Name,Title\na,b,c\n"])
def test_a_csv_file_without_the_headers_is_refused(tmp_path, content):
    with pytest.raises(HeaderError, match=r"in\.csv"):
        read(tmp_path, content)


def test_a_file_that_is_not_there_is_a_configuration_error(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be read"):
        CsvRows(tmp_path / "none.csv", WANTED, others=False)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        file_digest(tmp_path / "none.csv")


def test_the_digest_of_an_input_follows_its_content(tmp_path):
    (tmp_path / "a").write_text("x")
    (tmp_path / "b").write_text("y")
    assert file_digest(tmp_path / "a") == file_digest(tmp_path / "a") != file_digest(tmp_path / "b")


def test_an_input_row_goes_to_the_row_with_its_key_or_to_the_end(tmp_path):
    table, rows = table_rows(tmp_path, "Key,Name\nK9,z\nK2,new b\nK8,y\n")
    assert [(row.key[0], row.number, row.row["Name"], row.taken["Result"]) for row in rows] == [
        ("K9", 5, "z", None), ("K2", 3, "new b", None), ("K8", 6, "y", None),
    ]  # fmt: skip
    assert table.key_cells(5, ("K9",)) == {"Key": "K9"}
    assert table.key_cells(3, ("K2",)) == {}


def test_where_a_row_was_read_is_its_line_in_the_input(tmp_path):
    _, rows = table_rows(tmp_path, "Key,Name\n\nK9,z\nK2,b\n")
    assert [row.read_at for row in rows] == [3, 4]


def test_a_key_doubled_or_empty_in_the_input_is_named_by_its_lines(tmp_path):
    table, _ = table_rows(tmp_path, "Key,Name\nK9,z\n,b\nK9,y\n")
    assert table.keys().problems() == {
        2: "the key 'K9' stands in 2 rows: 2, 4", 4: "the key 'K9' stands in 2 rows: 2, 4", 3: "the key is empty",
    }  # fmt: skip


def test_an_input_row_without_a_key_is_never_that_of_a_row_without_one(tmp_path):
    _, rows = table_rows(tmp_path, "Key,Name\n,b\n")
    assert rows[0].number == 5


def test_a_key_that_the_sheet_has_twice_cannot_be_brought_in(tmp_path):
    _, rows = table_rows(tmp_path, "Key,Name\nK1,z\n", [*SHEET, ["K1", "twin"]])
    assert rows[0].problem == "the key 'K1' stands in 2 rows: 2, 5"


def test_a_cell_of_the_sheet_that_cannot_be_written_is_the_input_rows_problem(tmp_path):
    _, rows = table_rows(tmp_path, "Key,Name\nK1,z\nK2,y\n", change=lambda sheet: sheet.merge_cells("B2:C2"))
    assert "C2 (Result) cannot be written" in rows[0].problem
    assert rows[1].problem is None


def test_without_reads_every_column_of_the_input_is_read(tmp_path):
    _, rows = table_rows(tmp_path, "Key,Name,Extra\nK1,z,e\n", reads=None)
    assert dict(rows[0].row) == {"Key": "K1", "Name": "z", "Extra": "e"}


def test_the_order_is_the_sheets_and_then_what_the_input_adds(tmp_path):
    table, _ = table_rows(tmp_path, "Key,Name\nK9,z\nK2,b\n")
    assert list(table.order()) == ['["K1"]', '["K2"]', '["K9"]']


def test_a_workbook_can_be_the_input(tmp_path):
    source = make_book(tmp_path / "in.xlsx", [["a list"], [], ["Name", "Key"], ["x", 7], [None, None], ["=1+1", "K2"]])
    with Book.open(make_book(tmp_path / "b.xlsx", SHEET)) as book:
        rows = list(InputTable(book, spec_of(), source).rows())
    assert [(row.key[0], row.number) for row in rows] == [("7", 5), ("K2", 3)]
    assert rows[0].row["Name"] == "x"
    assert "'Name' in row 6 of the input is a formula without a calculated value" in rows[1].problem


@settings(max_examples=25, deadline=None)
@given(keys=st.lists(st.sampled_from(["K1", "K2", "K3", "K4", "", "K5"]), max_size=10))
def test_no_two_input_rows_ever_go_to_the_same_row_of_the_sheet(tmp_path_factory, keys):
    path = tmp_path_factory.mktemp("i")
    _, rows = table_rows(path, "Key,Name\n" + "".join(f"{key},x\n" for key in keys))
    numbers = [row.number for row in rows]
    assert len(set(numbers)) == len(numbers) == len(keys)
    assert all(number >= 5 or row.key in (("K1",), ("K2",)) for number, row in zip(numbers, rows, strict=True))


def whole_rows(path, content):
    source = path / "in.csv"
    source.write_text(content)
    return list(CsvRows(source, WANTED, others=False).rows())


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_what_stands_behind_the_last_header_makes_the_row_one_that_is_not_whole(tmp_path, delimiter):
    lines = ["Key,Name", "K1,first part, and the rest", "K2,b", "K3,c,, ,", ",,lonely", "K4,d,x,,y", '"K,5","e"']
    rows = whole_rows(tmp_path, "\n".join(lines).replace(",", delimiter))
    assert [(row.number, row.surplus) for row in rows] == [
        (2, ("and the rest",)), (3, ()), (4, ()), (5, ("lonely",)), (6, ("x", "", "y")), (7, ())
    ]  # fmt: skip
    assert "a field more than there are headers: 'and the rest'" in rows[0].problem
    assert "3 fields more than there are headers: 'x |  | y'" in rows[4].problem
    assert [row.problem for row in rows[1:3]] == [None, None]


def test_a_column_without_a_header_behind_the_last_one_is_surplus_and_one_before_it_is_left_alone(tmp_path):
    rows = whole_rows(tmp_path, "Key,,Name,,\nK1,mine,a,,\nK2,,b,note,\n")
    assert [row.surplus for row in rows] == [(), ("note",)]


def test_a_row_with_surplus_is_a_problem_of_a_sheet_too(tmp_path):
    _, rows = table_rows(tmp_path, "Key,Name\nK1,a,rest\nK9,z,rest\nK2,b\n")
    assert [row.problem is None for row in rows] == [False, False, True]


@settings(max_examples=50, deadline=None)
@given(fields=st.lists(st.lists(st.text(st.sampled_from('ab ,;"\n'), max_size=4), min_size=1, max_size=6), max_size=6))
def test_no_field_of_a_csv_file_is_lost(tmp_path_factory, fields):
    import csv
    import io

    text = io.StringIO()
    csv.writer(text).writerows([["Key", "Name"], *fields])
    path = tmp_path_factory.mktemp("i") / "in.csv"
    path.write_bytes(text.getvalue().encode())
    read = [
        [cell.value for cell in row.cells.values() if cell is not None] + [one for one in row.surplus if one]
        for row in CsvRows(path, WANTED, others=False).rows()
    ]
    assert read == [kept for line in fields if (kept := [one.strip() for one in line if one.strip()])]
