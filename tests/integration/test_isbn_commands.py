"""Every verb of `batchbook isbn`: what it does, how it prints, how it ends."""

from __future__ import annotations

import csv
import io
import os
import zipfile
from pathlib import Path

import openpyxl
import pytest

from tests.integration.press import BLOCK, FIRST, SECOND, THIRD, Press, new_press


@pytest.fixture
def press(tmp_path: Path) -> Press:
    return new_press(tmp_path / "press")


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_new_workbook_has_the_sheets_and_is_never_overwritten(tmp_path: Path) -> None:
    press = new_press(tmp_path / "press", block=None)
    sheets = openpyxl.load_workbook(press.isbns).sheetnames
    assert {"ISBN Blocks", "ISBN Assignments", "ISBN History", "Read me"} <= set(sheets)
    before = press.isbns.read_bytes()
    again = press.isbn("new", "data/isbn.xlsx", "--json")
    assert again.code == 2
    assert "is there already" in again.json["error"]["what"]
    assert press.isbns.read_bytes() == before
    assert sorted(path.name for path in press.isbns.parent.iterdir() if path.is_file()) == ["isbn.xlsx"]


def test_a_number_goes_from_scheduled_to_published_to_cancelled_with_its_history(press: Press) -> None:
    made = press.schedule("The River", "B-1")
    assert made.code == 0, made.err
    assert made.out.startswith(f"scheduled {FIRST} for The River (paperback) on 2027-03-01 (run ")
    assert "`batchbook runs undo " in made.out
    for verb, state in (("assign", "assigned"), ("publish", "published")):
        done = press.isbn(verb, FIRST.replace("-", ""))
        assert (done.code, press.statuses()) == (0, {FIRST: state})
        assert done.out.startswith(f"{state} {FIRST} (The River): status: ")
    assert press.isbn("cancel", FIRST, "--reason", "withdrawn").code == 0
    shown = press.isbn("show", FIRST, "--json").json
    assert [(one["before"], one["after"]) for one in shown["history"] if one["field"] == "status"] == [
        (None, "scheduled"), ("scheduled", "assigned"), ("assigned", "published"), ("published", "cancelled"),
    ]  # fmt: skip
    assert shown["history"][-1]["reason"] == "withdrawn"
    assert shown["steps"] == []


def test_the_same_book_and_format_gets_its_number_back_and_another_format_the_next_one(press: Press) -> None:
    press.schedule("The River", "B-1")
    again = press.schedule("The River", "B-1")
    assert again.code == 0
    assert f"{FIRST} is what B-1 (paperback) has already (nothing was changed)" in again.out
    other = press.schedule("The River", "B-1", "2027-03-01", "ebook", "--json").json
    assert (other["outcome"], other["assignment"]["isbn"]) == ("scheduled", SECOND)
    differs = press.schedule("The River", "B-1", "2027-04-01")
    assert differs.code == 1
    assert press.schedule("The River", "B-1", "2027-04-01", "paperback", "--update").code == 0
    assert press.isbn("show", FIRST, "--json").json["assignment"]["scheduled_date"] == "2027-04-01"


def test_reserve_needs_a_reason_takes_the_next_free_number_and_release_gives_it_back(press: Press) -> None:
    assert press.isbn("reserve").code == 2
    assert press.isbn("reserve", "--reason", " ").code == 2
    first = press.isbn("reserve", "--block", BLOCK, "--reason", "the boxed set", "--notes", "blue", "--json").json
    assert (
        first["assignment"] | {"status": "reserved", "reason": "the boxed set", "notes": "blue"} == first["assignment"]
    )
    assert press.schedule("The River", "B-1", "2027-03-01", "paperback", "--json").json["assignment"]["isbn"] == SECOND
    assert press.isbn("reserve", THIRD, "--reason", "a certain one").code == 0
    assert press.isbn("release", FIRST, "--reason", "dropped").code == 0
    assert press.statuses() == {FIRST: "available", SECOND: "scheduled", THIRD: "reserved"}
    assert press.schedule("The Sea", "B-2", "2027-03-01", "paperback", "--json").json["assignment"]["isbn"] == FIRST


def test_update_changes_all_that_is_given_or_nothing_and_an_empty_text_clears(press: Press) -> None:
    press.schedule("The River", "B-1", "2027-03-01", "paperback", "--notes", "old")
    before = press.isbns.read_bytes()
    wrong = press.isbn("update", FIRST, "--priority", "7", "--date", "31/02/2027", "--book-format", "scroll", "--json")
    assert wrong.code == 2
    assert len(wrong.json["error"]["findings"]) == 3
    assert press.isbns.read_bytes() == before
    done = press.isbn("update", FIRST, "--title", "Rivers", "--priority", "1", "--notes", "", "--reason", "the fair")
    assert done.code == 0
    assert "title: The River -> Rivers" in done.out
    (row,) = press.sheet()
    assert (row["Title"], row["Priority"], row["Notes"]) == ("Rivers", 1, None)
    changed = [row for row in press.sheet("ISBN History") if row["What"] == "update"]
    assert {row["Field"] for row in changed} == {"title", "priority", "notes"}
    assert {row["Reason"] for row in changed} == {"the fair"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("assign", SECOND), "available"),
        (("assign", "978-1-4028-9462-6"), "no block"),
        (("publish", FIRST), "scheduled"),
        (("cancel", FIRST, "--reason", "x"), "Allowed"),
        (("show", SECOND), SECOND),
    ],
)
def test_what_the_rules_do_not_allow_is_exit_code_1_and_changes_nothing(
    press: Press, arguments: tuple[str, ...], words: str
) -> None:
    press.schedule("The River", "B-1")
    before = press.isbns.read_bytes()
    refused = press.isbn(*arguments)
    assert refused.code == 1
    assert words in refused.err
    assert refused.out == ""
    assert press.isbns.read_bytes() == before


@pytest.mark.parametrize(
    ("isbn", "words"),
    [
        ("978-1-60888-000-4", "check digit"),
        ("979-0-2600-0043-8", "979-0"),
        ("9.78E+12", "digits"),
        ("97816088800", "digits"),
    ],
)
def test_a_wrong_isbn_is_exit_code_2_with_the_reason(press: Press, isbn: str, words: str) -> None:
    refused = press.isbn("assign", isbn, "--json")
    assert refused.code == 2
    assert words in refused.json["error"]["what"]


def test_an_isbn_10_is_the_same_number(press: Press) -> None:
    press.schedule("The River", "B-1")
    assert press.isbn("assign", "1-60888-000-1").code == 0
    assert press.statuses() == {FIRST: "assigned"}


def test_every_wrong_option_of_schedule_is_named_in_one_pass(press: Press) -> None:
    refused = press.schedule(" ", "B-1", "03/04/2027", "scroll", "--priority", "9", "--isbn", "978-1-60888-000-4")
    assert refused.code == 2
    for option in ("--title", "--date", "--book-format", "--priority", "--isbn"):
        assert f"  {option}: " in refused.err, option
    assert press.sheet() == []


def test_no_number_left_is_exit_code_1_with_the_shortage(tmp_path: Path) -> None:
    press = new_press(tmp_path / "press", block=None)
    assert (
        press.isbn("add-block", "--prefix", "978", "--publisher-code", "1-60888", "--start", "7", "--end", "7").code
        == 0
    )
    assert press.schedule("One", "B-1").code == 0
    refused = press.schedule("Two", "B-2", "2027-03-01", "paperback", "--json")
    assert refused.code == 1
    assert "1" in refused.json["error"]["what"]
    assert len(press.sheet()) == 1


def test_a_block_that_overlaps_another_is_entered_with_a_warning_and_a_bad_one_with_all_reasons_refused(
    press: Press,
) -> None:
    again = press.isbn("add-block", "--prefix", "978", "--publisher-code", "1-60888", "--start", "0", "--end", "9")
    assert again.code == 0
    assert "overlap" in again.err
    bad = press.isbn("add-block", "--prefix", "977", "--publisher-code", "x", "--start", "9", "--end", "1", "--json")
    assert bad.code == 2
    assert len(bad.json["error"]["findings"]) >= 2
    assert len(press.isbn("blocks", "--json").json["blocks"]) == 2


def test_blocks_are_counted_from_the_rows(press: Press) -> None:
    press.schedule("The River", "B-1")
    press.isbn("reserve", "--reason", "kept")
    (block,) = press.isbn("blocks", "--json").json["blocks"]
    figures = ("total", "used", "reserved", "available", "utilisation")
    assert [block[name] for name in figures] == [1000, 2, 1, 998, 0.002]
    assert "0.2%" in press.isbn("blocks").out
    (line,) = rows_of(press.isbn("blocks", "--format", "csv").out)
    assert (line["block"], line["used"], line["utilisation"]) == (BLOCK, "2", "0.002")


def test_list_search_and_upcoming_find_numbers_in_table_json_and_csv(press: Press) -> None:
    press.schedule("=River", "B-1", "2020-03-01", "paperback", "--imprint", "Harbour")
    press.schedule("The Sea", "B-2", "2027-04-01", "ebook")
    listed = press.isbn("list", "--status", "scheduled", "--from", "2027-01-01", "--until", "2027-12-31", "--json").json
    assert [one["title"] for one in listed["assignments"]] == ["The Sea"]
    assert (listed["unsound"], listed["error"]) == (0, None)
    lines = rows_of(press.isbn("list", "--imprint", "Harbour", "--format", "csv").out)
    assert [(line["isbn"], line["title"], line["scheduled_date"]) for line in lines] == [
        (FIRST, "'=River", "2020-03-01")
    ]
    table = press.isbn("list", "--sort", "-scheduled_date").out.splitlines()
    assert [line.split()[0] for line in table] == ["ISBN", SECOND, FIRST]
    assert FIRST in press.isbn("search", "RIVER").out
    assert [one["isbn"] for one in press.isbn("search", "8880010", "--json").json["assignments"]] == [SECOND]
    assert "Nothing has" in press.isbn("search", "nobody").out
    assert [one["isbn"] for one in press.isbn("upcoming", "--days", "0", "--json").json["assignments"]] == [FIRST]
    assert press.isbn("list", "--status", "lost").code == 2
    assert press.isbn("list", "--from", "03/04/2027").code == 2


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(press: Press) -> None:
    before, runs = press.isbns.read_bytes(), press.called("runs", "list", "--json").json["runs"]
    tried = press.schedule("The River", "B-1", "2027-03-01", "paperback", "--dry-run")
    assert tried.code == 0
    assert tried.out.startswith(f"would be done: scheduled {FIRST}")
    assert "nothing was written" in tried.out
    shown = press.isbn("reserve", "--reason", "r", "--dry-run", "--json").json
    assert (shown["dry_run"], shown["run_id"]) == (True, None)
    assert press.isbns.read_bytes() == before
    assert press.called("runs", "list", "--json").json["runs"] == runs


def test_a_command_is_a_run_that_can_be_taken_back(press: Press) -> None:
    made = press.schedule("The River", "B-1", "2027-03-01", "paperback", "--json", "--user", "ann").json
    assert press.sheet("ISBN History")[-1]["Who"] == "ann"
    undone = press.called("runs", "undo", made["run_id"])
    assert undone.code == 0, undone.err
    assert press.sheet() == []
    assert len(press.sheet("ISBN History")) > 2
    assert press.schedule("The Sea", "B-2", "2027-03-01", "paperback", "--json").json["assignment"]["isbn"] == FIRST
    assert press.isbn("check").code == 0


def test_every_command_says_in_the_list_of_runs_what_it_did_to_which_number(press: Press) -> None:
    press.put("list.csv", f"isbn,title,status\n{THIRD},The Hill,assigned\n")
    river = f"{FIRST} (The River)"
    told = [
        (("schedule", "--title", "The River", "--book-id", "B-1", "--date", "2027-03-01", "--book-format", "ebook"),
         river, "record: 1 new"),
        (("update", FIRST, "--title", "The Rivers"), f"{FIRST} (The Rivers)", "record: 1 changed"),
        (("update", FIRST, "--title", "The River", "--reason", "a slip"), f"{river}; a slip", "record: 1 changed"),
        (("release", FIRST), river, "record: 1 changed"),
        (("reserve", FIRST, "--reason", "kept"), f"{FIRST}; kept", "record: 1 changed"),
        (("release", FIRST), FIRST, "record: 1 changed"),
        (("schedule", "--title", "The Sea", "--book-id", "B-2", "--date", "2027-03-01", "--book-format", "ebook"),
         f"{FIRST} (The Sea)", "record: 1 changed"),
        (("assign", FIRST), f"{FIRST} (The Sea)", "record: 1 changed"),
        (("publish", FIRST), f"{FIRST} (The Sea)", "record: 1 changed"),
        (("cancel", FIRST, "--reason", "dropped"), f"{FIRST} (The Sea); dropped", "record: 1 changed"),
        (("adopt", "list.csv"), f"{THIRD} (The Hill); list.csv", "record: 1 new"),
        (("add-block", "978-1-60889", "--imprint", "Harbour"), "978-1-60889 (Harbour)", "record: 1 new"),
    ]  # fmt: skip
    for arguments, note, did in told:
        done = press.isbn(*arguments)
        assert done.code == 0, done.err
        newest = press.called("runs", "list", "--json").json["runs"][0]
        assert (newest["kind"], newest["note"]) == ("command", note)
        line = press.called("runs", "list", "--limit", "1").out.splitlines()[1]
        assert line.endswith(f"{did}  {note}"), line
        assert f"did: {did}" in press.called("runs", "show", newest["run_id"]).out


def test_an_undo_names_the_numbers_and_what_they_went_back_to(press: Press) -> None:
    press.schedule("The River", "B-1")
    made = press.isbn("assign", FIRST, "--json").json["run_id"]
    undone = press.called("runs", "undo", made)
    assert undone.code == 0, undone.err
    assert f"run {made} undone: 1 record is as before (recorded as run " in undone.out
    assert "records that were taken back: 1" in undone.out
    assert f"  {FIRST} (The River) in ISBN Assignments: Status 'assigned' -> 'scheduled', Assigned At '" in undone.out
    assert undone.out.rstrip().endswith("' -> nothing")
    line = press.called("runs", "list", "--limit", "1").out.splitlines()[1]
    assert f"record: 1 changed  undoes run {made}" in line

    first = press.called("runs", "list", "--json").json["runs"][-2]["run_id"]
    told = press.called("runs", "undo", first, "--json").json
    (one,) = told["records"]
    assert (one["sheet"], one["key"], one["did"]) == ("ISBN Assignments", FIRST, "taken out")
    assert {"column": "Title", "before": "The River", "after": None} in one["columns"]
    again = press.called("runs", "undo", first)
    assert again.out.splitlines() == [
        f"run {first} was undone already by run {told['undo_run']}",
        f"run {first}: nothing was changed; 1 record is as before already",
    ]


def test_rows_that_a_person_broke_are_left_out_with_a_warning_named_by_check_and_nothing_is_given_on_them(
    press: Press,
) -> None:
    press.schedule("The River", "B-1")
    press.schedule("The Sea", "B-2")
    press.typed("ISBN Assignments", 2, "Status", "lost")
    listed = press.isbn("list")
    assert (listed.code, SECOND in listed.out, FIRST in listed.out) == (0, True, False)
    assert "1 row breaks a rule and is not listed; `batchbook isbn check` names each" in listed.err
    checked = press.isbn("check", "--json")
    assert checked.code == 3
    found = checked.json["findings"][0]
    place = (found["sheet"], found["row"], found["column"], found["value"])
    assert place == ("ISBN Assignments", 2, "B (Status)", "lost")
    assert "lost" in press.isbn("check").out
    assert [line["level"] for line in rows_of(press.isbn("check", "--format", "csv").out)][:1] == ["error"]
    refused = press.schedule("The Hill", "B-3")
    assert refused.code == 2
    assert "row 2" in refused.err
    assert press.isbn("assign", SECOND).code == 0


def test_the_report_has_figures_in_three_formats_and_a_workbook_that_is_not_replaced_once_somebody_saved_it(
    press: Press,
) -> None:
    press.schedule("The River", "B-1")
    shown = press.isbn("report", "--json").json
    assert shown["by_status"]["scheduled"] == 1
    assert shown["error"] is None
    assert "2026" in shown["ranges_date"]
    table = press.isbn("report").out
    assert "scheduled" in table
    assert BLOCK in table
    lines = rows_of(press.isbn("report", "--format", "csv").out)
    assert {"part": "by_status", "name": "scheduled", "figure": "numbers", "value": "1"} in lines
    written = press.isbn("report", "--to", "report.xlsx")
    assert written.code == 0, written.err
    with zipfile.ZipFile(press.path / "report.xlsx") as archive:
        assert [name for name in archive.namelist() if name.startswith("xl/charts/")]
    assert press.isbn("report", "--to", "report.xlsx").code == 0
    book = openpyxl.load_workbook(press.path / "report.xlsx")
    book.properties.lastModifiedBy = "Ann"
    book.save(press.path / "report.xlsx")
    assert press.isbn("report", "--to", "report.xlsx").code == 2
    assert press.isbn("report", "--to", "data/isbn.xlsx").code == 2


def test_an_agencys_list_is_taken_over_in_one_save(press: Press) -> None:
    press.put(
        "agency.csv",
        "ISBN;Title;Format;Status\n"
        f"{FIRST};The River;paperback;published\n"
        "978-3-16-148410-0;Der Fluss;hardcover;assigned\n"
        "978-1-60888-001-1;Wrong;ebook;assigned\n"
        f"{THIRD};;;available\n",
    )
    refused = press.isbn("adopt", "agency.csv", "--dry-run", "--json").json
    assert (refused["rejected"], refused["blocks"]) == (2, [])
    assert "978-3-16, with 1,000,000 numbers" in refused["rejections"][0]
    named = press.isbn("adopt", "agency.csv", "--dry-run", "--new-blocks").err
    assert "new block 978-3-16 with 1,000,000 numbers, 978-3-16-000000-4 to 978-3-16-999999-6; rows" in named
    tried = press.isbn("adopt", "agency.csv", "--new-blocks", "--dry-run", "--json")
    assert press.sheet() == []
    done = press.isbn("adopt", "agency.csv", "--new-blocks", "--json")
    (new,) = done.json["new_blocks"]
    assert (new["block"], new["total"], new["rows"]) == ("978-3-16", 1_000_000, 1)
    assert (tried.code, done.code) == (3, 3), done.err
    counts = [done.json[name] for name in ("rows", "done", "unchanged", "rejected")]
    assert counts[0] == sum(counts[1:]) == 4
    assert counts[3] == 1
    assert "row 4" in done.json["rejections"][0]
    assert press.by_book()[(None, "paperback")] == FIRST
    assert press.statuses()["978-3-16-148410-0"] == "assigned"
    again = press.isbn("adopt", "agency.csv", "--json").json
    assert (again["done"], again["run_id"]) == (0, None)
    assert press.isbn("check").code == 0


def test_a_workbook_that_is_open_is_exit_code_4_one_that_is_damaged_5(press: Press) -> None:
    owner = press.isbns.with_name(".~lock.isbn.xlsx#")
    owner.write_text(f",ann,{os.uname().nodename},22.11.2026 10:00,file:///x;")
    assert press.schedule("The River", "B-1").code == 4
    assert press.isbn("list").code == 0
    owner.unlink()
    content = press.isbns.read_bytes()
    press.isbns.write_bytes(content[: len(content) // 2])
    for arguments in (("list",), ("assign", FIRST), ("check",), ("blocks",)):
        called = press.isbn(*arguments, "--json")
        assert called.code == 5, arguments
        assert called.json["error"]["code"] == "workbook-damaged"


def test_a_sheet_or_header_that_is_missing_is_exit_code_2_and_named(press: Press) -> None:
    book = openpyxl.load_workbook(press.isbns)
    book["ISBN Assignments"]["A1"] = "Number"
    book.save(press.isbns)
    called = press.isbn("list", "--json")
    assert called.code == 2
    assert any("ISBN Assignments" in one for one in called.json["error"]["findings"])


def test_own_formats_and_the_order_of_dates_come_from_the_configuration(tmp_path: Path) -> None:
    press = new_press(tmp_path / "press", configuration="isbn: {formats: [scroll], date_order: dmy}\n")
    done = press.schedule("The River", "B-1", "03/04/2027", "scroll", "--json").json
    assert done["assignment"]["scheduled_date"] == "2027-04-03"
    wrong = new_press(tmp_path / "wrong", block=None)
    (wrong.path / "config" / "batchbook.yaml").write_text("workbooks: {isbn: data/isbn.xlsx}\nisbn: {format: [x]}\n")
    refused = wrong.isbn("list", "--json")
    assert refused.code == 2
    assert "format" in refused.json["error"]["findings"][0]


def test_a_workbook_can_be_named_where_there_is_no_configuration(tmp_path: Path) -> None:
    press = Press(tmp_path)
    assert press.isbn("new", "book.xlsx").code == 0
    assert press.isbn("add-block", BLOCK, "--workbook", "book.xlsx").code == 0
    assert press.isbn("blocks", "-w", "book.xlsx", "--json").json["blocks"][0]["total"] == 1000


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
@pytest.mark.parametrize("name", ["empty", "missing.xlsx", "half.xlsx", "folder"])
def test_a_list_that_cannot_be_read_is_named_and_not_taken_for_the_workbook(
    press: Press, name: str, dry: tuple[str, ...]
) -> None:
    press.put("empty", b"")
    press.put("half.xlsx", press.isbns.read_bytes()[:3000])
    (press.path / "folder").mkdir()
    before = press.isbns.read_bytes()
    done = press.isbn("adopt", name, *dry, "--json")
    assert (done.code, name in done.json["error"]["what"]) == (2, True), done.err
    assert "backups restore" not in done.json["error"]["advice"]
    assert press.isbns.read_bytes() == before
