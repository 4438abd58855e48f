"""XML checked by a process of its own while it is written."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from batchbook.errors import WorkbookDamaged
from batchbook.xlsx import verify, wellformed
from batchbook.xlsx.wellformed import WellFormedness, is_well_formed
from tests.xlsx.helpers import crafted, edit, sheet_xml, values

PART = "xl/worksheets/sheet1.xml"


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every part is worth a process."""
    monkeypatch.setattr(wellformed, "LARGE", 0)
    monkeypatch.setattr(wellformed.os, "cpu_count", lambda: 2)


CASES = [
    (b"<a><b c='1'/>text</a>", True),
    (b"<a><b></a>", False),
    (b"<a>&nowhere;</a>", False),
    (b"<a><x:b/></a>", False),
    (b"<a>\x01</a>", False),
    (b"<a>\xff</a>", False),
    (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a/>", False),
    (b"", False),
]


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(("text", "sound"), CASES)
def test_only_what_is_well_formed_is_confirmed(text: bytes, sound: bool) -> None:
    check = WellFormedness.of_part(len(text))
    for at in range(0, len(text), 3):
        check.feed(text[at : at + 3])
    assert check.confirmed() is sound
    assert check.confirmed() is False, "once only"
    assert is_well_formed(text) is sound


@pytest.mark.usefixtures("eager")
def test_a_process_that_ends_early_or_cannot_start_confirms_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    check = WellFormedness.of_part(1)
    for _ in range(200):
        check.feed(b"<" * 100_000)  # it stops reading at the first error
    assert not check.confirmed()
    check = WellFormedness.of_part(1)
    check.close()
    check.feed(b"<a/>")
    assert not check.confirmed()
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    check = WellFormedness.of_part(1)
    check.feed(b"<a/>")
    assert not check.confirmed()


def test_a_small_part_is_not_worth_a_process() -> None:
    check = WellFormedness.of_part(1000)
    check.feed(b"<a/>")
    assert not check.confirmed()


@pytest.mark.usefixtures("eager")
def test_what_was_confirmed_is_not_parsed_again_and_its_bytes_are_checked_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = "".join(f'<row r="{n}"><c r="A{n}"><v>{n}</v></c></row>' for n in range(1, 50))
    target, receipt = edit(
        crafted(tmp_path, sheet_xml(rows, before='<dimension ref="A1:A49"/>')), {"Sheet1": {3: {1: "x"}, 60: {2: 7}}}
    )
    assert receipt.parsed == (PART,)
    assert values(target)[60, 2] == 7

    module = sys.modules[verify.__module__]
    parsed: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(module, "check_xml", lambda _, entry: parsed.append(entry.name))
        verify(target, receipt, full=True)
    assert PART not in parsed
    data = bytearray(target.read_bytes())
    at = data.index(PART.encode()) + len(PART) + 60
    data[at] ^= 0xFF
    target.write_bytes(data)
    with pytest.raises(WorkbookDamaged):
        verify(target, receipt, full=True)


@pytest.mark.usefixtures("eager")
def test_a_sheet_that_is_not_well_formed_is_named_by_who_reads_it_back(tmp_path: Path) -> None:
    rows = '<row r="1"><c r="A1"><v>1</v></c></row><row r="2"><c r="A2"><v>2</v></x></row>'
    with pytest.raises(WorkbookDamaged, match="not well-formed"):
        edit(crafted(tmp_path, sheet_xml(rows)), {"Sheet1": {1: {1: "x"}}})


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("sheet", ["<sheetData/>", "<sheetData></sheetData>"])
def test_a_sheet_without_rows_is_checked_like_any_other(tmp_path: Path, sheet: str) -> None:
    target, _ = edit(crafted(tmp_path, sheet_xml(sheet)), {"Sheet1": {1: {1: "x"}}})
    assert values(target) == {(1, 1): "x"}


@pytest.mark.usefixtures("eager")
def test_a_process_that_does_not_read_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wellformed, "_PROGRAM", "import time; time.sleep(600)")
    monkeypatch.setattr(wellformed, "_PATIENCE", 0.2)
    check = WellFormedness.of_part(1)
    for _ in range(40):
        check.feed(b"x" * 1_000_000)
    assert not check.confirmed()


@pytest.mark.usefixtures("eager")
def test_a_program_with_many_open_files_is_checked_as_well() -> None:
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limits[1] != resource.RLIM_INFINITY and limits[1] < 2048:
        pytest.skip("no more than some files may be open here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (2048, limits[1]))
    opened = []
    try:
        opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(1200)]
        check = WellFormedness.of_part(1)
        check.feed(b"<a>")
        for _ in range(20):
            check.feed(b"<b>x</b>" * (1 << 16))  # more than may wait, so that it has to be waited for
        check.feed(b"</a>")
        assert check.confirmed()
    finally:
        for fd in opened:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
