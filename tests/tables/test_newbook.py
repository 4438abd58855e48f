"""New workbooks from record types: read back as people and commands meet them."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl.worksheet.worksheet import Worksheet

from batchbook.errors import UsageError
from batchbook.storage import edit_workbook
from batchbook.tables.newbook import READ_ME, header_lines, new_workbook
from batchbook.tables.newreadme import Note
from batchbook.tables.plainkinds import Date, Moment, Text, Whole
from batchbook.tables.records import Column, Computed, RecordType, Reference
from batchbook.xlsx import Book

SOFFICE = shutil.which("soffice") or shutil.which("libreoffice")
STATES = ("open", "paid", "lost", "old")


@dataclass(frozen=True)
class Customer:
    name: str
    level: int | None = None
    code: str | None = None


@dataclass(frozen=True)
class Order:
    number: str
    customer: str | None = None
    day: dt.date | None = None
    amount: int | None = None
    state: str | None = None
    taken_at: dt.datetime | None = None
    note: str | None = None


CUSTOMERS = RecordType(
    record=Customer,
    sheet="Bill's Customers",
    key=("name",),
    help="Who buys.",
    table="Customers",
    columns=(
        Column("name", "Name", Text(), "The customer's name.", required=True),
        Column("level", "Level", Whole(1, 3), "1 is the best.", allowed=("1", "2", "3"), width=8),
        Column("code", "Code", Text(8), "Up to 8 characters.", owner="person"),
    ),
    computed=(
        Computed("Orders", "COUNTIFS(Orders[Customer],[@Name])", "How many orders there are."),
        Computed("Twice", "[@[Orders]]*2", "Twice as many."),
    ),
)
ORDERS = RecordType(
    record=Order,
    sheet="Orders",
    key=("number",),
    help="What was ordered.",
    columns=(
        Column("number", "Number", Text(), "Of the order.", required=True),
        Column("customer", "Customer", Text(), "Who ordered.", refers=Reference("Bill's Customers", "name")),
        Column("day", "Day of the Order", Date(), "When.", width=10),
        Column("amount", "Amount", Whole(1, 500), "How many."),
        Column(
            "state", "State", Text(), "How far it is.", allowed=STATES,
            colours={"open": "warn", "paid": "good", "lost": "bad", "old": "quiet"},
        ),
        Column("taken_at", "Taken At", Moment(), "When it was taken.", owner="machine", width=26),
        Column("note", "Note", Text(), "Anything.", width=40),
    ),
)  # fmt: skip
TYPES = (CUSTOMERS, ORDERS)


def write(**more: Any) -> bytes:
    stream = io.BytesIO()
    new_workbook(stream, more.pop("types", TYPES), title=more.pop("title", "Orders of Bill"), **more)
    return stream.getvalue()


def load(content: bytes) -> openpyxl.Workbook:
    return openpyxl.load_workbook(io.BytesIO(content))


def save(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def orders(count: int) -> Iterator[Order]:
    for number in range(count):
        yield Order(f"A-{number}", "ann" if number % 3 else "bob", dt.date(2026, 1, 1), number + 1, STATES[number % 4])


def records(count: int) -> dict[str, list[Any]]:
    return {"Bill's Customers": [Customer("ann", 1), Customer("bob", 2, "x")], "Orders": list(orders(count))}


def read_me(content: bytes) -> str:
    rows = load(content)[READ_ME].iter_rows(values_only=True)
    return "\n".join(" | ".join(str(cell) for cell in row if cell is not None) for row in rows)


# --- tables -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 7])
def test_each_type_gets_a_table_over_its_records_and_at_least_one_row(count: int) -> None:
    sheet = load(write(records={"Orders": orders(count)}))["Orders"]
    (table,) = sheet.tables.values()
    assert (table.displayName, table.ref) == ("Orders", f"A1:G{max(count, 1) + 1}")
    assert table.autoFilter is not None
    assert table.autoFilter.ref == table.ref
    headers = [cell.value for cell in sheet[1]]
    assert table.column_names == headers == [column.header for column in ORDERS.columns]
    assert sheet.max_row == count + 1


def test_the_first_row_that_is_appended_to_a_table_without_records_is_its_empty_row(tmp_path: Path) -> None:
    path = save(tmp_path / "a.xlsx", write())
    with Book.open(path) as book:
        assert book.layout("Orders").last_row == 1
    edit_workbook(path, path, {"Orders": {"A2": "A-1"}, "Bill's Customers": {"A2": "ann", "A3": "bob"}})
    with Book.open(path) as book:
        assert [str(book.layout(name).tables[0].ref) for name in ("Orders", "Bill's Customers")] == ["A1:G2", "A1:E3"]
    sheet = openpyxl.load_workbook(path)["Bill's Customers"]
    assert [sheet[f"D{row}"].value for row in (2, 3)] == [
        "=COUNTIFS('Orders'!$B:$B,Customers[[#This Row],[Name]])",
    ] * 2


def test_rows_that_are_appended_look_like_those_above(tmp_path: Path) -> None:
    path = save(tmp_path / "a.xlsx", write(records=records(2)))
    edit_workbook(path, path, {"Orders": {"A4": "0042", "C4": dt.date(2026, 2, 3), "D4": 5, "G4": "later"}})
    sheet = openpyxl.load_workbook(path)["Orders"]
    assert [sheet[f"{letter}4"].number_format for letter in "ACD"] == [sheet[f"{x}3"].number_format for x in "ACD"]
    assert sheet["D4"].alignment.horizontal == "right"
    assert sheet["C4"].is_date


def test_formats_are_there_for_rows_that_people_add() -> None:
    sheet = load(write())["Orders"]
    formats = [sheet.column_dimensions[letter].number_format for letter in "ACDFG"]
    assert formats == ["@", "yyyy-mm-dd", "0", "@", "@"]
    assert [sheet.column_dimensions[letter].width for letter in "CG"] == [10, 40]


def test_the_header_is_frozen_with_the_key_column_and_shows_who_writes_a_column() -> None:
    book = load(write())
    assert [book[name].freeze_panes for name in ("Bill's Customers", "Orders")] == ["B2", "B2"]
    fills = {cell.value: cell.fill.start_color.rgb for cell in book["Orders"][1]}
    assert fills["Number"] == fills["Note"] != fills["Taken At"]
    assert book["Bill's Customers"]["D1"].fill.start_color.rgb not in fills.values()
    assert book["Orders"].row_dimensions[1].height > book["Bill's Customers"].row_dimensions[1].height


def test_a_page_is_as_wide_as_the_sheet_and_repeats_the_header() -> None:
    sheet = load(write())["Orders"]
    assert (sheet.page_setup.orientation, sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight) == (
        "landscape", 1, 0,
    )  # fmt: skip
    assert sheet.sheet_properties.pageSetUpPr is not None
    assert sheet.sheet_properties.pageSetUpPr.fitToPage
    assert sheet.print_title_rows == "$1:$1"


@pytest.mark.parametrize(
    ("header", "width", "lines"), [("State", 14, 1), ("Day of the Order", 10, 3), ("Unbreakableness", 8, 3), ("", 5, 1)]
)
def test_a_header_has_as_many_lines_as_it_needs_beside_its_button(header: str, width: float, lines: int) -> None:
    assert header_lines(header, width) == lines


# --- what is written --------------------------------------------------------------------------------------------------

letters_ = st.characters(exclude_categories=["Cs"])
odd = st.one_of(
    st.text(letters_, max_size=30),
    st.builds(
        str.__add__, st.sampled_from([*"=+-@'#\t\r\n", "#N/A", "_x0041_", "1.10"]), st.text(letters_, max_size=9)
    ),
)


@given(st.lists(odd.filter(lambda text: text.strip() != ""), max_size=4))
def test_every_text_is_a_text_and_reads_back_whatever_it_is(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    content = write(records={"Orders": [Order(f"A-{n}", note=text) for n, text in enumerate(texts)]})
    path = save(tmp_path_factory.mktemp("new") / "a.xlsx", content)
    with Book.open(path) as book:
        assert [cells[7].value for _, cells in book.rows("Orders")][1:] == texts
    with zipfile.ZipFile(path) as archive:
        assert b"<f>" not in archive.read("xl/worksheets/sheet2.xml")


def test_values_read_back_as_their_kinds_write_them(tmp_path: Path) -> None:
    taken = dt.datetime(2026, 11, 22, 8, 30, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    full = Order("7", "ann", dt.date(2026, 2, 3), 12, "paid", taken, "x")
    path = save(tmp_path / "a.xlsx", write(records={"Orders": [full]}))
    with Book.open(path) as book:
        cells = dict(book.rows("Orders"))[2]
    read = [column.kind.read(cells[n].value, cells[n].shown) for n, column in enumerate(ORDERS.columns, 1)]
    assert Order(*read) == full


def test_a_text_that_no_cell_can_hold_is_refused_by_its_place_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(UsageError, match=r"Record 2 of sheet Orders cannot be written, for its Note: .* holds 32767"):
        write(records={"Orders": [Order("1"), Order("2", note="y" * 32_768)]})
    assert list(tmp_path.iterdir()) == []
    longest = load(write(records={"Orders": [Order("2", note="y" * 32_767)]}))["Orders"]["G2"].value
    assert longest == "y" * 32_767


def test_a_day_that_no_cell_can_hold_is_refused_by_its_place() -> None:
    with pytest.raises(
        UsageError, match="Record 1 of sheet Orders cannot be written, for its Day of the Order: is before"
    ):
        write(records={"Orders": [Order("1", day=dt.date(1815, 6, 18))]})


def test_the_same_input_gives_the_same_bytes_and_no_name_of_a_user_or_machine() -> None:
    one = write(records=records(5), made=dt.datetime(2026, 11, 22))
    assert one == write(records=records(5), made=dt.datetime(2026, 11, 22))
    with zipfile.ZipFile(io.BytesIO(one)) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        core = archive.read("docProps/core.xml").decode()
    assert re.findall(r">([^<]+)<", core) == [
        "batchbook", "Orders of Bill", "2026-11-22T00:00:00Z", "2026-11-22T00:00:00Z", "batchbook",
    ]  # fmt: skip


def test_the_sheets_stand_in_the_order_of_their_types_and_the_wanted_one_is_in_front() -> None:
    book = load(write(active="Orders"))
    assert book.sheetnames == ["Bill's Customers", "Orders", READ_ME]
    assert book.active is book["Orders"]
    selected = [sheet.title for sheet in book.worksheets if sheet.sheet_view.tabSelected]
    assert selected == ["Orders"]


@pytest.mark.parametrize(
    "types",
    [
        (ORDERS, ORDERS),
        (ORDERS, replace(CUSTOMERS, table="orders")),
        (replace(ORDERS, sheet="read ME"),),
        (replace(CUSTOMERS, computed=(Computed("name", "1", ""),)), ORDERS),
    ],
)
def test_names_that_excel_would_have_to_repair_are_refused(types: Any) -> None:
    with pytest.raises(TypeError, match="there twice"):
        write(types=types)


def test_records_and_the_sheet_in_front_have_to_be_of_a_type() -> None:
    for more in ({"records": {"Nowhere": []}}, {"active": "Nowhere"}):
        with pytest.raises(TypeError, match="Nowhere"):
            write(**more)


# --- drop-downs and colours -------------------------------------------------------------------------------------------


def rules_of(sheet: Worksheet) -> dict[str, Any]:
    return {str(one.sqref): one for one in sheet.data_validations.dataValidation}


def test_what_people_type_is_checked_down_to_the_last_row_with_a_warning_that_explains() -> None:
    book = load(write())
    rules = rules_of(book["Orders"])
    assert {cells[0]: (rule.type, rule.formula1) for cells, rule in rules.items()} == {
        "B": ("list", "'Bill''s Customers'!$A$2:$A$1048576"),
        "C": ("date", "DATE(1901,1,1)"),
        "D": ("whole", "1"),
        "E": ("list", '"open,paid,lost,old"'),
    }
    assert {cells[1:] for cells in rules} == {f"2:{letter}1048576" for letter in "BCDE"}
    everywhere = [*rules.values(), *rules_of(book["Bill's Customers"]).values()]
    assert {(rule.errorStyle, bool(rule.showErrorMessage)) for rule in everywhere} == {("warning", True)}
    assert rules["E2:E1048576"].error == "State is one of: open, paid, lost, old."
    assert {cells[0]: rule.type for cells, rule in rules_of(book["Bill's Customers"]).items()} == {
        "B": "list",
        "C": "textLength",
    }


@pytest.mark.parametrize("allowed", [("a,b", "c"), ('say "x"', "c"), tuple(f"value {n}" for n in range(40))])
def test_values_that_a_drop_down_cannot_hold_stand_on_a_hidden_sheet(allowed: tuple[str, ...]) -> None:
    column = replace(CUSTOMERS.columns[2], kind=Text(), allowed=allowed)
    book = load(write(types=(replace(CUSTOMERS, columns=(*CUSTOMERS.columns[:2], column)), ORDERS)))
    (rule,) = (rule for cells, rule in rules_of(book["Bill's Customers"]).items() if cells.startswith("C"))
    assert rule.formula1 == f"'Lists'!$A$2:$A${len(allowed) + 1}"
    assert [cell.value for (cell,) in book["Lists"][f"A2:A{len(allowed) + 1}"]] == list(allowed)
    assert book["Lists"].sheet_state == "hidden"
    assert len(rule.error) <= 225


def test_states_have_their_colours_in_rows_that_are_added_later_too() -> None:
    found = {
        rule.formula[0]: (str(cells.sqref), rule.dxf.fill.bgColor.rgb if rule.dxf.fill else None)
        for cells in load(write())["Orders"].conditional_formatting
        for rule in cells.rules
    }
    assert {formula: cells for formula, (cells, _) in found.items()} == {
        '$E2="open"': "E2:E1048576",
        '$E2="paid"': "E2:E1048576",
        '$E2="lost"': "E2:E1048576",
        '$E2="old"': "A2:G1048576",
    }
    assert len({fill for _, fill in found.values()}) == 4


# --- Read me ----------------------------------------------------------------------------------------------------------


def test_the_read_me_explains_every_sheet_and_column_and_says_the_notes() -> None:
    said = read_me(
        write(notes=(Note("Before", ("First of all.",), below=False), Note("Commands", (("run", "It runs."), "=1"))))
    )
    assert "Column | Written by | Needed | Values | What it means" in said
    assert "Number | people and commands | yes | text | Of the order." in said
    assert "Customer | people and commands | one that is on the sheet Bill's Customers | Who ordered." in said
    assert "Day of the Order | people and commands | date such as 2026-11-22 | When." in said
    assert "Amount | people and commands | whole number from 1 to 500 | How many." in said
    assert "State | people and commands | open, paid, lost, old | How far it is." in said
    assert "Taken At | commands only | time with offset such as 2026-11-22T08:30:00+01:00 | " in said
    assert "Code | people only | text of at most 8 characters | Up to 8 characters." in said
    assert "Twice | calculated | Twice as many." in said
    parts = [
        said.index(part) for part in ("Orders of Bill", "First of all.", "Who buys.", "What was", "run | It runs.")
    ]
    assert parts == sorted(parts)


def test_a_long_line_of_the_read_me_has_the_room_it_needs() -> None:
    sheet = load(write(notes=(Note("Long", ("word " * 80, "short")),)))[READ_ME]
    heights = {str(sheet.cell(row, 1).value): sheet.row_dimensions[row].height for row in range(1, sheet.max_row + 1)}
    assert heights["word " * 80] > 2 * heights["short"]
    assert {f"A{sheet.max_row}:E{sheet.max_row}"} <= {str(one) for one in sheet.merged_cells.ranges}


# --- in LibreOffice ---------------------------------------------------------------------------------------------------


def shown_in_libreoffice(path: Path, sheet: int = 1) -> list[list[str]]:
    """The rows of a sheet as LibreOffice shows them, calculated."""
    into = path.parent / "out"
    subprocess.run(
        [str(SOFFICE), "--headless", f"-env:UserInstallation={(path.parent / 'profile').as_uri()}", "--convert-to",
         f"csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,{sheet}",
         "--outdir", str(into), str(path)],
        check=True, capture_output=True, timeout=240,
    )  # fmt: skip
    (made,) = into.iterdir()
    with made.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    made.unlink()
    return rows


@pytest.mark.libreoffice
@pytest.mark.skipif(SOFFICE is None, reason="LibreOffice is not installed")
def test_libreoffice_calculates_the_computed_columns_also_of_rows_that_were_appended(tmp_path: Path) -> None:
    path = save(tmp_path / "a.xlsx", write(records=records(7)))
    assert [row[3:] for row in shown_in_libreoffice(path)] == [["Orders", "Twice"], ["4", "8"], ["3", "6"]]
    edit_workbook(path, path, {"Orders": {"A9": "B", "B9": "cid", "A10": "C", "B10": "ann"},
                               "Bill's Customers": {"A4": "cid"}})  # fmt: skip
    assert [row[3:] for row in shown_in_libreoffice(path)][1:] == [["5", "10"], ["3", "6"], ["1", "2"]]


@pytest.mark.libreoffice
@pytest.mark.skipif(SOFFICE is None, reason="LibreOffice is not installed")
def test_libreoffice_counts_rows_below_a_table_which_it_does_not_make_longer(tmp_path: Path) -> None:
    path = save(tmp_path / "a.xlsx", write(records=records(3)))
    book = openpyxl.load_workbook(path)
    book["Orders"].append(["typed below", "ann"])
    book.save(path)
    assert [row[3] for row in shown_in_libreoffice(path)][1:] == ["3", "1"]
