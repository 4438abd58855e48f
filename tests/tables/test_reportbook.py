import datetime as dt
import errno
import shutil
import stat
import subprocess
import tracemalloc
import zipfile
from decimal import Decimal

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchbook.errors import SaveFailed, UsageError, WorkbookInUse
from batchbook.storage import files
from batchbook.storage.private import Access, accessible
from batchbook.tables import reportbook, reportcells
from batchbook.tables.reportbook import (
    ReportFile,
    ReportMark,
    ReportSheet,
    Toned,
    report_mark,
    report_target,
    write_report,
)
from batchbook.xlsx import Book, ErrorValue, Formula, Link, SheetColumn
from tests.storage.helpers import Crash, FaultyOperations, make_workbook, names

SOFFICE = shutil.which("soffice") or shutil.which("libreoffice")
COLUMNS = (SheetColumn("One", 20), SheetColumn("Other", 12))
letters = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
texts = st.one_of(
    st.text(letters, min_size=1, max_size=40),
    st.builds(str.__add__, st.sampled_from([*"=+-@'#", "#N/A", "_x0041_", "1.10", " "]), st.text(letters, max_size=9)),
)


def write(path, rows, **more):
    file = ReportFile(path, "run-1", "A report")
    return write_report(file, [ReportSheet("Rows", COLUMNS, rows, **more)])


def cells(path, sheet="Rows"):
    """What this project reads: row number, and values by column."""
    with Book.open(path) as book:
        return [[cells[c].value if c in cells else None for c in (1, 2)] for _, cells in book.rows(sheet)]


def edited(path, who="ann"):
    """What another program does to the properties when a person saves."""
    book = openpyxl.load_workbook(path)
    book.properties.lastModifiedBy = who
    book.save(path)


def saved_by_libreoffice(path):
    """What LibreOffice writes when somebody opens a file and saves it."""
    into = path.parent / "out"
    subprocess.run(
        [SOFFICE, "--headless", f"-env:UserInstallation={(path.parent / 'profile').as_uri()}", "--convert-to", "xlsx",
         "--outdir", str(into), str(path)],
        check=True, capture_output=True, timeout=240,
    )  # fmt: skip
    return into / path.name


# --- what a cell becomes ----------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(st.tuples(texts, texts), max_size=4))
def test_every_text_is_a_text_and_reads_back_whatever_it_begins_with(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("report") / "out.xlsx"
    assert write(path, rows) == {"Rows": len(rows)}
    assert cells(path)[1:] == [list(row) for row in rows]
    with zipfile.ZipFile(path) as archive:
        assert b"<f>" not in archive.read("xl/worksheets/sheet1.xml")
    for row in openpyxl.load_workbook(path)["Rows"].iter_rows(2):
        assert {cell.data_type for cell in row} == {"s"}


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (True, True),
        (7, 7),
        (-0.5, -0.5),
        (Decimal("1.25"), 1.25),
        (float("nan"), "nan"),
        (2**60, str(2**60)),
        (dt.date(2026, 3, 1), dt.datetime(2026, 3, 1)),
        (dt.datetime(2026, 3, 1, 12, 30), dt.datetime(2026, 3, 1, 12, 30)),
        (dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC), "2026-03-01T12:00:00+00:00"),
        (dt.date(1899, 3, 1), "1899-03-01"),
        (ErrorValue("#N/A"), "#N/A"),
        (Formula("A1+1", "2"), "=A1+1"),
        (Formula("", "2"), "2"),
        (Toned("=1", "bad"), "=1"),
        ("a\x01b\ud800", "a\ufffdb\ufffd"),
        ("", None),
        (None, None),
    ],
)
def test_each_kind_of_value_is_a_value_of_its_kind(tmp_path, value, read):
    write(tmp_path / "out.xlsx", [["x", value]])
    assert cells(tmp_path / "out.xlsx")[1] == ["x", read]


def test_a_text_longer_than_a_cell_is_cut_visibly(tmp_path):
    write(tmp_path / "out.xlsx", [["x", "y" * 40_000]])
    found = cells(tmp_path / "out.xlsx")[1][1]
    assert (len(found), found[-1]) == (32_767, "…")


def test_links_are_links_only_where_they_lead_to_the_web_and_as_many_as_a_sheet_takes(tmp_path, monkeypatch):
    monkeypatch.setattr(reportbook, "MOST_LINKS", 2)
    rows = [["1", Link("https://a.example/?x=1&y=\"2\"", "=a")], ["2", Link("file:///etc/passwd", "f")],
            ["3", Link("javascript:alert(1)", "")], ["4", Link("mailto:a@b.example", "m")],
            ["5", Link("http://late.example", "late")]]  # fmt: skip
    write(tmp_path / "out.xlsx", rows)
    sheet = openpyxl.load_workbook(tmp_path / "out.xlsx")["Rows"]
    found = [(cell.value, cell.hyperlink and cell.hyperlink.target) for (cell,) in sheet["B2:B6"]]
    assert found == [
        ("=a", 'https://a.example/?x=1&y="2"'),
        ("f (file:///etc/passwd)", None),
        ("javascript:alert(1)", None),
        ("m", "mailto:a@b.example"),
        ("http://late.example", None),
    ]


def test_secrets_are_hidden(tmp_path, monkeypatch):
    monkeypatch.setattr(reportcells, "hide", lambda text: text.replace("hunter22", "***"))
    write(tmp_path / "out.xlsx", [["=hunter22", Link("https://x.example/hunter22", "go")]])
    sheet = openpyxl.load_workbook(tmp_path / "out.xlsx")["Rows"]
    assert (sheet["A2"].value, sheet["B2"].hyperlink.target) == ("=***", "https://x.example/***")


# --- what a sheet looks like ------------------------------------------------------------------------------------------


def test_a_table_has_a_frozen_header_a_filter_widths_and_wrapped_text(tmp_path):
    write(tmp_path / "out.xlsx", [["a", "long " * 20], ["b", 2]])
    sheet = openpyxl.load_workbook(tmp_path / "out.xlsx")["Rows"]
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("B2", "A1:B3")
    assert sheet["A1"].font.bold
    assert sheet["B2"].alignment.wrap_text
    assert (sheet.column_dimensions["A"].width, sheet.column_dimensions["B"].width) == (20, 12)
    assert sheet.row_dimensions[2].height > 3 * sheet.row_dimensions[3].height


def test_a_table_without_rows_says_so_in_words(tmp_path):
    assert write(tmp_path / "out.xlsx", [], none="Nothing changed.") == {"Rows": 0}
    assert cells(tmp_path / "out.xlsx") == [["One", "Other"], ["Nothing changed.", None]]


def test_rows_that_one_sheet_cannot_hold_go_on_in_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr(reportbook, "EXCEL_ROWS", 4)
    assert write(tmp_path / "out.xlsx", [[str(n), n] for n in range(7)]) == {"Rows": 7}
    found = [row[1] for name in ("Rows", "Rows (2)", "Rows (3)") for row in cells(tmp_path / "out.xlsx", name)[1:]]
    assert found == list(range(7))
    assert [row[0] for row in (cells(tmp_path / "out.xlsx", f"Rows ({n})")[0] for n in (2, 3))] == ["One", "One"]


def test_memory_does_not_grow_with_the_number_of_rows(tmp_path):
    def most(count):
        tracemalloc.start()
        try:
            write(tmp_path / "out.xlsx", ((f"=text {n}", Toned(n, "bad")) for n in range(count)))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            (tmp_path / "out.xlsx").unlink()

    most(10)
    small, large = most(2_000), most(20_000)
    assert large < small + 1_000_000


# --- the file ---------------------------------------------------------------------------------------------------------


def test_a_report_says_that_it_is_one_and_of_which_run(tmp_path):
    path = tmp_path / "out.xlsx"
    write(path, [])
    assert report_mark(path) == ReportMark("run-1", edited=False)
    edited(path)
    assert report_mark(path) == ReportMark("run-1", edited=True)
    assert report_mark(make_workbook(tmp_path / "book.xlsx")) is None
    (tmp_path / "torn.xlsx").write_bytes(path.read_bytes()[:-40])
    assert report_mark(tmp_path / "torn.xlsx") is None


@pytest.mark.parametrize("column", ["A", "H"])
def test_a_report_with_a_note_is_not_replaced_though_its_properties_name_nobody_who_saved_it(tmp_path, column):
    path = tmp_path / "out.xlsx"
    write(path, [["a", 1]])
    made = openpyxl.load_workbook(path)
    made["Rows"][f"{column}3"] = "ask Ann"
    made.save(path)
    assert openpyxl.load_workbook(path).properties.lastModifiedBy == "batchbook"
    assert report_mark(path) == ReportMark("run-1", edited=True)
    before = path.read_bytes()
    with pytest.raises(UsageError, match="saved since"):
        report_target(path)
    assert path.read_bytes() == before


def test_a_report_of_which_one_part_is_another_is_not_replaced(tmp_path):
    write(tmp_path / "out.xlsx", [["a", 1]])
    with (
        zipfile.ZipFile(tmp_path / "out.xlsx") as made,
        zipfile.ZipFile(tmp_path / "same.xlsx", "w") as same,
        zipfile.ZipFile(tmp_path / "other.xlsx", "w") as other,
    ):
        for name in made.namelist():
            data = made.read(name)
            same.writestr(name, data)
            other.writestr(name, data.replace(b">a<", b">b<"))
    assert not report_mark(tmp_path / "same.xlsx").edited
    assert report_mark(tmp_path / "other.xlsx").edited


@pytest.mark.libreoffice
@pytest.mark.skipif(SOFFICE is None, reason="LibreOffice is not installed")
def test_a_report_that_libreoffice_saved_is_not_replaced(tmp_path):
    path = tmp_path / "out.xlsx"
    write(path, [["a", 1]])
    saved = saved_by_libreoffice(path)
    with pytest.raises(UsageError, match="is not replaced"):
        report_target(saved)


def test_only_a_report_that_nobody_has_saved_since_is_replaced(tmp_path):
    make_workbook(tmp_path / "book.xlsx")
    write(tmp_path / "mine.xlsx", [["a", 1]])
    write(tmp_path / "theirs.xlsx", [["a", 1]])
    edited(tmp_path / "theirs.xlsx")
    (tmp_path / "text.xlsx").write_text("no workbook")
    (tmp_path / "folder.xlsx").mkdir()
    (tmp_path / "link.xlsx").symlink_to(tmp_path / "book.xlsx")
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    refused = {"book.xlsx": "no report", "text.xlsx": "no report", "folder.xlsx": "no report", "link.xlsx": "no report",
               "theirs.xlsx": "saved since", "out.xls": "not the name", "out": "not the name",
               "none/out.xlsx": "no folder"}  # fmt: skip
    for name, said in refused.items():
        with pytest.raises(UsageError, match=said) as caught:
            report_target(tmp_path / name)
        assert caught.value.advice
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
    assert report_target(tmp_path / "mine.xlsx") == tmp_path / "mine.xlsx"
    assert report_target(tmp_path / "new.xlsx") == tmp_path / "new.xlsx"


def test_a_report_that_somebody_has_open_is_not_replaced(tmp_path):
    write(tmp_path / "mine.xlsx", [])
    (tmp_path / ".~lock.mine.xlsx#").write_text(",ann,host,01.03.2026 12:00,file:///home/ann;")
    with pytest.raises(WorkbookInUse, match="ann"):
        report_target(tmp_path / "mine.xlsx")


def test_one_in_the_state_folder_is_for_those_who_share_the_state(tmp_path):
    file = ReportFile(tmp_path / "out.xlsx", "run-1", "", state=True)
    with accessible(Access()):
        write_report(file, [ReportSheet("Rows", COLUMNS, [])])
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    with accessible(Access((tmp_path).stat().st_gid)):
        file.path.unlink()
        write_report(file, [ReportSheet("Rows", COLUMNS, [])])
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o660


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EACCES, Crash, KeyboardInterrupt])
def test_whatever_operation_fails_the_file_is_the_old_one_or_the_new_one(tmp_path, monkeypatch, fault):
    path = tmp_path / "out.xlsx"
    write(path, [["old", 1]])
    old = path.read_bytes()
    for k in range(1, 60):
        path.write_bytes(old)
        broken = FaultyOperations(k, fault)
        monkeypatch.setattr(files, "ops", broken)
        done = True
        try:
            write(path, [["new", 2]])
        except SaveFailed as error:
            assert error.advice
            done = "was written, but" in error.what
        except (Crash, KeyboardInterrupt):
            done = cells(path)[1] == ["new", 2]
        finally:
            monkeypatch.setattr(files, "ops", broken.real)
        assert cells(path)[1] == ["new", 2] if done else path.read_bytes() == old
        if fault is not Crash:
            assert names(tmp_path) == {"out.xlsx"}
        if broken.count < k:
            assert k > 6
            return
    raise AssertionError("there were always more operations")


def test_rows_that_cannot_be_read_to_their_end_leave_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path, temporary = tmp_path / "out.xlsx", tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    write(path, [["old", 1]])
    old = path.read_bytes()

    def rows():
        yield ["a", 1]
        raise UsageError("no more")

    with pytest.raises(UsageError):
        write_report(
            ReportFile(path, "run-1", ""),
            [ReportSheet("First", COLUMNS, [["a", 1]]), ReportSheet("Rows", COLUMNS, rows())],
        )
    assert path.read_bytes() == old
    assert names(tmp_path) == {"out.xlsx", "tmp"}
    assert not list(temporary.iterdir())
