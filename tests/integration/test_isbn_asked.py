"""What `batchbook isbn` answers about numbers, and what it says to what cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import openpyxl
import pytest

from tests.integration.press import FIRST, SECOND, Press, new_press


@pytest.fixture
def press(tmp_path: Path) -> Press:
    return new_press(tmp_path / "press")


def row_deleted(press: Press, row: int = 2) -> None:
    book = openpyxl.load_workbook(press.isbns)
    book["ISBN Assignments"].delete_rows(row)
    book.save(press.isbns)


def test_a_number_whose_row_was_deleted_is_shown_as_lost_with_its_history(press: Press) -> None:
    press.schedule("The River", "R1")
    press.schedule("The Sea", "S1")
    row_deleted(press)
    shown = press.isbn("show", FIRST)
    assert shown.code == 0
    assert "standing: lost" in shown.out and "runs reapply" in shown.out and "can become: nothing else" in shown.out
    assert "schedule" in shown.out.partition("can become")[2], "the history"
    found = json.loads(press.isbn("show", FIRST, "--json").out)
    assert (found["isbn"], found["assignment"], found["lost"], found["steps"]) == (FIRST, None, True, [])
    assert [entry["after"] for entry in found["history"]] == ["978-1-60888", "scheduled"]
    checked = press.isbn("check").out
    assert "runs reapply" in checked and "backups list" in checked


@pytest.mark.parametrize(
    "words", [("release", FIRST), ("assign", FIRST), ("update", FIRST, "--notes", "x"), ("publish", FIRST)]
)
def test_no_step_says_of_a_lost_number_that_it_was_never_scheduled(press: Press, words: tuple[str, ...]) -> None:
    press.schedule("The River", "R1")
    press.schedule("The Sea", "S1")
    row_deleted(press)
    refused = press.isbn(*words)
    assert refused.code == 1
    assert "was given once (it was scheduled), and its row is not in" in refused.err
    assert "never" not in refused.err


def test_a_number_whose_scheduling_was_undone_is_shown_as_free_with_its_history(press: Press) -> None:
    run = json.loads(press.schedule("The River", "R1", "2027-03-01", "paperback", "--json").out)["run_id"]
    assert press.called("runs", "undo", run).code == 0
    shown = press.isbn("show", FIRST)
    assert shown.code == 0
    assert "standing: free" in shown.out and "can become: reserved, scheduled" in shown.out
    assert "undo" in shown.out.partition("can become")[2]
    refused = press.isbn("release", FIRST)
    assert refused.code == 1 and "was given back, and is free" in refused.err


def test_a_number_of_which_nothing_is_known_is_unknown(press: Press) -> None:
    refused = press.isbn("show", SECOND)
    assert refused.code == 1 and "was never scheduled or reserved" in refused.err


@pytest.mark.parametrize(
    "field", ["Title", "title", "TITLE", "scheduled date", "Scheduled_Date", "Book ID", "priority"]
)
def test_a_list_is_sorted_by_headers_and_names_in_any_case(press: Press, field: str) -> None:
    press.schedule("A", "A1", "2027-03-02", "paperback", "--priority", "1")
    press.schedule("B", "B1", "2027-03-03", "paperback", "--priority", "2")
    for sign, wanted in (("", ["A1", "B1"]), ("-", ["B1", "A1"])):
        found = json.loads(press.isbn("list", f"--sort={sign}{field}", "--json").out)
        assert [row["book_id"] for row in found["assignments"]] == wanted


def test_an_unknown_field_is_refused_with_the_fields_before_anything_is_printed(press: Press) -> None:
    press.schedule("A", "A1")
    refused = press.isbn("list", "--sort", "-titel", "--json")
    assert refused.code == 2
    error = json.loads(refused.out)["error"]
    assert error["code"] == "isbn-values" and "did you mean 'title'" in error["findings"][0]
    assert "scheduled_date" in error["findings"][0]
    assert "scheduled_date" in press.isbn("list", "--help").out


def test_a_number_whose_row_breaks_a_rule_is_not_counted_as_available(press: Press) -> None:
    press.schedule("A", "A1")
    press.schedule("B", "B1")
    press.typed("ISBN Assignments", 2, "Status", "gone")
    listed = press.isbn("blocks", "--json")
    (block,) = json.loads(listed.out)["blocks"]
    figures = (block["total"], block["used"], block["available"], block["unsure"])
    assert figures == (1000, 1, 998, 1)
    assert "1 row breaks a rule and is counted as unsure, not as available" in press.isbn("blocks").err
    totals = json.loads(press.isbn("report", "--json").out)["totals"]
    assert (totals["available"], totals["unsure"]) == (998, 1)


def test_a_block_can_be_named_without_hyphens(press: Press) -> None:
    press.schedule("A", "A1")
    assert FIRST in press.isbn("list", "--block", "978160888").out
    assert press.isbn("reserve", "--block", "978160888", "--reason", "kept").code == 0
    refused = press.isbn("reserve", "--block", "978-1-6088", "--reason", "kept")
    assert refused.code == 1 and "There is no block 978-1-6088; did you mean '978-1-60888'?\n" in refused.err


def test_an_update_names_all_four_values_that_are_wrong(press: Press) -> None:
    press.schedule("A", "A1")
    wrong = ("--date", "31/02/2027", "--priority", "9", "--book-format", "foo", "--title", "")
    refused = press.isbn("update", FIRST, *wrong)
    assert refused.code == 2 and "4 values are wrong" in refused.err
    columns = [line.split(":")[0] for line in refused.err.splitlines() if line.startswith("  column")]
    assert sorted(columns) == ["  column Format", "  column Priority", "  column Scheduled Date", "  column Title"]


def test_the_format_of_a_books_number_is_not_cleared(press: Press) -> None:
    press.schedule("A", "A1")
    refused = press.isbn("update", FIRST, "--book-format", "")
    assert refused.code == 2 and "column Format: cannot be cleared: it says whose number this is" in refused.err


def test_an_update_that_changes_nothing_says_unchanged(press: Press) -> None:
    press.schedule("A", "A1")
    called = press.isbn("update", FIRST, "--title", "A")
    assert (called.code, called.out) == (0, f"unchanged: {FIRST} (A)\n")


@pytest.mark.parametrize(
    ("given", "meant"),
    [("hardback", "hardcover"), ("softcover", "paperback"), ("e-book", "ebook"), ("Audio", "audiobook")],
)
def test_a_synonym_of_a_format_is_refused_with_the_format_that_is_meant(press: Press, given: str, meant: str) -> None:
    refused = press.schedule("A", "A1", "2027-03-01", given)
    assert refused.code == 2 and f"did you mean {meant!r}? Allowed: paperback" in refused.err


def test_messages_name_what_helps_and_say_nothing_twice(press: Press) -> None:
    refused = press.isbn("show", "123")
    assert refused.err.count("3 digits") == 1
    refused = press.schedule("A", "A1", "03/04/2027")
    assert "isbn: {date_order: dmy}" in refused.err
    assert "isbn: {date_order: dmy}" in press.isbn("list", "--from", "03/04/2027").err
    press.schedule("A", "A1")
    refused = press.schedule("B", "A1")
    assert refused.code == 1 and "--update" in refused.err
    block = ("add-block", "--prefix", "978", "--publisher-code", "3-947619")
    refused = press.isbn(*block, "--start", "978-3-947619-00-0")
    assert refused.code == 2 and "check digit" in refused.err and "publication numbers such as 0 and 49" in refused.err


def test_one_of_something_is_not_many(press: Press) -> None:
    press.put("list.csv", "isbn,title,status\n978-1-60888-005-8,Moon,in use\n")
    adopted = press.isbn("adopt", "list.csv")
    assert adopted.code == 0, adopted.err
    assert "adopted: 1 of 1 row of list.csv (0 unchanged, 0 rejected); 0 new blocks" in adopted.out
    press.typed("ISBN Assignments", 2, "Block", None)
    assert press.isbn("check").out.endswith("sound, 1 warning\n")


def test_a_date_in_the_past_and_an_imprint_without_numbers_are_warned_of(press: Press) -> None:
    assert press.isbn("add-block", "978-3-947619", "--imprint", "Night", "--start", "0", "--end", "0").code == 0
    first = press.schedule("A", "A1", "2027-03-01", "ebook", "--imprint", "Night")
    assert first.code == 0 and first.err == ""
    second = press.schedule("B", "B1", "2020-01-01", "ebook", "--imprint", "Night")
    assert second.code == 0
    assert "no number is left in the blocks of the imprint Night (978-3-947619:00-00)" in second.err
    assert "2020-01-01 is in the past" in second.err
    moved = press.isbn("update", FIRST, "--date", "2020-01-02", "--json")
    assert "2020-01-02 is in the past" in json.loads(moved.out)["warnings"][0]
    listed = press.isbn("upcoming").out.splitlines()
    assert listed[0].split()[0] == "due" and listed[1].split()[0] == "overdue"


def test_every_verb_says_what_it_does_within_one_line(press: Press) -> None:
    assert "..." not in press.isbn("--help").out.partition("Commands:")[2]


def test_a_new_workbook_gets_its_folder_and_reports_that_there_is_no_block(press: Press) -> None:
    assert press.isbn("new", "more/books/isbn.xlsx").code == 0
    said = press.isbn("report", "--workbook", "more/books/isbn.xlsx").out
    assert "lasting until" not in said and "There is no block yet." in said


def test_months_between_others_are_in_the_report(press: Press) -> None:
    press.schedule("A", "A1", "2026-11-30")
    press.schedule("B", "B1", "2027-02-01")
    months = json.loads(press.isbn("report", "--json").out)["by_month"]
    assert list(months) == ["2026-11", "2026-12", "2027-01", "2027-02"]
    assert months["2027-01"] == {}


def test_the_check_of_a_workbook_names_the_check_of_its_isbns(press: Press) -> None:
    assert "its contents: batchbook isbn check --workbook data/isbn.xlsx" in press.called("check", "data/isbn.xlsx").out
    openpyxl.Workbook().save(press.path / "other.xlsx")
    assert "isbn check" not in press.called("check", "other.xlsx").out


def test_headers_over_numbers_stand_at_the_right_in_the_report(press: Press) -> None:
    press.schedule("A", "A1")
    assert press.isbn("report", "--to", "report.xlsx").code == 0
    page = openpyxl.load_workbook(press.path / "report.xlsx")["Blocks"]
    sides = {cell.value: cell.alignment.horizontal for cell in page[1]}
    assert sides["Total"] == sides["Unsure"] == "right" and sides["Block"] is None


def test_a_report_writes_the_numbers_of_blocks_as_the_list_of_blocks_does(press: Press) -> None:
    listed = json.loads(press.isbn("blocks", "--json").out)["blocks"]
    reported = json.loads(press.isbn("report", "--json").out)["blocks"]
    assert [one["first"] for one in reported] == [one["first"] for one in listed] == [FIRST]
    assert reported == listed


def test_an_empty_list_says_why_it_is_empty(press: Press) -> None:
    assert "No number has a row yet" in press.isbn("list").out
    press.schedule("The River", "R1")
    assert press.isbn("list", "--imprint", "Nobody").out == "No number is like that.\n"


def test_a_list_from_a_day_after_its_end_is_refused(press: Press) -> None:
    refused = press.isbn("list", "--from", "2027-03-01", "--until", "2027-02-01")
    assert refused.code == 2 and "--from 2027-03-01 is later than --until 2027-02-01" in refused.err
    assert press.isbn("list", "--from", "2027-03-01", "--until", "2027-03-01").code == 0


def test_options_and_formats_that_are_wrong_are_called_what_they_are(press: Press) -> None:
    assert "Value error" not in press.isbn("list", "--format", "xml").err
    refused = press.schedule("The River", "R1", "31/02/2027")
    assert "  --date: is no day" in refused.err and "column --date" not in refused.err


def test_to_release_an_assigned_number_is_not_advised(press: Press) -> None:
    press.schedule("The River", "R1")
    kept = press.schedule("The Sea", "S1", "2027-03-01", "ebook", "--isbn", FIRST)
    assert "or release that number first" in kept.err
    assert press.isbn("assign", FIRST).code == 0
    kept = press.schedule("The Sea", "S1", "2027-03-01", "ebook", "--isbn", FIRST)
    assert kept.code == 1 and "next free one" in kept.err and "release" not in kept.err


def test_the_check_that_names_every_wrong_row_is_named_as_it_is_typed(press: Press) -> None:
    press.schedule("The River", "R1")
    book = openpyxl.load_workbook(press.isbns)
    book["ISBN Assignments"]["B2"] = "nonsense"
    book.save(press.isbns)
    assert "`batchbook isbn check` names all of them" in press.isbn("reserve", "--reason", "r").err


def test_a_text_that_was_read_in_another_encoding_is_imported_with_a_warning_and_named_by_check(press: Press) -> None:
    rows = "title,book_id,scheduled_date,format\nFlÃ¼sse,F-1,2027-01-01,ebook\nFlüsse,F-2,2027-01-01,ebook\n"
    (press.path / "rows.csv").write_text(rows, "utf-8")
    done = press.isbn("bulk", "rows.csv")
    assert done.code == 0 and "rule misread" in done.err and "'Flüsse'" in done.err
    checked = press.isbn("check", "--json")
    (found,) = json.loads(checked.out)["findings"]
    assert (checked.code, found["rule"], found["column"], found["value"]) == (0, "misread", "C (Title)", "FlÃ¼sse")


def test_a_dry_run_of_an_import_has_a_line_for_each_number(press: Press) -> None:
    rows = "title,book_id,scheduled_date,format\nA,F-1,2027-01-01,ebook\nB,F-2,2027-01-02,ebook\n"
    (press.path / "rows.csv").write_text(rows)
    told = [line for line in press.isbn("bulk", "rows.csv", "--dry-run").out.splitlines() if line.startswith("would")]
    assert len(told) == 3
    assert told[0].startswith(f"would enter ISBN Assignments row 2 [{FIRST}] ISBN '{FIRST}', Status 'scheduled'")
    assert told[2] == "would add 2 rows to ISBN History"
