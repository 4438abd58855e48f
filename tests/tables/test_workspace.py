import dataclasses
import datetime as dt

import pytest
from openpyxl.worksheet.table import Table as ExcelTable

from batchbook.errors import ConfigurationError
from batchbook.tables import Findings, RecordType, Unsound, Workspace
from batchbook.tables.keys import key_part
from batchbook.tables.plainkinds import Date
from batchbook.tables.records import Column
from tests.tables.library import HEAD, LOG, SHELVES, TITLES, TYPES, Shelf, Title, read_library


@dataclasses.dataclass(frozen=True)
class Day:
    day: dt.date


GOOD = ["T1", "there", "One", "left", 2, dt.date(2026, 11, 22), "2026-11-22T08:30:00+01:00", "nice"]


def found(workspace):
    return [(f.sheet, f.row, f.column, f.rule, f.value) for f in workspace.findings]


def test_a_record_is_read_from_its_row(tmp_path):
    workspace = read_library(tmp_path, [GOOD])
    zone = dt.timezone(dt.timedelta(hours=1))
    assert workspace.table(TITLES).get("T1") == Title(
        code="T1",
        status="there",
        title="One",
        shelf="left",
        copies=2,
        due=dt.date(2026, 11, 22),
        seen=dt.datetime(2026, 11, 22, 8, 30, tzinfo=zone),
        remark="nice",
    )
    assert workspace.table(SHELVES).get("A", 2) == Shelf(room="A", number=2, name="right")
    assert found(workspace) == [] and len(workspace.findings) == 0


def test_every_finding_of_all_sheets_is_told_in_one_pass_with_its_place(tmp_path):
    rows = [
        ["T1", "gone", "x" * 300, "attic", 7, "31/02/2026", "yesterday", None],
        ["T2", None, None, None, "many"],
        [None, "there"],
        ["T3", "there"],
        ["T3", "lent", None, None, None, "03/04/2026"],
        ["T3", "there"],
        ["T4", "there", None, None, None, None, "2026-11-22T08:30:00"],
    ]
    workspace = read_library(tmp_path, rows, shelves=[["A", 1, "left"], ["A", 0, "low"], ["A", 1, "left"]])
    long = "x" * 120 + "... (300 characters)"
    assert found(workspace) == [
        ("Shelves", 2, "A (Room)", "doubled-key", "A|1"),
        ("Shelves", 3, "B (Number)", "range", 0),
        ("Shelves", 4, "A (Room)", "doubled-key", "A|1"),
        ("Titles", 2, "B (Status)", "not-allowed", "gone"),
        ("Titles", 2, "C (Title)", "length", long),
        ("Titles", 2, "D (Shelf)", "reference", "attic"),
        ("Titles", 2, "E (Copies)", "not-allowed", 7),
        ("Titles", 2, "F (Due)", "date-impossible", "31/02/2026"),
        ("Titles", 2, "G (Seen)", "moment", "yesterday"),
        ("Titles", 3, "B (Status)", "required", None),
        ("Titles", 3, "E (Copies)", "whole-number", "many"),
        ("Titles", 4, "A (Code)", "empty-key", None),
        ("Titles", 5, "A (Code)", "doubled-key", "T3"),
        ("Titles", 6, "A (Code)", "doubled-key", "T3"),
        ("Titles", 6, "F (Due)", "date-ambiguous", "03/04/2026"),
        ("Titles", 7, "A (Code)", "doubled-key", "T3"),
        ("Titles", 8, "G (Seen)", "offset", "2026-11-22T08:30:00"),
    ]
    assert workspace.findings.errors == len(workspace.findings) == 17
    assert {finding.file for finding in workspace.findings} == {"library.xlsx"}


def test_a_doubled_key_names_all_its_rows(tmp_path):
    workspace = read_library(tmp_path, [["T1", "there"], ["T2", "there"], ["T1", "there"]])
    assert {finding.message for finding in workspace.findings} == {"stands in 2 rows, but names one record: 2, 4"}


def test_of_a_key_that_stands_in_very_many_rows_twenty_places_are_named(tmp_path):
    workspace = read_library(tmp_path, [["T1", "there"]] * 30)
    said = {finding.message for finding in workspace.findings}
    places = ", ".join(str(row) for row in range(2, 22))
    assert said == {f"stands in 30 rows, but names one record: {places} and 10 more"}


def test_a_row_with_an_error_is_unsound_and_never_given_as_a_record(tmp_path):
    titles = read_library(tmp_path, [["T1", "there"], ["T2", "gone"], ["T3", "lost"]]).table(TITLES)
    assert [title.code for title in titles.where()] == ["T1", "T3"]
    assert titles.count() == 2 and titles.unsound == 1
    with pytest.raises(Unsound) as caught:
        titles.get("T2")
    assert [(one.row, one.column, one.rule) for one in caught.value.findings] == [(3, "B (Status)", "not-allowed")]
    assert "Row 3" in caught.value.what and "T2" in caught.value.what
    with pytest.raises(Unsound):
        titles.must_be_sound()


def test_a_table_whose_rows_are_all_sound_passes(tmp_path):
    workspace = read_library(tmp_path, [["T1", "there"], ["T2", "gone"]])
    workspace.table(SHELVES).must_be_sound()
    workspace.table(LOG).must_be_sound()


def test_of_very_many_unsound_rows_the_error_names_the_first_two_hundred_and_counts_all(tmp_path):
    workspace = read_library(tmp_path, [[f"T{n}", "gone"] for n in range(300)])
    with pytest.raises(Unsound, match="300 rows break") as caught:
        workspace.table(TITLES).must_be_sound()
    assert len(caught.value.findings) == 200
    assert len(list(workspace.findings)) == 300


def test_a_warning_keeps_a_row_sound(tmp_path):
    workspace = read_library(tmp_path, [["T1", "there", None, None, 0]])
    assert [(one.rule, one.warning) for one in workspace.findings] == [("none-left", True)]
    assert workspace.findings.errors == 0 and workspace.table(TITLES).unsound == 0
    assert workspace.table(TITLES).get("T1") is not None


def test_a_rule_of_the_whole_record_is_told_at_its_column(tmp_path):
    workspace = read_library(tmp_path, [["T1", "lent"]])
    (finding,) = workspace.findings
    assert (finding.row, finding.column, finding.rule) == (2, "F (Due)", "due")
    assert workspace.table(TITLES).unsound == 1


def test_rules_of_the_whole_record_are_not_asked_about_a_row_with_other_errors(tmp_path):
    workspace = read_library(tmp_path, [["T1", "lent", None, None, "many"]])
    assert [finding.rule for finding in workspace.findings] == ["whole-number"]


def test_an_allowed_value_in_other_letters_is_that_value(tmp_path):
    workspace = read_library(tmp_path, [["T1", " THERE "]])
    assert workspace.table(TITLES).get("T1").status == "there"
    assert [title.code for title in workspace.table(TITLES).where(status="there")] == ["T1"]


def test_a_formula_without_a_calculated_value_is_found(tmp_path):
    def change(book):
        book["Titles"]["C2"] = "=UPPER(A2)"

    workspace = read_library(tmp_path, [["T1", "there"]], change=change)
    (finding,) = workspace.findings
    assert (finding.row, finding.column, finding.rule) == (2, "C (Title)", "uncalculated")
    assert "save it" in finding.message


def test_an_error_value_is_found_in_a_column_of_any_kind(tmp_path):
    def change(book):
        for place in ("A2", "C3", "E3", "F3", "G3"):
            book["Titles"][place] = "#N/A"
            book["Titles"][place].data_type = "e"

    workspace = read_library(tmp_path, [["T1", "there"], ["T2", "there"]], change=change)
    assert [(f.row, f.column[0], f.rule, str(f.value)) for f in workspace.findings] == [
        (2, "A", "error-value", "#N/A"),
        *((3, column, "error-value", "#N/A") for column in "CEFG"),
    ]


def test_the_text_of_a_link_is_the_value(tmp_path):
    def change(book):
        book["Titles"]["A2"] = '=HYPERLINK("https://example.org/","T1")'

    workspace = read_library(tmp_path, [["x", "there"]], change=change)
    assert workspace.table(TITLES).get("T1") == Title(code="T1", status="there")
    assert workspace.table(TITLES).standing("T1").key_cells == ("T1",)


def test_rows_empty_in_all_known_columns_are_gaps(tmp_path):
    rows = [[*HEAD, "Mine"], ["T1", "there"], [], [None] * 8 + ["a note"], ["", " "], ["T2", "there"]]

    def change(book):
        book.remove(book["Titles"])
        sheet = book.create_sheet("Titles")
        for row in rows:
            sheet.append(row)

    titles = read_library(tmp_path, change=change).table(TITLES)
    assert [title.code for title in titles.where()] == ["T1", "T2"]
    assert titles.place("T2") == 6 and titles.unsound == 0


def test_columns_are_found_by_header_wherever_they_stand_and_by_their_aliases(tmp_path):
    def change(book):
        book.remove(book["Titles"])
        sheet = book.create_sheet("TITLES")
        sheet.append(["The books of the house"])
        sheet.append(["Mine", "BOOK", *(header for header in reversed(HEAD) if header != "Title")])
        sheet.append(["x", "One", "nice", None, None, 1, "left", "there", "T1"])

    titles = read_library(tmp_path, change=change).table(TITLES)
    record = titles.get("T1")
    assert (record.title, record.copies, record.shelf, record.remark) == ("One", 1, "left", "nice")
    there = titles.location
    assert (there.sheet, there.header.row, there.title("title"), there.column("title")) == ("TITLES", 2, "BOOK", 2)


def test_all_missing_sheets_and_headers_are_named_at_once(tmp_path):
    def change(book):
        book.remove(book["Shelves"])
        book["Titles"]["B1"] = "State"
        book["Titles"]["F1"] = None
        book["Log"]["B1"] = "Entry"

    with pytest.raises(ConfigurationError) as caught:
        read_library(tmp_path, [GOOD], change=change)
    said = "\n".join(map(str, caught.value.findings))
    assert len(caught.value.findings) == 5
    for part in ("'Shelves'", "'Status'", "'Due'", "'Entry' stands in 2 columns: A, B", "'Said'"):
        assert part in said


def test_a_row_of_totals_is_no_record(tmp_path):
    def change(book):
        table = ExcelTable(displayName="Titles", ref="A1:H4", totalsRowCount=1)
        book["Titles"].add_table(table)

    rows = [["T1", "there"], ["T2", "there"], ["Total", None, None, None, "=SUBTOTAL(103,E2:E3)"], ["T3", "there"]]
    workspace = read_library(tmp_path, rows, change=change)
    assert [title.code for title in workspace.table(TITLES).where()] == ["T1", "T2", "T3"]
    assert len(workspace.findings) == 0


def test_a_table_that_lies_beside_the_records_takes_no_row_from_them(tmp_path):
    def change(book):
        sheet = book["Titles"]
        sheet["K1"], sheet["K2"], sheet["K3"] = "Mine", 1, "Total"
        sheet.add_table(ExcelTable(displayName="Mine", ref="K1:K3", totalsRowCount=1))

    workspace = read_library(tmp_path, [["T1", "there"], ["T2", "there"]], change=change)
    assert workspace.table(TITLES).count() == 2


def test_a_megabyte_in_a_cell_is_shown_in_short(tmp_path):
    workspace = read_library(tmp_path, [["T1", "x" * 32_767, "y" * 32_767, "z" * 32_767]])
    for finding in workspace.findings:
        assert len(str(finding)) < 500
    assert len(workspace.findings) == 3


def test_where_a_record_stands_and_how_its_key_is_written_there(tmp_path):
    titles = read_library(tmp_path, [[], ["  T1 ", "there"], [17, "there"]]).table(TITLES)
    one, other = titles.standing("T1"), titles.standing("17")
    assert (one.number, one.key_cells) == (3, ("T1",)) and (other.number, other.key_cells) == (4, ("17",))
    titles.insert(Title(code="T9", status="there"))
    new = titles.standing("T9")
    assert (new.number, new.key_cells) == (None, ("T9",)) and titles.place("T9") is None
    assert titles.standing("T8") is None


def test_a_type_that_was_not_read_is_a_mistake_of_the_program(tmp_path):
    workspace = read_library(tmp_path)
    other = RecordType(record=Shelf, sheet="Titles", columns=SHELVES.columns, key=("room",), help="")
    with pytest.raises(TypeError):
        workspace.table(other)
    with pytest.raises(TypeError, match="Shelves"):
        Workspace.empty((TITLES,))
    with pytest.raises(TypeError, match="no workbook"):
        Workspace.empty(TYPES).table(TITLES).location  # noqa: B018


def test_two_types_of_one_sheet_are_refused():
    with pytest.raises(TypeError, match="same sheet"):
        Workspace.empty([SHELVES, dataclasses.replace(LOG, sheet=SHELVES.sheet.upper())])


def test_the_key_cells_of_a_new_record_read_as_they_will_stand_in_the_sheet():
    days = RecordType(
        record=Day, sheet="Days", key=("day",), help="Days.",
        columns=(Column("day", "Day", Date(), "The day.", required=True),),
    )  # fmt: skip
    table = Workspace.empty([days]).table(days)
    table.insert(Day(dt.date(2026, 1, 2)))
    held = dt.datetime(2026, 1, 2)
    assert table.standing(dt.date(2026, 1, 2)).key_cells == (key_part(held),)


def test_keys_that_were_lost_are_known_once_somebody_says_so(tmp_path):
    workspace = read_library(tmp_path)
    assert ("T1",) not in workspace.lost(TITLES)
    workspace.set_lost(TITLES, {("T1",)})
    assert workspace.table(TITLES).key_of("T1") in workspace.lost(TITLES)
    assert ("T1",) not in workspace.lost(LOG)


def test_findings_can_be_gone_through_again_and_again(tmp_path):
    findings = read_library(tmp_path, [["T1", "gone"], [None, "there"]]).findings
    assert isinstance(findings, Findings)
    assert list(findings) == list(findings) and len(list(findings)) == len(findings) == 2
