"""Whatever a file holds: a workbook error or a result, and nothing else."""

import datetime as dt
import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchbook.errors import WorkbookError
from batchbook.xlsx import Book, BookEdits, CellValue, Link, SheetColumn, SheetContent, inspect, splice, verify
from tests.xlsx.helpers import MAIN, parts_of, save, sheet_xml
from tests.xlsx.rich import rich_parts

SAMPLE = rich_parts()
PIECES = [b"<", b">", b"/>", b'"', b"'", b"<!--", b"<![CDATA[", b"&", b"</row>", b"<c>", b"<?", b"\x00", b"\xff\xfe"]
PIECES += [b"A1:EQXD100000", b"T[[#This Row],[x", b"&lol;", b"<x14:", b'xmlns=""', b'ref=""']
PIECES += [b' r="A0"', b' r="-1"', b' s="x"', b"XFE1", b"<!DOCTYPE x>", b"UTF-16", b"\xc2\xb2", b"", b"9" * 400]
SPOTS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 30), st.sampled_from(PIECES)), min_size=1, max_size=4)


def mutated(content: bytes, spots: list[tuple[float, int, bytes]]) -> bytes:
    for place, count, piece in spots:
        at = int(place * len(content))
        content = content[:at] + piece + content[at + count :]
    return content


def attempt(path: Path) -> None:
    try:
        inspect(path)
        with Book.open(path) as book:
            for sheet in book.sheets:
                for _, cells in book.rows(sheet.name):
                    assert all(isinstance(cell.shown(), str) for cell in cells.values())
            out = io.BytesIO()
            cells: list[tuple[int, dict[int, CellValue]]] = [
                (1, {1: "x", 2: 2}), (2, {1: None}), (3, {2: Link("u", "v")}), (4, {1: 1}),
                (5, {2: dt.date(2024, 1, 2)}),
            ]  # fmt: skip
            contents = {"Details": SheetContent((SheetColumn("x"),), [[1]])}
            if len(book.sheets) > 1:
                contents[book.sheets[1].name] = SheetContent((SheetColumn("y"),), [["z"]])
            receipt = splice(book, BookEdits({book.sheets[0].name: cells}, contents), out)
        path.write_bytes(out.getvalue())
        verify(path, receipt, full=True)
    except WorkbookError:
        return


@settings(max_examples=150, deadline=5000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(sorted(SAMPLE)), spots=SPOTS)
def test_odd_parts_give_workbook_errors_or_results(
    tmp_path: Path, name: str, spots: list[tuple[float, int, bytes]]
) -> None:
    attempt(save(tmp_path / "book.xlsx", {**SAMPLE, name: mutated(SAMPLE[name], spots)}))


@settings(max_examples=150, deadline=5000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spots=SPOTS)
def test_odd_archives_give_workbook_errors_or_results(tmp_path: Path, spots: list[tuple[float, int, bytes]]) -> None:
    path = save(tmp_path / "book.xlsx", SAMPLE)
    path.write_bytes(mutated(path.read_bytes(), spots))
    attempt(path)


SLOW = {
    "open tags": b"<row " * 400_000,
    "root": b"<worksheet" + b" a" * 400_000,
    "quotes": b'<row r="' * 200_000,
    "comments": b"<!--" * 400_000,
    "filters": b"<sheetData/>" + b"<autoFilter " * 200_000,
    "merges": b"<sheetData></sheetData>" + b"<mergeCells>" * 200_000,
    "rules": b"<sheetData/>" + b"<conditionalFormatting sqref='" * 100_000,
    "long rules": b"<sheetData/><dataValidation " + b"a='sqref=' " * 100_000 + b"/>",
    "many rules": b"<sheetData/>" + b"<conditionalFormatting sqref='A1:A2'/>" * 50_000,
    "formulas": b"<sheetData><row r='1'>" + b"<f t='array' " * 100_000,
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", SLOW)
def test_hostile_sheets_are_refused_in_time(tmp_path: Path, name: str) -> None:
    for sheet in (
        SLOW[name],
        f'<worksheet xmlns="{MAIN}">'.encode() + SLOW[name],
        sheet_xml("").encode()[:-30] + SLOW[name],
    ):
        attempt(save(tmp_path / "book.xlsx", parts_of(sheet)))


DATA = Path(__file__).parents[2].parent / "shared" / "data" / "workbooks"


@pytest.mark.skipif(not DATA.is_dir(), reason="the collection of workbooks is not here")
def test_real_workbooks_are_edited_and_every_other_cell_is_as_before(tmp_path: Path) -> None:
    edited = 0
    for source in sorted(DATA.glob("*.xls[xm]")):
        if source.stat().st_size > 30_000:
            continue
        out = tmp_path / "out.xlsx"
        try:
            with Book.open(source) as book, out.open("w+b") as stream:
                sheet = book.sheets[0].name
                before = {(r, c): cell for r, cells in book.rows(sheet) for c, cell in cells.items()}
                receipt = splice(book, BookEdits({sheet: [(7, {52: "text"})]}), stream)
        except WorkbookError:
            continue
        verify(out, receipt, full=True)
        with Book.open(out) as book:
            after = {(r, c): cell for r, cells in book.rows(sheet) for c, cell in cells.items()}
        assert after.pop((7, 52)).value == "text"
        assert after == before
        with zipfile.ZipFile(source) as old, zipfile.ZipFile(out) as new:
            assert all(old.read(name) == new.read(name) for name in receipt.copied)
        edited += 1
    assert edited > 100
