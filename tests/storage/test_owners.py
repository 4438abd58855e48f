from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchbook.errors import WorkbookInUse
from batchbook.storage.owners import WorkbookOpen, check_not_open, excel_name, libreoffice_fields, owner_of


def excel_file(name: str) -> bytes:
    """An owner file as Excel writes it: 165 bytes."""
    narrow = name.encode("cp1252", "replace")
    wide = name.encode("utf-16-le")
    return (
        bytes([len(narrow)]) + narrow.ljust(54, b" ") + len(name).to_bytes(2, "little")
        + wide + b" \0" * (54 - len(name))
    )  # fmt: skip


def test_a_workbook_open_in_excel_is_named_with_its_user(workbook: Path) -> None:
    assert len(excel_file("Anna")) == 165
    (workbook.parent / "~$book.xlsx").write_bytes(excel_file("Anna Škoda"))
    with pytest.raises(WorkbookInUse) as caught:
        check_not_open(workbook)
    error = caught.value
    assert isinstance(error, WorkbookOpen)
    assert (error.owner.name, error.owner.program) == ("Anna Škoda", "Excel")
    assert error.owner.since is not None
    assert "Anna Škoda in Excel (since 20" in error.what
    assert "delete the file ~$book.xlsx" in error.advice
    assert pickle.loads(pickle.dumps(error)).owner == error.owner


def test_a_workbook_open_in_libreoffice_is_named_with_user_host_and_time(workbook: Path) -> None:
    content = ",anna,pc7,21.11.2026 11:48,file:///home/anna/.config/libreoffice/4;"
    (workbook.parent / ".~lock.book.xlsx#").write_text(content)
    owner = owner_of(workbook)
    assert owner is not None
    assert (owner.name, owner.host, owner.program) == ("anna", "pc7", "LibreOffice")
    assert owner.since is not None
    assert str(owner) == "anna in LibreOffice (on pc7 since 2026-11-21 11:48)"


def test_quoted_commas_belong_to_the_name() -> None:
    assert libreoffice_fields(rb"M\,ller\; \\ Co,m,host,d,p;rest")[:3] == ["M,ller; \\ Co", "m", "host"]


def test_a_workbook_that_nobody_has_open_is_free(workbook: Path) -> None:
    (workbook.parent / "~$other.xlsx").write_bytes(excel_file("Anna"))
    (workbook.parent / ".~lock.other.xlsx#").write_text(",a,b,c,d;")
    (workbook.parent / "~$book.xlsx").mkdir()
    assert owner_of(workbook) is None
    check_not_open(workbook)


@pytest.mark.parametrize("content", [b"", b"\0" * 165, b"\xff" * 165, b"\x05ab", b"garbage;;,,"])
def test_an_owner_file_that_says_nothing_still_means_open(workbook: Path, content: bytes) -> None:
    for name in ("~$book.xlsx", ".~lock.book.xlsx#"):
        file = workbook.parent / name
        file.write_bytes(content)
        with pytest.raises(WorkbookInUse):
            check_not_open(workbook)
        file.unlink()


def test_owner_files_beside_a_link_and_beside_its_target_both_count(workbook: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.xlsx"
    link.symlink_to(workbook)
    for file in (tmp_path / ".~lock.link.xlsx#", workbook.parent / ".~lock.book.xlsx#"):
        file.write_text("Eva,eva,h,21.11.2026 11:48,p;")
        owner = owner_of(link)
        assert owner is not None
        assert owner.name == "Eva"
        file.unlink()


@given(st.text(st.characters(codec="cp1252", exclude_categories=("C", "Z")), min_size=1, max_size=52))
def test_every_name_that_excel_can_write_is_read(name: str) -> None:
    assert excel_name(excel_file(name)) == name
    assert excel_name(excel_file(name)[:55]) == name


@given(st.binary(max_size=300))
def test_no_content_of_an_owner_file_is_an_error(content: bytes) -> None:
    assert isinstance(excel_name(content), str)
    assert libreoffice_fields(content)
