"""Saving by blocks: the same sheet as when it is written whole, and only what changed is written anew."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchbook.errors import WorkbookDamaged
from batchbook.xlsx import (
    BlocksUnusable,
    Book,
    BookEdits,
    SheetColumn,
    SheetContent,
    SheetIndex,
    SpliceReceipt,
    blockedit,
    container,
    sheetedit,
    splice,
    verify,
)
from batchbook.xlsx.blocks import Block
from batchbook.xlsx.places import Range
from batchbook.xlsx.values import CellValue
from tests.xlsx.helpers import crafted, sheet_xml, values

PART = "xl/worksheets/sheet1.xml"
Rows = Mapping[int, Mapping[int, CellValue]]


class Kept:
    """Indexes in memory."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], SheetIndex] = {}

    def find(self, digest: str, part: str) -> SheetIndex | None:
        return self.known.get((digest, part))

    def keep(self, receipt: SpliceReceipt) -> None:
        # As the ledger would give it back.
        self.known.update(
            {(receipt.digest, part): SheetIndex.unpack(index.pack()) for part, index in receipt.indexes.items()}
        )


@contextmanager
def small_blocks() -> Iterator[None]:
    """Blocks of some rows, so that a sheet that can be looked through has many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(container, "CHUNK", 600)
        patch.setattr(sheetedit, "BLOCK", 900)
        patch.setattr(blockedit, "BLOCK", 900)
        yield


def saved(source: Path, target: Path, rows: Rows, kept: Kept | None, *, full: bool = True) -> SpliceReceipt:
    """One save, verified; with `kept` by blocks where it can be."""
    edits = BookEdits(cells={"Sheet1": sorted(rows.items())})
    with Book.open(source, kept) as book, target.open("wb") as out:
        receipt = splice(book, edits, out)
    verify(target, receipt, full=full)
    if kept is not None:
        kept.keep(receipt)
    return receipt


def parts(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def book_of(folder: Path, count: int = 120, *, step: int = 2, tail: str = "", rows: str | None = None) -> Path:
    """A sheet with a row at every second place, some of them with a formula."""
    made = "".join(
        f'<row r="{n}" spans="1:4"><c r="A{n}"><v>{n}</v></c><c r="B{n}" t="inlineStr"><is><t>text {n}</t></is></c>'
        f'<c r="C{n}" s="1"><f>A{n}*2</f><v>{2 * n}</v></c></row>'
        for n in range(2, 2 + count * step, step)
    )
    head = f'<dimension ref="A1:C{1 + count * step}"/><cols><col min="4" max="4" style="2"/></cols>'
    return crafted(folder, sheet_xml(rows or made, before=head, after=tail))


CELLS = st.dictionaries(
    st.integers(1, 6),
    st.one_of(st.none(), st.integers(-9, 9), st.text("ab<&é\n ", max_size=30), st.booleans(), st.floats(-1e3, 1e3)),
    min_size=1,
    max_size=3,
)
EDITS = st.dictionaries(st.integers(1, 300), CELLS, max_size=12)


@settings(max_examples=60, deadline=None)
@given(series=st.lists(EDITS, min_size=2, max_size=5))
def test_a_series_of_saves_by_blocks_gives_byte_for_byte_what_whole_sheets_give(
    tmp_path_factory: pytest.TempPathFactory, series: list[Rows]
) -> None:
    folder = tmp_path_factory.mktemp("s")
    source = book_of(
        folder, tail='<autoFilter ref="A1:C240"/><mergeCells count="1"><mergeCell ref="I1:J2"/></mergeCells>'
    )
    by_blocks = whole = source
    kept = Kept()
    with small_blocks():
        for number, rows in enumerate(series):
            one, other = folder / f"b{number}.xlsx", folder / f"w{number}.xlsx"
            receipt = saved(by_blocks, one, rows, kept, full=False)
            saved(whole, other, rows, None)
            assert (PART in receipt.redone) == (number > 0)
            assert parts(one) == parts(other)
            by_blocks, whole = one, other
            with Book.open(one, kept) as book, Book.open(one) as fresh:
                known, found = book.layout("Sheet1"), fresh.layout("Sheet1")
                assert (known.last_row, known.auto_filter, known.merges) == (
                    found.last_row, found.auto_filter, found.merges,
                )  # fmt: skip


def test_only_the_blocks_whose_rows_change_are_written_anew(tmp_path: Path) -> None:
    kept = Kept()
    with small_blocks():
        first, second = tmp_path / "1.xlsx", tmp_path / "2.xlsx"
        receipt = saved(book_of(tmp_path, 400), first, {4: {2: "x"}}, kept)
        assert len(receipt.indexes[PART].blocks) > 40
        receipt = saved(first, second, {400: {2: "changed"}, 402: {4: 7}}, kept, full=False)
    again = [block for _, block in receipt.redone[PART] if block.last_row > 0]
    assert len(again) <= 2
    before = {block.crc for block in kept.known[next(iter(kept.known))].blocks}
    assert len([b for b in receipt.indexes[PART].blocks if b.crc not in before]) <= 4
    assert values(second)[400, 2] == "changed"


def test_other_programs_read_a_workbook_that_was_saved_many_times_by_blocks(tmp_path: Path) -> None:
    kept, source = Kept(), book_of(tmp_path)
    with small_blocks():
        for number in range(40):
            target = tmp_path / f"{number}.xlsx"
            saved(source, target, {2 + 6 * number: {2: f"save {number}"}, 300 + number: {1: number}}, kept, full=False)
            source = target
    sheet = openpyxl.load_workbook(source)["Sheet1"]
    assert [sheet.cell(2 + 6 * n, 2).value for n in range(40)] == [f"save {n}" for n in range(40)]
    assert [sheet.cell(300 + n, 1).value for n in range(40)] == list(range(40))
    assert zipfile.ZipFile(source).testzip() is None


def test_rows_added_save_by_save_do_not_leave_a_block_each(tmp_path: Path) -> None:
    kept, source = Kept(), book_of(tmp_path, 10)
    for number in range(20):
        target = tmp_path / f"{number}.xlsx"
        receipt = saved(source, target, {100 + number: {1: number}}, kept)
        source = target
    assert len(receipt.indexes[PART].blocks) <= 4


def test_a_workbook_that_is_not_what_its_index_says_is_not_saved_by_blocks(tmp_path: Path) -> None:
    kept, first = Kept(), tmp_path / "1.xlsx"
    with small_blocks():
        receipt = saved(book_of(tmp_path), first, {4: {2: "x"}}, kept)
        data = bytearray(first.read_bytes())
        with Book.open(first) as book:
            entry = book.package.find(PART)
            assert entry is not None
            middle = book.container.local(entry)[0] + entry.packed // 2
        data[middle] ^= 0x10  # the directory, and so the digest, stays the same
        first.write_bytes(data)
        with pytest.raises(BlocksUnusable):
            saved(first, tmp_path / "2.xlsx", {4: {2: "y"}}, kept)
        for wrong in (receipt.indexes[PART].blocks[:-1], receipt.indexes[PART].blocks[1:], ()):
            kept.known[receipt.digest, PART] = SheetIndex(tuple(wrong), 241)
            with pytest.raises(BlocksUnusable):
                saved(first, tmp_path / "2.xlsx", {4: {2: "y"}}, kept)


def test_an_index_whose_rows_are_elsewhere_is_noticed(tmp_path: Path) -> None:
    kept, first = Kept(), tmp_path / "1.xlsx"
    with small_blocks():
        receipt = saved(book_of(tmp_path), first, {4: {2: "x"}}, kept)
        blocks = list(receipt.indexes[PART].blocks)
        at = len(blocks) // 2
        lies = Block(*[*(getattr(blocks[at], name) for name in Block.__slots__[:-1]), blocks[at].last_row - 2])
        kept.known[receipt.digest, PART] = SheetIndex((*blocks[:at], lies, *blocks[at + 1 :]), 241)
        with pytest.raises(BlocksUnusable):
            saved(first, tmp_path / "2.xlsx", {blocks[at].last_row - 2: {2: "y"}}, kept)


def test_a_shared_formula_that_other_blocks_need_asks_for_the_whole_sheet(tmp_path: Path) -> None:
    rows = '<row r="1"><c r="A1"><f t="shared" ref="A1:A200" si="0">ROW()</f><v>1</v></c></row>' + "".join(
        f'<row r="{n}"><c r="A{n}"><f t="shared" si="0"/><v>{n}</v></c><c r="B{n}"><v>1</v></c></row>'
        for n in range(2, 201)
    )
    kept, first = Kept(), tmp_path / "1.xlsx"
    with small_blocks():
        saved(book_of(tmp_path, rows=rows), first, {4: {2: "x"}}, kept)
        saved(first, tmp_path / "2.xlsx", {5: {1: "one that shares it"}}, kept)
        with pytest.raises(BlocksUnusable):
            saved(first, tmp_path / "3.xlsx", {1: {1: "the holder"}}, kept)


def test_very_many_rows_are_written_with_the_whole_sheet_again_as_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[splice.__module__], "MOST_BY_BLOCKS", 3)
    kept, first, second = Kept(), tmp_path / "1.xlsx", tmp_path / "2.xlsx"
    saved(book_of(tmp_path), first, {4: {2: "x"}}, kept)
    receipt = saved(first, second, {n: {2: n} for n in range(2, 12, 2)}, kept)
    assert not receipt.redone
    assert PART in receipt.indexes
    assert [values(second)[n, 2] for n in range(2, 12, 2)] == list(range(2, 12, 2))


def test_a_sheet_that_is_copied_keeps_its_index(tmp_path: Path) -> None:
    kept, first, second = Kept(), tmp_path / "1.xlsx", tmp_path / "2.xlsx"
    saved(book_of(tmp_path), first, {4: {2: "x"}}, kept)
    content = SheetContent((SheetColumn("Key"),), [["a"]])
    with Book.open(first, kept) as book, second.open("wb") as out:
        receipt = splice(book, BookEdits(contents={"More": content}), out)
    kept.keep(receipt)
    assert PART in saved(second, tmp_path / "3.xlsx", {6: {2: "y"}}, kept).redone


@pytest.mark.parametrize("sheet", ["<sheetData/>", '<row r="5"><c r="A5"><v>1</v></c></row><row r="2"/>'])
def test_an_empty_sheet_and_one_whose_rows_do_not_ascend_are_not_laid_down(tmp_path: Path, sheet: str) -> None:
    kept = Kept()
    receipt = saved(crafted(tmp_path, sheet_xml(sheet)), tmp_path / "1.xlsx", {5: {1: "x"}}, kept)
    assert not receipt.indexes
    assert values(tmp_path / "1.xlsx")[5, 1] == "x"


def test_a_sheet_in_utf_16_is_not_laid_down(tmp_path: Path) -> None:
    text = sheet_xml('<row r="1"><c r="A1"><v>1</v></c></row>', prolog='<?xml version="1.0" encoding="UTF-16"?>')
    receipt = saved(crafted(tmp_path, text.encode("utf-16")), tmp_path / "1.xlsx", {1: {1: "x"}}, Kept())
    assert not receipt.indexes


def test_a_block_that_was_not_written_as_it_should_be_is_found_when_it_is_read_back(tmp_path: Path) -> None:
    kept, first, second = Kept(), tmp_path / "1.xlsx", tmp_path / "2.xlsx"
    with small_blocks():
        saved(book_of(tmp_path), first, {4: {2: "x"}}, kept)
        receipt = saved(first, second, {100: {2: "y"}}, kept)
    at, block = next((at, block) for at, block in receipt.redone[PART] if block.last_row > 0)
    data = bytearray(second.read_bytes())
    data[at + block.packed // 2] ^= 1
    second.write_bytes(data)
    with pytest.raises(WorkbookDamaged, match="sheet1"):
        verify(second, receipt, full=False)


RANGES = st.tuples(*[st.integers(1, 999)] * 4).map(lambda places: Range(*places))
NUMBERS = st.integers(0, 2**32 - 1)
INDEXES = st.builds(
    SheetIndex,
    st.lists(st.builds(Block, NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.integers(-1, 1 << 20)), max_size=9).map(tuple),
    NUMBERS,
    st.lists(RANGES, max_size=3).map(tuple),
    st.lists(RANGES, max_size=3).map(tuple),
    st.none() | RANGES,
    st.lists(st.text(max_size=9), max_size=3).map(tuple),
)


@given(INDEXES)
def test_an_index_comes_back_from_its_bytes(index: SheetIndex) -> None:
    assert SheetIndex.unpack(index.pack()) == index


@given(INDEXES, st.integers(0, 400), st.binary(max_size=30))
def test_bytes_that_are_no_index_are_an_error_of_value_or_another_index(
    index: SheetIndex, at: int, other: bytes
) -> None:
    data = index.pack()
    try:
        found = SheetIndex.unpack(data[:at] + other + data[at + len(other) :])
    except ValueError:
        return
    assert SheetIndex.unpack(found.pack()) == found


def test_a_prefixed_sheet_that_had_no_rows_is_not_taken_for_one_whose_rows_are_usual(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = sheet_xml("<sheetData></sheetData>").replace("<", "<x:").replace("<x:/", "</x:").replace("<x:?", "<?")
    source = crafted(tmp_path, text.replace("xmlns=", "xmlns:x="))
    kept, first, second = Kept(), tmp_path / "1.xlsx", tmp_path / "2.xlsx"
    saved(source, first, {n: {1: f"old {n}"} for n in range(1, 9)}, kept)
    monkeypatch.setattr(sys.modules[splice.__module__], "MOST_BY_BLOCKS", 3)
    saved(first, second, {n: {1: f"new {n}"} for n in range(1, 9)}, kept)
    assert values(second) == {(n, 1): f"new {n}" for n in range(1, 9)}
    with Book.open(second) as book:
        assert book.layout("Sheet1").ordered


def test_long_texts_make_more_blocks_and_no_longer_ones(tmp_path: Path) -> None:
    kept, source = Kept(), book_of(tmp_path, 300)
    with small_blocks():
        for number in range(3):
            target = tmp_path / f"{number}.xlsx"
            rows = {n: {2: f"{number} " + "long " * 60} for n in range(2 + 100 * number, 102 + 100 * number)}
            receipt = saved(source, target, rows, kept, full=False)
            source = target
        assert max(block.size for block in receipt.indexes[PART].blocks if block.last_row > 0) < 4000
    whole = tmp_path / "whole.xlsx"
    saved(source, whole, {}, None)
    assert values(whole)[250, 2] == "2 " + "long " * 60
    assert zipfile.ZipFile(source).testzip() is None


def test_very_much_text_is_written_with_the_whole_sheet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[splice.__module__], "MOST_CHARACTERS", 100)
    kept, first, second = Kept(), tmp_path / "1.xlsx", tmp_path / "2.xlsx"
    saved(book_of(tmp_path), first, {4: {2: "x"}}, kept)
    assert not saved(first, second, {4: {2: "y" * 99}, 6: {2: "zz"}}, kept).redone
    assert (values(second)[4, 2], values(second)[6, 2]) == ("y" * 99, "zz")
