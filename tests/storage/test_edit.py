from __future__ import annotations

import datetime as dt
import errno
import stat
import zipfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import batchbook
from batchbook import Link, WorkbookError, edit_workbook
from batchbook.errors import BatchbookError, SaveFailed, WorkbookInUse
from batchbook.storage import edit, files
from batchbook.storage.edit import EditRefused, _place
from batchbook.storage.lock import WorkbookLock
from batchbook.storage.trouble import WorkbookChanged
from batchbook.xlsx import digest_of, inspect, letters
from tests.storage.helpers import Crash, FaultyOperations, make_workbook, names, value


def test_an_edit_into_another_file_changes_the_cells_and_nothing_else(workbook: Path) -> None:
    before, target = workbook.read_bytes(), workbook.with_name("out.xlsx")
    receipt = edit_workbook(workbook, target, {"Data": {"C2": 5, "b3": None, "$A$1": "one"}})
    assert workbook.read_bytes() == before
    assert [value(target, cell) for cell in ("C2", "B3", "A1", "A2")] == [5, None, "one", 2]
    assert receipt.cells == 3
    assert receipt.digest == digest_of(target)
    assert set(receipt.rewritten) == {"xl/worksheets/sheet1.xml"} | ({"xl/workbook.xml"} & set(receipt.rewritten))
    with zipfile.ZipFile(workbook) as one, zipfile.ZipFile(target) as two:
        for part in receipt.copied:
            assert one.read(part) == two.read(part)
    assert names(workbook.parent) == {"book.xlsx", "out.xlsx"}


def test_an_edit_in_place_is_a_full_save_that_leaves_no_backup(workbook: Path) -> None:
    workbook.chmod(0o640)
    edit_workbook(str(workbook), str(workbook), {"Data": {"C2": "x"}, "Other": {"A1": "y"}})
    assert (value(workbook, "C2"), value(workbook, "A1", "Other")) == ("x", "y")
    assert stat.S_IMODE(workbook.stat().st_mode) == 0o640
    assert names(workbook.parent) == {"book.xlsx"}


def test_every_kind_of_value_can_be_written(workbook: Path) -> None:
    values = [
        "text", "=A1+1", 7, 1.5, True, Decimal("2.25"), dt.date(2026, 11, 21), dt.datetime(2026, 11, 21, 12, 30),
        dt.time(7, 45), dt.timedelta(hours=30), Link("https://example.org/", "there"), None,
    ]  # fmt: skip
    edit_workbook(workbook, workbook, {"Data": {f"D{n}": v for n, v in enumerate(values, 1)}})
    sheet = openpyxl.load_workbook(workbook)["Data"]
    read = [sheet[f"D{n}"].value for n in range(1, len(values) + 1)]
    assert read[:6] == ["text", "=A1+1", 7, 1.5, True, 2.25]
    assert sheet["D2"].data_type != "f"
    assert read[6] in (dt.date(2026, 11, 21), dt.datetime(2026, 11, 21))
    assert read[7] == dt.datetime(2026, 11, 21, 12, 30)
    assert read[8] == dt.time(7, 45)
    assert "HYPERLINK" in read[10]
    assert read[11] is None


@pytest.mark.parametrize(
    "edits",
    [
        {"None": {"A1": 1}},
        {"Data": {"A1": 1}, "data": {"A2": 1}},
        {"Data": {"": 1}},
        {"Data": {"A0": 1}},
        {"Data": {"XFE1": 1}},
        {"Data": {"A1048577": 1}},
        {"Data": {"A1:B2": 1}},
        {"Data": {7: 1}},
        {"Data": [("B7", 1), ("B6", 1)]},
        {"Data": ["B7"]},
        {"Data": [("B7", 1, 2)]},
        {"Data": [7]},
        {"Data": {"A1": b"bytes"}},
        {"Data": {"A1": object()}},
        {"Data": {"A1": float("nan")}},
        {"Data": {"A1": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}},
        {"Data": {"A1": "x" * 32768}},
    ],
)
@pytest.mark.parametrize("target", ["book.xlsx", "new.xlsx", "there.xlsx"])
def test_what_cannot_be_written_is_refused_and_leaves_no_trace(workbook: Path, edits, target: str) -> None:
    make_workbook(workbook.with_name("there.xlsx"), 3)
    before = {path.name: path.read_bytes() for path in workbook.parent.iterdir()}
    with pytest.raises(WorkbookError) as caught:
        edit_workbook(workbook, workbook.with_name(target), edits)
    assert caught.value.what
    assert caught.value.advice
    assert {path.name: path.read_bytes() for path in workbook.parent.iterdir()} == before


def test_an_iterator_is_consumed_row_by_row_while_the_sheet_is_written(workbook: Path) -> None:
    seen: list[set[str]] = []

    def cells() -> Iterator[tuple[str, object]]:
        for number in range(1, 30):
            seen.append(names(workbook.parent))
            yield f"C{number}", number
            yield f"C{number}", number * 2

    receipt = edit_workbook(workbook, workbook.with_name("out.xlsx"), {"Data": cells()})
    assert receipt.cells == 29
    assert any(name.endswith(".batchbook-tmp") for name in seen[0])
    assert value(workbook.with_name("out.xlsx"), "C29") == 58


def test_what_an_iterator_raises_passes_through_and_leaves_nothing(workbook: Path) -> None:
    def cells() -> Iterator[tuple[str, object]]:
        yield "A1", 1
        raise LookupError("mine")

    for target in (workbook, workbook.with_name("out.xlsx")):
        before = workbook.read_bytes()
        with pytest.raises(LookupError, match="mine"):
            edit_workbook(workbook, target, {"Data": cells()})
        assert workbook.read_bytes() == before
        assert names(workbook.parent) == {"book.xlsx"}


def test_a_target_that_is_there_is_replaced_whole_and_keeps_its_permissions(workbook: Path) -> None:
    target = make_workbook(workbook.with_name("out.xlsx"), 3)
    target.chmod(0o604)
    edit_workbook(workbook, target, {"Data": {"A1": 5}})
    assert value(target, "A8") == 8
    assert stat.S_IMODE(target.stat().st_mode) == 0o604


@pytest.mark.parametrize("there", [True, False])
def test_what_a_person_saves_as_the_target_during_an_edit_is_not_lost(workbook: Path, there: bool) -> None:
    target = workbook.with_name("out.xlsx")
    if there:
        target.write_bytes(b"no workbook at all")

    def cells() -> Iterator[tuple[str, int]]:
        yield "A1", 5
        make_workbook(target, 3)

    with pytest.raises(WorkbookChanged):
        edit_workbook(workbook, target, {"Data": cells()})
    assert value(target, "A1") == 1
    assert names(workbook.parent) == {"book.xlsx", "out.xlsx"}


def test_a_new_target_is_no_more_readable_than_its_source(workbook: Path) -> None:
    workbook.chmod(0o600)
    edit_workbook(workbook, workbook.with_name("out.xlsx"), {"Data": {"A1": 5}})
    assert stat.S_IMODE(workbook.with_name("out.xlsx").stat().st_mode) == 0o600


def test_a_link_to_the_source_is_the_source(workbook: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.xlsx"
    link.symlink_to(workbook)
    edit_workbook(link, workbook, {"Data": {"A1": 5}})
    edit_workbook(workbook, link, {"Data": {"A2": 6}})
    assert link.is_symlink()
    assert (value(workbook, "A1"), value(workbook, "A2")) == (5, 6)


def test_a_locked_or_open_target_is_left_alone_but_not_a_locked_source(workbook: Path) -> None:
    target = workbook.with_name("out.xlsx")
    with WorkbookLock(workbook, run=None, ledger=None):
        with pytest.raises(WorkbookInUse):
            edit_workbook(workbook, workbook, {"Data": {"A1": 5}}, wait=0)
        edit_workbook(workbook, target, {"Data": {"A1": 5}}, wait=0)
    (workbook.parent / ".~lock.out.xlsx#").write_text("Eva,eva,h,21.11.2026 11:48,p;")
    with pytest.raises(WorkbookInUse, match="Eva"):
        edit_workbook(workbook, target, {"Data": {"A1": 6}}, wait=0)
    assert value(target, "A1") == 5


def test_strays_of_a_dead_process_are_swept(workbook: Path) -> None:
    stray = workbook.with_name(".book.xlsx.run-9.batchbook-tmp")
    stray.write_text("half")
    edit_workbook(workbook, workbook, {"Data": {"A1": 5}})
    assert not stray.exists()


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EIO, Crash, KeyboardInterrupt])
def test_whatever_operation_fails_the_target_is_old_or_new(tmp_path: Path, fault, same: bool) -> None:
    k, ended = 0, False
    while not ended:
        k += 1
        folder = tmp_path / str(k)
        folder.mkdir()
        source = make_workbook(folder / "book.xlsx")
        target = source if same else make_workbook(folder / "out.xlsx", 3)
        old = target.read_bytes()
        ops = FaultyOperations(k, fault)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(files, "ops", ops)
            try:
                edit_workbook(source, target, {"Data": {"C1": "new"}}, wait=0)
            except (WorkbookError, Crash, KeyboardInterrupt) as error:
                assert isinstance(error, BatchbookError) is isinstance(fault, int)
            ended = ops.count < k
        assert inspect(target) == []
        assert target.read_bytes() == old or value(target, "C1") == "new"
        if not ended or fault is Crash:
            edit_workbook(source, target, {"Data": {"C1": "new"}}, wait=0)
        assert names(folder) == {source.name, target.name}
    assert k > 8


def test_a_full_disk_is_both_a_failed_save_and_a_workbook_error(
    workbook: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for target in (workbook, workbook.with_name("out.xlsx")):
        monkeypatch.setattr(files, "ops", FaultyOperations(2, errno.ENOSPC, only="write"))
        with pytest.raises(WorkbookError, match="No space left") as caught:
            edit_workbook(workbook, target, {"Data": {"A1": 1}})
        assert isinstance(caught.value, SaveFailed)
        assert "room" in caught.value.advice
        assert names(workbook.parent) == {"book.xlsx"}


def test_a_folder_that_is_not_there_is_an_error(workbook: Path, tmp_path: Path) -> None:
    with pytest.raises(WorkbookError):
        edit_workbook(workbook, tmp_path / "none" / "out.xlsx", {"Data": {"A1": 1}})
    with pytest.raises(WorkbookError):
        edit_workbook(tmp_path / "none.xlsx", tmp_path / "out.xlsx", {"Data": {"A1": 1}})
    assert names(tmp_path) == {"books"}


def test_the_public_name_is_this_function() -> None:
    assert batchbook.edit_workbook is edit_workbook


@given(st.integers(1, 1_048_576), st.integers(1, 16_384))
def test_every_cell_of_a_sheet_can_be_named(row: int, column: int) -> None:
    assert _place("Data", f"{letters(column)}{row}") == (row, column)


@given(st.text(max_size=12))
def test_any_other_text_is_refused_or_a_cell(text: str) -> None:
    try:
        row, column = _place("Data", text)
    except EditRefused:
        return
    assert 1 <= row <= 1_048_576
    assert 1 <= column <= 16_384


# --- pairs -----------------------------------------------------------------------------------------------------------


def sheet_of(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read("xl/worksheets/sheet1.xml")


PAIRS = st.dictionaries(
    st.integers(1, 40),
    st.one_of(
        st.lists(st.tuples(st.sampled_from("ABCD"), st.integers(0, 99)), min_size=1, max_size=5),
        st.just([("B", 1), ("A", 2), ("C", 3)]),
        st.just([("A", 1), ("B", 2)]),
        st.just([("A", 1), ("A", 2)]),
    ),
    max_size=30,
)


@settings(max_examples=100, deadline=None)
@given(PAIRS, st.integers(1, 50), st.sampled_from([str.upper, str.lower, lambda name: "$" + name]))
def test_pairs_write_what_a_mapping_writes_however_many_are_looked_at_together(
    tmp_path_factory: pytest.TempPathFactory, rows: dict[int, list[tuple[str, int]]], together: int, spelled
) -> None:
    folder = tmp_path_factory.mktemp("pairs")
    source = make_workbook(folder / "book.xlsx")
    pairs = [
        (f"{spelled(column) if number % 9 == 0 else column}{number}", value)
        for number, cells in sorted(rows.items())
        for column, value in cells
    ]
    mapping = {reference.upper().replace("$", ""): value for reference, value in pairs}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(edit, "TOGETHER", together)
        receipt = edit_workbook(source, folder / "pairs.xlsx", {"Data": iter(pairs)})
    assert receipt.cells == edit_workbook(source, folder / "mapping.xlsx", {"Data": mapping}).cells == len(mapping)
    assert sheet_of(folder / "pairs.xlsx") == sheet_of(folder / "mapping.xlsx")


@pytest.mark.parametrize("together", [1, 2, 4096])
@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ([("A2", 1), ("B2", 1), ("A3", 1), ("B3", 1), ("A2", 1)], "A2 comes after row 3"),
        ([("A3", 1), ("A2", 1), ("A4", 1)], "A2 comes after row 3"),
        ([("A2", 1), ("A3", 1), ("A03x", 1)], "'A03x'"),
        ([("A2", 1), ("A3", 1), ("A0", 1)], "'A0'"),
        ([("A2", 1), ("A1048577", 1)], "'A1048577'"),
        ([("A2", 1), ("A3",)], "'A3'"),
        ([("A2", 1), "A3"], "A3"),
        ([("A2", 1), (None, 1)], "None"),
        ([("A2", 1), ("A3", 1), (5, 1)], "5"),
        ([("A2", 1), ("A3", 1), (None, 1), ("A4", 1)], "None"),
        ([("A2", 1), ("A3", 1), {"A4": 1, "Bx": 2}], "Bx"),
        ([(7, 1)], "7"),
        (["A"], "'A'"),
    ],
)
def test_a_pair_that_is_wrong_is_named_wherever_it_stands(
    workbook: Path, monkeypatch: pytest.MonkeyPatch, pairs: list[object], said: str, together: int
) -> None:
    monkeypatch.setattr(edit, "TOGETHER", together)
    with pytest.raises(WorkbookError) as caught:
        edit_workbook(workbook, workbook.with_name("other.xlsx"), {"Data": iter(pairs)})  # type: ignore[dict-item]
    assert said in str(caught.value)
    assert not workbook.with_name("other.xlsx").exists()


def test_a_cell_that_is_given_again_and_again_is_looked_at_a_few_times_only(
    workbook: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = []
    one_by_one = edit._one_by_one
    monkeypatch.setattr(edit, "_one_by_one", lambda *given: looked.append(len(given[1])) or one_by_one(*given))
    pairs = [("A2" if i % 2 else "$a$2", i) for i in range(60_000)]
    receipt = edit_workbook(workbook, workbook.with_name("out.xlsx"), {"Data": pairs})
    assert receipt.cells == 1 and value(workbook.with_name("out.xlsx"), "A2") == 59_999
    assert sum(looked) < 2 * len(pairs)
