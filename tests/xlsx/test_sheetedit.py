"""A sheet rewritten in the one pass that also finds its layout: it must end as if the layout had been known before."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchbook.errors import WorkbookError
from batchbook.xlsx import Book, BookEdits, container, splice
from batchbook.xlsx.places import COLUMN_LETTERS
from tests.xlsx.helpers import crafted, parts_of, save, sheet_xml

SHEET = "xl/worksheets/sheet1.xml"
Edits = dict[int, dict[int, object]]


def spliced(path: Path, edits: Edits, *, known: bool) -> tuple[str, bytes]:
    """The kind of error and what is said, or nothing and the sheet."""
    out = io.BytesIO()
    with Book.open(path) as book:
        if known:
            book.layout("Sheet1")
        try:
            splice(book, BookEdits(cells={"Sheet1": iter(sorted(edits.items()))}), out)  # type: ignore[arg-type]
        except WorkbookError as error:
            return f"{type(error).__name__} {error}", b""
    with zipfile.ZipFile(out) as archive:
        return "", archive.read(SHEET)


def row(number: int, columns: list[int], *, kind: int) -> str:
    """A row; every kind of number is as some program writes it."""
    cells = "".join(
        f'<c r="{COLUMN_LETTERS[c]}{number}"{" s=" + chr(34) + "2" + chr(34) if (number + c) % 7 == 0 else ""}>'
        f"<v>{number * c}</v></c>"
        for c in columns
    )
    tag = f'r="{number}"' if kind != 1 else f'spans="1:4" r="{number}"'
    return f"<row {tag}>{cells}</row>"


@st.composite
def sheets(draw: st.DrawFn) -> tuple[str, str]:
    """Rows (mostly ascending, some missing), and what stands behind them."""
    numbers = draw(st.lists(st.integers(1, 40), unique=True, max_size=30).map(sorted))
    if draw(st.integers(0, 3)) == 0:
        numbers = draw(st.permutations(numbers))
    if numbers and draw(st.integers(0, 9)) == 0:
        numbers = [*numbers, draw(st.sampled_from(numbers))]
    full = draw(st.booleans())
    odd = draw(st.integers(0, 8)) == 0
    rows = []
    for number in numbers:
        columns = [1, 2, 3, 4] if full else draw(st.lists(st.integers(1, 4), unique=True).map(sorted))
        rows.append(row(number, columns, kind=int(odd and number % 5 == 0)))
    if numbers and draw(st.integers(0, 4)) == 0:
        first = draw(st.sampled_from(numbers))
        rows.append(
            f'<row r="{max(numbers) + 1}"><c r="A{max(numbers) + 1}"><f t="array" '
            f'ref="A{max(numbers) + 1}:B{max(numbers) + 2}">{first}</f><v>1</v></c></row>'
        )
    merge = draw(st.one_of(st.none(), st.tuples(st.integers(1, 40), st.integers(1, 3))))
    after = ""
    if merge is not None:
        corner, end = f"{COLUMN_LETTERS[merge[1]]}{merge[0]}", f"{COLUMN_LETTERS[merge[1] + 1]}{merge[0] + 1}"
        after = f'<mergeCells count="1"><mergeCell ref="{corner}:{end}"/></mergeCells>'
    return "".join(rows), after


VALUES = st.one_of(st.integers(-9, 9), st.sampled_from(["x", "a & b", " y "]), st.none(), st.booleans())
EDITS = st.one_of(
    st.dictionaries(st.integers(1, 45), st.dictionaries(st.integers(1, 4), VALUES, min_size=1), max_size=30),
    st.lists(st.integers(1, 40), unique=True, max_size=40).map(lambda rows: {n: {2: n, 3: f"r{n}"} for n in rows}),
)


@settings(max_examples=300, deadline=None)
@given(sheets(), EDITS, st.integers(120, 900))
def test_one_pass_ends_as_two_passes_do(
    tmp_path_factory: pytest.TempPathFactory, sheet: tuple[str, str], edits: Edits, chunk: int
) -> None:
    path = tmp_path_factory.mktemp("one") / "book.xlsx"
    save(path, parts_of(sheet_xml(sheet[0], before='<dimension ref="A1:D40"/>', after=sheet[1])))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(container, "CHUNK", chunk)  # so that a small sheet comes in many segments
        one, two = (spliced(path, edits, known=known) for known in (False, True))
    assert one[1] == two[1]
    assert bool(one[0]) == bool(two[0]), (one[0], two[0])  # of several reasons another one may be named


@pytest.mark.parametrize("known", [False, True])
def test_rows_out_of_order_in_later_segments_are_edited_where_they_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    numbers = [*range(1, 40), 90, *range(41, 60), 40]
    path = crafted(tmp_path, sheet_xml("".join(row(n, [1, 2], kind=0) for n in numbers)))
    monkeypatch.setattr(container, "CHUNK", 200)
    said, sheet = spliced(path, {n: {1: f"new {n}"} for n in range(1, 92)}, known=known)
    assert not said
    for number in (*numbers, 91, 60):
        assert sheet.count(f'<c r="A{number}"'.encode()) == 1
        assert f"new {number}<".encode() in sheet


@pytest.mark.parametrize("known", [False, True])
def test_a_row_that_was_edited_and_comes_again_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    numbers = [*range(1, 60), 7]
    path = crafted(tmp_path, sheet_xml("".join(row(n, [1, 2], kind=0) for n in numbers)))
    monkeypatch.setattr(container, "CHUNK", 200)
    said, _ = spliced(path, {n: {1: n} for n in range(1, 60)}, known=known)
    assert "Row 7 of sheet Sheet1 is in the file twice" in said


def test_a_cell_that_turns_out_to_be_hidden_in_a_merge_is_refused_by_name(tmp_path: Path) -> None:
    rows = "".join(row(n, [1, 2, 3], kind=0) for n in range(1, 30))
    merged = '<mergeCells count="1"><mergeCell ref="A9:B9"/></mergeCells>'
    path = crafted(tmp_path, sheet_xml(rows, after=merged))
    said, _ = spliced(path, {n: {2: n} for n in range(1, 30)}, known=False)
    assert "B9" in said and "A9:B9" in said


def test_a_sheet_whose_rows_are_all_there_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = crafted(tmp_path, sheet_xml("".join(row(n, [1, 2], kind=0) for n in range(1, 30))))
    passes = []
    scan = Book.scan
    monkeypatch.setattr(Book, "scan", lambda book, sheet: passes.append(sheet.name) or scan(book, sheet))
    assert spliced(path, {n: {2: n} for n in range(3, 35)}, known=False)[0] == ""
    assert passes == ["Sheet1"]
