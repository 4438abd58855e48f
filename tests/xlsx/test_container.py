import errno
import io
import os
import struct
import zipfile
from pathlib import Path

import pytest

from batchbook.errors import WorkbookDamaged, WorkbookError, WorkbookMissing, WorkbookNotSupported, WorkbookUnreadable
from batchbook.xlsx import Book, Limits, container, inspect, sheet_names, within
from batchbook.xlsx.codec import crc32, crc32_combine
from batchbook.xlsx.container import Container
from batchbook.xlsx.zipwriter import ZipWriter, new_entry
from tests.xlsx.helpers import crafted, edit, parts_of, save, sheet_xml, values

ROWS = '<row r="1"><c r="A1"><v>1</v></c></row>'
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)


@pytest.mark.parametrize(
    ("content", "kind", "says"),
    [
        (OLE, WorkbookNotSupported, ".xls"),
        (OLE + "EncryptedPackage".encode("utf-16-le"), WorkbookNotSupported, "encrypted"),
        (b"", WorkbookDamaged, "empty"),
        (b"<html>", WorkbookNotSupported, "HTML"),
        (b"a;b;c", WorkbookNotSupported, "zip"),
        (b"PK\x03\x04" + bytes(100), WorkbookDamaged, "zip"),
    ],
)
def test_what_is_no_workbook_is_named(tmp_path: Path, content: bytes, kind: type[WorkbookError], says: str) -> None:
    path = tmp_path / "book.xlsx"
    path.write_bytes(content)
    with pytest.raises(kind, match=says):
        Book.open(path)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(WorkbookMissing):
        Book.open(tmp_path / "none.xlsx")
    with pytest.raises(WorkbookError):
        Book.open(tmp_path)


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"xl/workbook.bin": b"x"}, "xlsb"),
        ({"mimetype": b"x", "content.xml": b"<a/>"}, "OpenDocument"),
        ({"word/document.xml": b"<a/>", "[Content_Types].xml": b"<Types/>"}, "no workbook"),
        ({"notes.txt": b"x"}, "no workbook"),
    ],
)
def test_other_archives_are_named(tmp_path: Path, parts: dict[str, bytes], says: str) -> None:
    with pytest.raises(WorkbookError, match=says):
        Book.open(save(tmp_path / "book.xlsx", parts))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_parts_of_one_name_are_refused(tmp_path: Path) -> None:
    path = crafted(tmp_path, sheet_xml(ROWS))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("xl/styles.xml", "<other/>")
    with pytest.raises(WorkbookDamaged, match="two parts"):
        Book.open(path)


def test_names_that_climb_out_are_copied_and_never_followed(tmp_path: Path) -> None:
    source = save(tmp_path / "book.xlsx", {**parts_of(sheet_xml(ROWS)), "../../evil.xml": b"<a/>", "/abs.xml": b"<b/>"})
    target, receipt = edit(source, {"Sheet1": {1: {1: 2}}})
    assert {"../../evil.xml", "/abs.xml"} <= set(receipt.copied)
    assert not (tmp_path.parent / "evil.xml").exists()
    assert values(target) == {(1, 1): 2}


def test_absolute_backslashed_and_differently_written_names_are_found(tmp_path: Path) -> None:
    parts = parts_of(sheet_xml(ROWS))
    parts["XL\\Worksheets\\Sheet1.XML"] = parts.pop("xl/worksheets/sheet1.xml")
    rels = parts["xl/_rels/workbook.xml.rels"].replace(b'"worksheets/sheet1.xml"', b'"/xl/worksheets/sheet1.xml"')
    source = save(tmp_path / "book.xlsx", {**parts, "xl/_rels/workbook.xml.rels": rels})
    target, receipt = edit(source, {"Sheet1": {1: {1: 2}}})
    assert values(target) == {(1, 1): 2}
    assert "XL\\Worksheets\\Sheet1.XML" in receipt.rewritten


def test_data_descriptors_stored_parts_and_data_in_front_are_fine(tmp_path: Path) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: object) -> int:
            raise OSError

    out = Pipe()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, content in parts_of(sheet_xml(ROWS)).items():
            archive.writestr(name, content)
    path = tmp_path / "book.xlsx"
    path.write_bytes(b"in front" + out.getvalue())
    target, _ = edit(path, {"Sheet1": {1: {1: 2}}})
    assert values(target) == {(1, 1): 2}


def test_zip64_fields_are_read_and_dropped_where_not_needed(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts_of(sheet_xml(ROWS)).items():
            with archive.open(name, "w", force_zip64=True) as stream:
                stream.write(content)
    target, _ = edit(path, {"Sheet1": {1: {1: 2}}})
    assert values(target) == {(1, 1): 2}


def test_offsets_beyond_four_gigabytes_are_written_in_zip64(tmp_path: Path) -> None:
    path = tmp_path / "big.zip"
    with path.open("w+b") as out:
        writer = ZipWriter(out)
        out.seek(5 << 30)
        writer.at = 5 << 30
        part = writer.part(new_entry("a.xml"), expected=3 << 30)
        part.hold(b"<a>")
        part.write(b"text</a>")
        part.rehold(b"<b>")
        part.finish()
        digest = writer.finish(["a.xml"])
    with zipfile.ZipFile(path) as archive:
        assert archive.read("a.xml") == b"<b>text</a>"
    found = Container(path)
    assert found.digest == digest
    assert found.read(found.entries[0]) == b"<b>text</a>"
    found.close()


def test_a_part_larger_than_it_says_is_refused_after_that_many_bytes(tmp_path: Path) -> None:
    path = crafted(tmp_path, sheet_xml(ROWS * 1000))
    raw = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        size = archive.getinfo("xl/worksheets/sheet1.xml").file_size
    for at in range(len(raw) - 4):
        if raw[at : at + 4] == struct.pack("<L", size):
            raw[at : at + 4] = struct.pack("<L", 100)
    path.write_bytes(raw)
    with Book.open(path) as book, pytest.raises(WorkbookDamaged, match="larger than"):
        list(book.rows("Sheet1"))


def test_traps_are_refused_by_their_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = crafted(tmp_path, sheet_xml(" " * 3_000_000))
    with within(Limits(max_part=2_000_000)):
        book = Book.open(path)
    with book, pytest.raises(WorkbookNotSupported, match=r"sheet1.xml.*inflate.*limits:"):
        list(book.rows("Sheet1"))
    with Book.open(path) as book:
        assert list(book.rows("Sheet1")) == []
    monkeypatch.setattr(container, "SUSPECT_SIZE", 2_000_000)
    with Book.open(path) as book, pytest.raises(WorkbookNotSupported, match="inflate"):
        list(book.rows("Sheet1"))
    with within(Limits(max_ratio=10_000)), Book.open(path) as book:
        assert list(book.rows("Sheet1")) == []


def test_small_parts_are_not_read_beyond_their_limit(tmp_path: Path) -> None:
    parts = parts_of(sheet_xml(ROWS))
    parts["xl/styles.xml"] += b" " * (65 << 20)
    with Book.open(save(tmp_path / "book.xlsx", parts)) as book, pytest.raises(WorkbookNotSupported, match="MiB"):
        list(book.rows("Sheet1"))


@pytest.mark.parametrize(("field", "value"), [(6, 0xEB), (8, 0x20)], ids=["version", "patched"])
def test_a_form_of_zip_that_does_not_exist_is_damage(tmp_path: Path, field: int, value: int) -> None:
    path = crafted(tmp_path, sheet_xml(ROWS))
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + field] |= value
    path.write_bytes(content)
    with pytest.raises(WorkbookDamaged, match="a form of zip that does not exist"):
        Book.open(path)


def test_a_name_in_the_directory_that_is_not_the_parts_own_is_damage(tmp_path: Path) -> None:
    path = crafted(tmp_path, sheet_xml(ROWS))
    content = path.read_bytes()
    path.write_bytes(content[::-1].replace(b"[Content_Types].xml"[::-1], b"[Content_types].xml"[::-1], 1)[::-1])
    assert any("another name than the directory says" in str(finding) for finding in inspect(path))


def test_overlapping_parts_are_refused(tmp_path: Path) -> None:
    path = crafted(tmp_path, sheet_xml(ROWS))
    raw = bytearray(path.read_bytes())
    second = raw.index(b"PK\x01\x02", raw.index(b"PK\x01\x02") + 4)
    raw[second + 42 : second + 46] = bytes(4)
    path.write_bytes(raw)
    with pytest.raises(WorkbookDamaged, match="overlaps"):
        sheet_names(path)


def test_checksums_join() -> None:
    one, two = b"some bytes", b"and \x00 others" * 999
    assert crc32_combine(crc32(one), crc32(two), len(two)) == crc32(one + two)
    assert crc32_combine(crc32(one), 0, 0) == crc32(one)


def test_a_disk_that_does_not_give_the_file_is_named(tmp_path: Path) -> None:
    path = crafted(tmp_path, ROWS)
    with Book.open(path) as book:
        book.container._file.close()
        book.container._file = Failing()  # type: ignore[assignment]
        with pytest.raises(WorkbookUnreadable, match=r"book\.xlsx cannot be read: Input/output error") as caught:
            book.container.read_at(0, 10)
    assert "disk" in caught.value.advice


class Failing(io.BytesIO):
    def read(self, size: int | None = -1, /) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_workbook_that_may_not_be_read_is_said_to_be_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = crafted(tmp_path, ROWS)

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)  # root may read everything
    with pytest.raises(WorkbookUnreadable, match=r"book\.xlsx may not be read: Permission denied") as caught:
        Book.open(path)
    assert "allowed to read the file" in caught.value.advice


def test_a_folder_is_no_workbook(tmp_path: Path) -> None:
    with pytest.raises(WorkbookUnreadable, match="is a folder, not a workbook"):
        Book.open(tmp_path)
