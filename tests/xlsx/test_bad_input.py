"""Files made to do harm are refused by name, in bounded time and memory; odd but legal ones work."""

import datetime as dt
import io
import re
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchbook.errors import WorkbookDamaged, WorkbookError, WorkbookNotSupported
from batchbook.xlsx import Book, BookEdits, SheetColumn, SheetContent, inspect, splice, verify
from batchbook.xlsx.xmltext import MAX_DEPTH
from tests.xlsx.helpers import LINKS, MAIN, crafted, edit, part, parts_of, save, sheet_xml, values
from tests.xlsx.rich import rich_parts

ROWS = '<row r="1"><c r="A1"><v>1</v></c></row>'
SHEET = "xl/worksheets/sheet1.xml"
BOMB = (
    '<!DOCTYPE x [<!ENTITY a "lol lol lol lol">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 20}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    + "]>"
)


def use(path: Path) -> bytes:
    """Read and change everything that a run would."""
    with Book.open(path) as book:
        for sheet in book.sheets:
            list(book.rows(sheet.name))
        out = io.BytesIO()
        rows = [(1, {1: 5}), (4, {1: dt.date(2024, 1, 2)})]
        name = book.sheets[0].name
        receipt = splice(book, BookEdits({name: rows}, {"New": SheetContent((SheetColumn("x"),), [])}), out)
    path.write_bytes(out.getvalue())
    verify(path, receipt, full=True)
    return out.getvalue()


def peak_memory(action: Callable[[], object]) -> int:
    """Bytes at most that an action took; it must end in a WorkbookError."""
    tracemalloc.start()
    try:
        with pytest.raises(WorkbookError):
            action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_the_rich_sample_is_sound_and_can_be_edited(tmp_path: Path) -> None:
    source = save(tmp_path / "book.xlsx", rich_parts())
    assert inspect(source) == []
    use(source)
    assert inspect(source) == []
    assert part(source, "xl/tables/table1.xml").count('ref="A1:C4"') == 2


# --- entities, bombs, nesting ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(set(rich_parts()) - {"xl/calcChain.xml"}))
def test_entity_bombs_are_refused_in_every_part(tmp_path: Path, name: str) -> None:
    parts = rich_parts()
    text = parts[name].decode()
    prolog = re.match(r"<\?xml[^>]*\?>\s*", text)
    at = prolog.end() if prolog else 0
    parts[name] = (text[:at] + BOMB + text[at:].replace("</", "&i;</")).encode()
    path = save(tmp_path / "book.xlsx", parts)
    with pytest.raises(WorkbookError, match=re.escape(name)):
        use(path)
    assert any(name in str(finding) for finding in inspect(path))


def test_a_bomb_of_zeros_is_refused_by_its_ratio_before_it_is_inflated(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    parts = parts_of(sheet_xml(ROWS))
    del parts[SHEET]
    save(path, parts)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, archive.open(SHEET, "w") as stream:
        for _ in range(300):
            stream.write(b" " * (1 << 20))
    assert peak_memory(lambda: use(path)) < 8 << 20
    with pytest.raises(WorkbookNotSupported, match=rf"{SHEET}.*300 MiB"):
        use(path)


def test_a_part_that_says_it_is_small_is_cut_off_at_what_it_says(tmp_path: Path) -> None:
    # The directory promises 100 bytes; the deflate stream holds 256 MiB.
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = b"".join(packer.compress(b" " * (1 << 20)) for _ in range(256)) + packer.flush()
    path = tmp_path / "book.xlsx"
    parts = parts_of(sheet_xml(ROWS))
    parts["xl/styles.xml"] = packed
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    raw = bytearray(path.read_bytes())
    for mark, shift in ((b"PK\x03\x04", 0), (b"PK\x01\x02", 2)):
        at = next(m.start() for m in re.finditer(re.escape(mark), raw) if b"styles" in raw[m.start() : m.start() + 70])
        raw[at + 8 + shift : at + 10 + shift] = struct.pack("<H", 8)
        raw[at + 22 + shift : at + 26 + shift] = struct.pack("<L", 100)
    path.write_bytes(raw)
    assert peak_memory(lambda: use(path)) < 8 << 20
    with pytest.raises(WorkbookDamaged, match=r"xl/styles\.xml.*larger than"):
        use(path)


@pytest.mark.parametrize("name", ["xl/workbook.xml", "xl/styles.xml", SHEET, "xl/tables/table1.xml"])
@pytest.mark.parametrize("depth", [MAX_DEPTH * 2, 200_000])
def test_deeply_nested_parts_are_refused_or_copied(tmp_path: Path, name: str, depth: int) -> None:
    parts = rich_parts()
    nested = b"<a>" * depth + b"</a>" * depth
    head, mark, tail = parts[name].rpartition(b"</")
    parts[name] = head + nested + mark + tail
    path = save(tmp_path / "book.xlsx", parts)
    if name == SHEET:  # what follows the rows is not taken apart
        use(path)
    else:
        with pytest.raises(WorkbookNotSupported, match=re.escape(name)):
            use(path)


def test_nested_cells_are_refused(tmp_path: Path) -> None:
    path = crafted(tmp_path, sheet_xml(f'<row r="1"><c r="A1">{"<is>" * 5000}{"</is>" * 5000}</c></row>'))
    with pytest.raises(WorkbookNotSupported, match=SHEET):
        use(path)


def test_one_long_text_in_a_small_part_is_read_in_one_go(tmp_path: Path) -> None:
    parts = parts_of(sheet_xml(ROWS))
    text = b"&lt;x" * 4_000_000
    parts["xl/styles.xml"] = parts["xl/styles.xml"].replace(b"</styleSheet>", b"<x>" + text + b"</x></styleSheet>")
    path = save(tmp_path / "book.xlsx", parts)
    before = values(path)
    assert before
    use(path)
    assert before.keys() <= values(path).keys()


def test_relationships_that_point_at_each_other_and_at_themselves_end(tmp_path: Path) -> None:
    parts = rich_parts()
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    for name, target in (("table1", "../tables/table1.xml"), ("table1", "../worksheets/sheet1.xml")):
        parts[f"xl/tables/_rels/{name}.xml.rels"] = (
            f'<Relationships xmlns="{package}"><Relationship Id="rId1" Type="{LINKS}/table" Target="{target}"/>'
            "</Relationships>"
        ).encode()
    parts["xl/worksheets/_rels/_rels/sheet1.xml.rels.rels"] = parts["xl/worksheets/_rels/sheet1.xml.rels"]
    path = save(tmp_path / "book.xlsx", parts)
    use(path)
    parts["xl/worksheets/_rels/sheet1.xml.rels"] = parts["xl/worksheets/_rels/sheet1.xml.rels"].replace(
        b"../tables/table1.xml", b"sheet1.xml"
    )
    use(save(path, parts))
    parts["_rels/.rels"] = parts["_rels/.rels"].replace(b"xl/workbook.xml", b"_rels/.rels")
    with pytest.raises(WorkbookError):
        use(save(path, parts))


# --- references and rows ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reference", ["EQXD1", "XFE1", "A1048577", "A0", "1A", "A", "ÀÉ1", "A" * 100_000 + "1"])
def test_references_beyond_a_sheet_are_damage_by_name(tmp_path: Path, reference: str) -> None:
    path = crafted(tmp_path, sheet_xml(f'<row r="1"><c r="{reference}"><v>1</v></c></row>'))
    with pytest.raises(WorkbookDamaged, match=SHEET) as caught:
        use(path)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("ref", ["A1:EQXD100000", "A1:A99999999", "EQXD1", ":", "A1:", "$A$0:B2", "A1:B2:C3"])
def test_ranges_beyond_a_sheet_are_left_alone(tmp_path: Path, ref: str) -> None:
    after = f'<autoFilter ref="{ref}"/><mergeCells><mergeCell ref="{ref}"/></mergeCells>'
    after += f'<conditionalFormatting sqref="{ref}"/>'
    path = crafted(tmp_path, sheet_xml(ROWS, before=f'<dimension ref="{ref}"/>', after=after))
    use(path)
    assert after in part(path, SHEET)


def test_a_row_of_100_000_cells_without_references_is_damage(tmp_path: Path) -> None:
    path = crafted(tmp_path, sheet_xml(f'<row r="1">{"<c><v>1</v></c>" * 100_000}</row>'))
    with pytest.raises(WorkbookDamaged, match="more columns"):
        use(path)


# --- archives --------------------------------------------------------------------------------------------------------


def test_a_wrong_checksum_is_named_whether_the_part_is_read_or_copied(tmp_path: Path) -> None:
    for name in set(rich_parts()) - {"xl/calcChain.xml"}:  # which is neither read nor copied
        path = save(tmp_path / "book.xlsx", rich_parts())
        raw = bytearray(path.read_bytes())
        for match in list(re.finditer(b"PK\x01\x02", raw)):
            at = match.start()
            length = struct.unpack_from("<H", raw, at + 28)[0]
            if raw[at + 46 : at + 46 + length].decode() == name:
                raw[at + 16] ^= 1
        path.write_bytes(raw)
        assert any(name in str(finding) and "checksum" in str(finding) for finding in inspect(path)), name
        with pytest.raises(WorkbookDamaged, match=re.escape(name)):
            use(path)


def test_a_file_that_is_cut_anywhere_is_damage(tmp_path: Path) -> None:
    path = save(tmp_path / "book.xlsx", rich_parts())
    raw = path.read_bytes()
    for length in [*range(0, len(raw), 97), *range(len(raw) - 60, len(raw))]:
        path.write_bytes(raw[:length])
        with pytest.raises(WorkbookDamaged):
            Book.open(path)


FIELDS = {b"PK\x03\x04": range(4, 30, 2), b"PK\x01\x02": range(4, 46, 2), b"PK\x05\x06": range(4, 22, 2)}


@settings(max_examples=150, deadline=5000)
@given(
    mark=st.sampled_from(sorted(FIELDS)),
    which=st.integers(0, 20),
    field=st.integers(0, 20),
    lie=st.sampled_from([b"\xff\xff", b"\xff\xff\xff\xff", b"\0\0", b"\0\0\0\0", b"\1\0", b"\0\x80", b"PK\3\4"]),
)
def test_headers_that_lie_give_workbook_errors_or_results(
    tmp_path_factory: pytest.TempPathFactory, mark: bytes, which: int, field: int, lie: bytes
) -> None:
    path = save(tmp_path_factory.getbasetemp() / "lies.xlsx", rich_parts())
    raw = bytearray(path.read_bytes())
    places = [match.start() for match in re.finditer(re.escape(mark), raw)]
    at = places[which % len(places)] + FIELDS[mark][field % len(FIELDS[mark])]
    raw[at : at + len(lie)] = lie
    path.write_bytes(raw)
    inspect(path)
    try:
        use(path)
    except WorkbookError as error:
        assert "lies.xlsx" in str(error)
    else:
        with Book.open(path) as book:
            assert dict(book.rows("Sheet1"))[1][1].value is not None


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/abs/../../x.xml", "xl/../../y.xml", "..\\..\\z.xml", "a" * 60_000]
)
def test_odd_names_are_copied_and_lead_nowhere(tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    source = save(tmp_path / "in" / "book.xlsx", {**parts_of(sheet_xml(ROWS)), name: b"<a/>"})
    target, receipt = edit(source, {"Sheet1": {1: {1: 2}}})
    assert values(target) == {(1, 1): 2}
    assert len(receipt.copied) == len(parts_of("")) - 1
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["book.xlsx", "edited.xlsx", "in"]


def test_links_that_climb_out_of_the_archive_stay_in_it(tmp_path: Path) -> None:
    parts = parts_of(sheet_xml(ROWS))
    rels = "xl/_rels/workbook.xml.rels"
    parts[rels] = parts[rels].replace(b'"worksheets/sheet1.xml"', b'"../../../../../xl/worksheets/sheet1.xml"')
    source = save(tmp_path / "book.xlsx", parts)
    target, _ = edit(source, {"Sheet1": {1: {1: 2}}})
    assert values(target) == {(1, 1): 2}


# --- odd, and legal --------------------------------------------------------------------------------------------------


def test_parts_whose_names_differ_in_case_only_are_told_apart(tmp_path: Path) -> None:
    parts = parts_of(sheet_xml(ROWS), sheet_xml(ROWS.replace("<v>1<", "<v>2<")))
    parts["xl/worksheets/SHEET1.xml"] = parts.pop("xl/worksheets/sheet2.xml")
    rels = "xl/_rels/workbook.xml.rels"
    parts[rels] = parts[rels].replace(b"worksheets/sheet2.xml", b"worksheets/SHEET1.xml")
    source = save(tmp_path / "book.xlsx", parts)
    target, receipt = edit(source, {"Sheet2": {1: {1: 3}}})
    assert values(target) == {(1, 1): 1}
    assert values(target, "Sheet2") == {(1, 1): 3}
    assert "xl/worksheets/SHEET1.xml" in receipt.rewritten
    assert SHEET in receipt.copied


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be"])
def test_all_parts_may_be_in_utf_16(tmp_path: Path, codec: str) -> None:
    plain = {}
    for name, content in rich_parts().items():
        text = re.sub(r"^<\?xml[^>]*\?>\s*", "", content.decode())
        plain[name] = f'<?xml version="1.0" encoding="UTF-16"?>{text}'.encode(codec)
    source = save(tmp_path / "book.xlsx", plain)
    before = values(source)
    use(source)
    after = values(source)
    assert {place: value for place, value in after.items() if place in before} == {
        **before,
        (1, 1): dt.datetime(1900, 1, 5),
    }
    assert after[4, 1] == dt.datetime(2024, 1, 2)
    with Book.open(source) as book:
        assert str(book.layout("Sheet1").tables[0].ref) == "A1:C4"
        assert [sheet.name for sheet in book.sheets] == ["Sheet1", "Sheet2", "New"]
        assert dict(book.rows("Sheet1"))[4][3].formula == "T[[#This Row],[1]]+A4"


def prefixed(content: bytes, namespace: str, prefix: str) -> bytes:
    """A part with the names of a namespace prefixed, where they had none."""
    text = content.decode().replace(f'xmlns="{namespace}"', f'xmlns:{prefix}="{namespace}"')
    return re.sub(r"<(/?)(?=[A-Za-z]\w*[\s/>])", rf"<\1{prefix}:", text).encode()


def test_all_parts_may_have_odd_prefixes(tmp_path: Path) -> None:
    package = "http://schemas.openxmlformats.org/package/2006"
    parts = {}
    for name, content in rich_parts().items():
        kind = f"{package}/relationships" if name.endswith(".rels") else MAIN
        kind = f"{package}/content-types" if name.startswith("[") else kind
        parts[name] = prefixed(content, kind, "odd.p-1")
    source = save(tmp_path / "book.xlsx", parts)
    before = values(source)
    assert before
    use(source)
    assert values(source) == {**before, (1, 1): dt.datetime(1900, 1, 5), (4, 1): dt.datetime(2024, 1, 2), (4, 3): None}
    assert inspect(source) == []
    with Book.open(source) as book:
        assert str(book.layout("Sheet1").tables[0].ref) == "A1:C4"
    assert 'sqref="A2:A4 C2:C4"' in part(source, SHEET)
