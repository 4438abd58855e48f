"""ISBN workbooks and ledgers that are damaged, gone, from before, or of another shape: never read as empty."""

from __future__ import annotations

import json
import shutil
import signal
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import openpyxl
import pytest

from tests.crash.damaged import Forker, forker
from tests.integration.helpers import Called
from tests.integration.publisher import ASSIGNMENTS, BLOCKS, FIRST_LARGE, HISTORY, Press, bookings, numbers, sound

SCHEDULE = ("schedule", "--title", "T", "--book-id", "new", "--date", "2027-06-01", "--book-format", "ebook")
READING = (
    ("list",),
    ("check",),
    ("blocks",),
    ("upcoming",),
    ("search", "B1"),
    ("report",),
    ("show", numbers(FIRST_LARGE, 1)[0]),
)
CHANGING = (SCHEDULE, ("assign", numbers(FIRST_LARGE, 1)[0]), ("bulk", "rows.csv"), ("assign-due",))
VERBS = [pytest.param(words, id=words[0]) for words in (*READING, *CHANGING)]


@pytest.fixture(scope="module")
def laid(tmp_path_factory: pytest.TempPathFactory) -> Press:
    """A folder with three books, each scheduled by a command: there are backups."""
    path = tmp_path_factory.mktemp("laid") / "work"
    path.mkdir()
    press = Press(path).lay()
    press.rows_file(bookings(20))
    for book in ("B1", "B2", "B3"):
        press.schedule(book, "--imprint", "Harbour")
    return press


@pytest.fixture
def press(laid: Press, tmp_path: Path) -> Press:
    """A copy of it."""
    return laid.copy(tmp_path / "work")


@pytest.fixture(scope="module")
def call() -> Iterator[Forker]:
    """The command in forked children, for many verbs on many damages."""
    with forker() as made:
        yield made


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def nothing(path: Path) -> None:
    path.write_bytes(b"")


def zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def flipped(part: str) -> Callable[[Path], None]:
    """One bit of a part's compressed bytes."""

    def flip(path: Path) -> None:
        with zipfile.ZipFile(path) as book:
            info = book.getinfo(part)
        content = bytearray(path.read_bytes())
        content[info.header_offset + 30 + len(part) + info.compress_size // 2] ^= 0x10
        path.write_bytes(content)

    return flip


DAMAGES = {"half": half, "empty": nothing, "zeros": zeros, "assignments": flipped("xl/worksheets/sheet2.xml")}


@pytest.mark.parametrize("words", VERBS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_workbook_stops_every_verb_with_the_way_to_recover(
    press: Press, call: Forker, damage: str, words: tuple[str, ...]
) -> None:
    DAMAGES[damage](press.book)
    state = press.book.read_bytes()
    called = call.run(press, "isbn", *words, "--json")
    assert called.code == 5, called
    error = called.json["error"]
    said = f"{error['what']} {error['advice']}"
    assert "_before_" in said and "backups restore" in said, "the newest backup is named"
    assert "Traceback" not in called.err
    assert press.book.read_bytes() == state
    assert press.strays() == []


def test_the_way_to_recover_works(press: Press) -> None:
    half(press.book)
    press.isbn("list", code=5)
    restored = press.run("backups", "restore", press.name, "--json")
    assert restored.code == 0, restored
    assert press.isbn("check", code=None).code == 3, "the newest booking was made after the backup: its row is missed"
    assert sorted(press.by_book()) == ["B1", "B2"]
    assert press.schedule("B4", "--imprint", "Harbour").json["assignment"]["book_id"] == "B4"
    assert press.by_book()["B4"] == numbers(FIRST_LARGE, 4)[3], "the lost number is not given again"


def reshape(press: Press) -> None:
    """Two headers are other ones, and a sheet is gone."""
    book = openpyxl.load_workbook(press.book)
    del book[HISTORY]
    book[ASSIGNMENTS]["B1"], book[BLOCKS]["F1"] = "Standing", "Begin"
    book.save(press.book)


@pytest.mark.parametrize("words", VERBS)
def test_missing_sheets_and_headers_are_all_named_at_once(press: Press, call: Forker, words: tuple[str, ...]) -> None:
    reshape(press)
    state = press.book.read_bytes()
    called = call.run(press, "isbn", *words, "--json")
    assert called.code == 2, called
    said = json.dumps(called.json["error"])
    # A job that goes over the rows of a sheet looks at that one first.
    wanted = ("Status",) if words == ("assign-due",) else (HISTORY, "Status", "First ISBN")
    assert all(name in said for name in wanted), said
    assert press.book.read_bytes() == state


def test_a_header_that_is_renamed_in_mid_run_keeps_the_state_until_it_is_mended(press: Press) -> None:
    press.ended_after(10, signal.SIGKILL, "isbn", "bulk", press.rows_file(bookings(120)), "--json")
    kept = press.book.read_bytes()
    reshape(press)
    state = press.book.read_bytes()
    error = press.isbn("bulk", "rows.csv", "--json", code=6).json["error"]
    assert all(name in json.dumps(error) for name in (HISTORY, "Status", "First ISBN"))
    assert press.book.read_bytes() == state
    press.book.write_bytes(kept)
    said = press.isbn("bulk", "rows.csv", "--json", code=3).json
    assert said["resumed"]["rows_kept"] >= 10
    assert set(press.by_book()) == {"B1", "B2", "B3"} | {row["book_id"] for row in sound(bookings(120))}
    assert sorted(press.given()) == sorted({*press.given()})


# --- the ledger ---------------------------------------------------------------------------------------------------


def delete_row(press: Press, book: str) -> str:
    """A person deletes the row of a book; gives its number."""
    number = press.by_book()[book]
    workbook = openpyxl.load_workbook(press.book)
    sheet = workbook[ASSIGNMENTS]
    (row,) = [cell.row for cell in sheet["D"] if cell.value == book]
    sheet.delete_rows(row)
    workbook.save(press.book)
    return number


def test_without_its_ledger_no_number_is_given_twice_for_the_history_knows_them(press: Press) -> None:
    lost = delete_row(press, "B2")
    shutil.rmtree(press.path / "data" / "checkpoints")
    called = press.schedule("B4", "--imprint", "Harbour")
    assert "the ledger does not know run" in called.err
    assert called.json["assignment"]["isbn"].replace("-", "") == numbers(FIRST_LARGE, 4)[3]
    assert lost not in press.given()
    check = press.isbn("check", "--json", code=3)
    assert lost in check.out.replace("-", "")


def test_a_ledger_from_before_is_told_and_no_number_is_given_twice(laid: Press, tmp_path: Path) -> None:
    press = laid.copy(tmp_path / "work")
    old = shutil.copytree(press.path / "data" / "checkpoints", tmp_path / "old")
    run = press.schedule("B4", "--imprint", "Harbour").json["run_id"]
    shutil.rmtree(press.path / "data" / "checkpoints")
    shutil.copytree(old, press.path / "data" / "checkpoints")
    called = press.schedule("B5", "--imprint", "Harbour")
    assert f"does not know run {run}" in called.err
    assert [press.by_book()[f"B{n}"] for n in range(1, 6)] == numbers(FIRST_LARGE, 5)


def test_a_killed_import_whose_ledger_is_gone_is_begun_anew_and_gives_no_number_twice(press: Press) -> None:
    press.ended_after(40, signal.SIGKILL, "isbn", "bulk", press.rows_file(bookings(120)), "--json")
    saved = press.by_book()
    assert len(saved) > 3
    shutil.rmtree(press.path / "data" / "checkpoints")
    said = press.isbn("bulk", "rows.csv", "--json", code=3).json
    assert said["resumed"] is None
    wanted = {row["book_id"] for row in sound(bookings(120))}
    assert said["rows"]["unchanged"] + said["rows"]["done"] == len(wanted)
    found = press.by_book()
    assert set(found) == {"B1", "B2", "B3"} | wanted
    assert {book: found[book] for book in saved} == saved
    assert len(press.histories()) == len(found)


# --- an older copy ------------------------------------------------------------------------------------------------


def words(called: Called) -> str:
    return called.out + called.err


@pytest.mark.parametrize("bulk", [False, True], ids=["single commands", "an import"])
def test_numbers_that_an_older_copy_took_back_are_not_given_again_and_come_back_by_reapply(
    press: Press, bulk: bool
) -> None:
    old = press.book.read_bytes()
    if bulk:
        wanted = {row["book_id"] for row in sound(bookings(20))}
        runs = [press.isbn("bulk", "rows.csv", "--json", code=3).json["run_id"]]
    else:
        wanted = {"B4", "B5"}
        runs = [press.schedule(book, "--imprint", "Harbour").json["run_id"] for book in sorted(wanted)]
    given = press.by_book()
    press.book.write_bytes(old)

    check = press.isbn("check", "--json", code=3).out.replace("-", "")
    assert all(given[book] in check for book in wanted), "each number is named"
    called = press.schedule("after", "--imprint", "Harbour")
    assert all(f"runs reapply {run}" in called.err for run in runs), "the runs are named"
    assert press.by_book()["after"] not in given.values()
    for run in runs:
        assert press.run("runs", "reapply", run, "--json").code == 0
    found = press.by_book()
    assert {book: found[book] for book in given} == given
    assert set(found) == {*given, "after"}
    assert press.isbn("check", code=None).code == 0
    assert "vanished" not in words(press.schedule("last"))
