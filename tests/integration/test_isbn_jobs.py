"""`batchbook isbn bulk` and `assign-due`: messy files, killed runs, job files, what is left to read afterwards."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from batchbook.batch.processors import RowResult
from batchbook.cli.starter import samples_folder
from batchbook.isbn.jobs import BulkImport
from batchbook.tables.row import Row
from tests.integration.press import FIRST, SECOND, THIRD, Press, new_press

HEADER = "title,book_id,scheduled_date,imprint,publisher,format,priority,notes,isbn"


@pytest.fixture
def press(tmp_path: Path) -> Press:
    return new_press(tmp_path / "press")


def rejected(press: Press, result: dict[str, Any]) -> dict[int, str]:
    """By row of the input: the reason in the file of rejected rows."""
    text = Path(result["rejected_rows"]).read_bytes().decode("utf-8-sig")
    delimiter = ";" if text.splitlines()[0].endswith(";Rejected Because") else ","
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    return {int(row["Input Row"]): row["Rejected Because"] for row in rows}


def whole(result: dict[str, Any]) -> bool:
    rows = result["rows"]
    return bool(rows["selected"] == sum(count for name, count in rows.items() if name != "selected"))


def test_numbers_are_given_by_date_then_priority_then_the_files_order(press: Press) -> None:
    press.put(
        "rows.csv",
        f"{HEADER}\n"
        "Late,B-1,2027-05-01,,,paperback,1,,\n"
        "Second,B-2,2027-01-01,,,paperback,,,\n"
        "Third,B-3,2027-01-01,,,paperback,2,,\n"
        "First,B-4,2027-01-01,,,paperback,1,,\n",
    )
    done = press.isbn("bulk", "rows.csv", "--json")
    assert done.code == 0, done.err
    assert done.json["rows"]["done"] == 4
    given = press.by_book()
    order = sorted(given, key=given.__getitem__)
    assert [book for book, _ in order] == ["B-4", "B-2", "B-3", "B-1"]
    assert [row["What"] for row in press.sheet("ISBN History")][-4:] == ["bulk"] * 4


def test_a_number_that_a_row_asks_for_is_given_to_no_earlier_row(press: Press) -> None:
    press.put(
        "rows.csv",
        f"{HEADER}\nSoon,B-1,2027-01-01,,,paperback,1,,\nNext,B-2,2027-01-02,,,paperback,1,,\n"
        f"Own,B-3,2028-01-01,,,paperback,3,,{FIRST}\n",
    )
    done = press.isbn("bulk", "rows.csv", "--json")
    assert (done.code, done.json["rows"]["done"]) == (0, 3), done.err
    assert [press.by_book()[f"B-{n}", "paperback"] for n in (3, 1, 2)] == [FIRST, SECOND, THIRD]


def test_the_same_file_again_changes_nothing(press: Press) -> None:
    press.put("rows.csv", f"{HEADER}\nRiver,B-1,2027-05-01,,,paperback,1,,\nSea,B-2,2027-05-01,,,ebook,,,\n")
    assert press.isbn("bulk", "rows.csv").code == 0
    before = press.isbns.read_bytes()
    again = press.isbn("bulk", "rows.csv", "--json").json
    assert (again["rows"]["unchanged"], again["rows"]["done"]) == (2, 0)
    assert press.isbns.read_bytes() == before


MESSY = (
    "\ufeffTitle;Book_ID;Scheduled-Date;Format;Priority;Imprint;ISBN;Our own\r\n"
    "Blank priority;B-1;2027-03-01;paperback;;Harbour;;x\r\n"  # row 2
    "No such day;B-2;31/02/2027;paperback;9;;;\r\n"
    "Two ways;B-3;03/04/2026;ebook;1;;;\r\n"
    ";B-4;2027-05-05;scroll;;;;\r\n"
    "Twice;B-5;2027-04-01;paperback;2;;;\r\n"  # row 6
    "Twice;B-5;2027-04-01;paperback;2;;;\r\n"
    "Otherwise;B-5;2027-06-01;paperback;2;;;\r\n"
    "Wrong number;B-6;2027-04-01;paperback;2;;978-1-60888-900-1;\r\n"
    "Digits lost;B-7;2027-04-01;paperback;2;;9.78E+12;\r\n"  # row 10
    "Music;B-8;2027-04-01;paperback;2;;979-0-2600-0043-8;\r\n"
    "Elsewhere;B-9;2027-04-01;paperback;2;;978-3-16-148410-0;\r\n"
    '"=HYPERLINK(""x"")";B-10;1.4.2027;ebook;3;;;\r\n'
    f"Long;B-11;2027-04-01;paperback;2;{'x' * 1_000_000};;\r\n"  # row 14
    "Last;B-12;2027-04-01;ebook;2;;;\r\n"
)


def test_every_bad_row_is_told_with_column_value_and_rule_in_one_pass_and_every_good_one_is_scheduled(
    press: Press,
) -> None:
    press.put("messy.csv", MESSY)
    done = press.isbn("bulk", "messy.csv", "--json")
    assert done.code == 3, done.err
    assert whole(done.json)
    reasons = rejected(press, done.json)
    wanted = {
        3: ("Scheduled Date", "31/02/2027", "Priority", "'9'"),
        4: ("03/04/2026", "2026-04-03", "2026-03-04"),
        5: ("Title", "blank", "Format", "'scroll'", "paperback"),
        8: ("B-5",),
        9: ("ISBN", "check digit", "978-1-60888-900-1"),
        10: ("9.78E+12", "digits"),
        11: ("979-0", "music"),
        12: ("978-3-16-148410-0", "block"),
        14: ("Imprint", "1,000,000", "length"),
    }
    for row, words in wanted.items():
        for word in words:
            assert word.lower() in reasons[row].lower(), (row, word, reasons[row])
    # 13: one reading only, for no year begins with its day.
    assert set(reasons) - {13} == set(wanted)
    assert max(map(len, reasons.values())) < 2000
    given = press.by_book()
    assert {book for book, _ in given} == {"B-1", "B-5", "B-12"} | ({"B-10"} - ({"B-10"} if 13 in reasons else set()))
    assert len(given) == len(set(given.values()))
    (first,) = (row for row in press.sheet() if row["Book ID"] == "B-1")
    assert (first["Title"], first["Priority"], first["Imprint"]) == ("Blank priority", 2, "Harbour")
    assert press.isbn("check").code == 0


def test_the_rejected_rows_once_mended_can_be_brought_in_as_they_are(press: Press) -> None:
    press.put("rows.csv", f"{HEADER}\nRiver,B-1,31/02/2027,,,paperback,1,,\nSea,B-2,2027-05-01,,,ebook,,,\n")
    first = press.isbn("bulk", "rows.csv", "--json").json
    path = Path(first["rejected_rows"])
    press.put("mended.csv", path.read_bytes().replace(b"31/02/2027", b"28/02/2027"))
    again = press.isbn("bulk", "mended.csv", "--json")
    assert (again.code, again.json["rows"]["done"]) == (0, 1), again.err
    assert {book for book, _ in press.by_book()} == {"B-1", "B-2"}


def test_the_rejected_rows_have_the_delimiter_of_the_input(press: Press) -> None:
    press.put("rows.csv", f"{HEADER}\nRiver,B-1,31/02/2027,,,ebook,1,,\n".replace(",", ";"))
    first = press.isbn("bulk", "rows.csv", "--json").json
    path = Path(first["rejected_rows"])
    assert path.read_text("utf-8-sig").startswith(f"{HEADER},Input Row,Rejected Because".replace(",", ";"))
    press.put("mended.csv", path.read_bytes().replace(b"31/02/2027", b"28/02/2027"))
    assert press.isbn("bulk", "mended.csv").code == 0


def test_the_rejected_rows_of_a_workbook_with_a_title_above_its_headers_can_be_brought_in(press: Press) -> None:
    book = openpyxl.Workbook()
    page = book.worksheets[0]
    for line in (["Spring list"], [], ["Title", "Book ID", "Scheduled Date", "Our own", "Format"]):
        page.append(line)
    page.append(["River", "B-1", "31/02/2027", "x", "ebook"])
    book.save(press.path / "rows.xlsx")
    first = press.isbn("bulk", "rows.xlsx", "--json").json
    path = Path(first["rejected_rows"])
    (row,) = csv.DictReader(io.StringIO(path.read_text("utf-8-sig"), newline=""))
    assert [row[name] for name in ("Title", "Book ID", "Our own", "Format")] == ["River", "B-1", "x", "ebook"]
    press.put("mended.csv", path.read_bytes().replace(b"31/02/2027", b"28/02/2027"))
    assert press.isbn("bulk", "mended.csv").code == 0
    assert press.by_book() == {("B-1", "ebook"): FIRST}


@pytest.mark.parametrize("content", ["csv", "cut"])
@pytest.mark.parametrize("verb", ["bulk", "adopt"])
def test_an_input_that_is_no_workbook_is_exit_code_2_and_no_backup_is_offered(
    press: Press, content: str, verb: str
) -> None:
    press.schedule("River", "B-1")
    whole = press.isbns.read_bytes()
    press.put("wrong.xlsx", f"{HEADER}\nSea,B-2,2027-05-01,,,,,,\n" if content == "csv" else whole[: len(whole) // 2])
    refused = press.isbn(verb, "wrong.xlsx", "--json")
    assert refused.code == 2, refused.err
    assert "wrong.xlsx" in refused.json["error"]["what"]
    assert "backup" not in str(refused.json["error"])
    assert press.isbns.read_bytes() == whole


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-8-sig"])
def test_another_encoding_is_never_read_as_other_letters(press: Press, encoding: str) -> None:
    text = f"{HEADER}\nÜber Flüsse,B-1,2027-05-01,,,paperback,1,,\nSea,B-2,2027-05-01,,,ebook,,,\n"
    press.put("rows.csv", text.encode(encoding))
    done = press.isbn("bulk", "rows.csv", "--json")
    titles = {row["Title"] for row in press.sheet()}
    if encoding == "utf-8-sig":
        assert (done.code, titles) == (0, {"Über Flüsse", "Sea"})
    elif encoding == "utf-16":
        assert (done.code, titles) == (2, set())
        assert "UTF-16" in done.json["error"]["what"]
    else:
        assert (done.code, titles) == (2, set())
        assert "not in UTF-8" in done.json["error"]["what"]
        (finding,) = done.json["error"]["findings"]
        assert all(word in finding for word in ("rows.csv", "row 2", "column title", "0xDC"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "title"),
        ("name,book\nx,y\n", "scheduled_date"),
        ("title,book_id,scheduled_date,Title\nx,y,z,w\n", "2 columns"),
    ],
)
def test_a_file_without_the_columns_is_exit_code_2_and_nothing_is_begun(press: Press, content: str, words: str) -> None:
    press.put("rows.csv", content)
    before = press.isbns.read_bytes()
    refused = press.isbn("bulk", "rows.csv", "--json")
    assert refused.code == 2
    assert words.lower() in str(refused.json["error"]).lower()
    assert press.isbns.read_bytes() == before


def test_an_xlsx_file_brings_dates_and_numbers_as_cells(press: Press) -> None:
    book = openpyxl.Workbook()
    page = book.worksheets[0]
    page.append(["Spring list"])
    page.append(["Title", "Book ID", "Scheduled Date", "Format", "Priority", "ISBN"])
    page.append(["River", 1001, dt.date(2027, 3, 1), "paperback", 1.0, 9781608889006])
    page.append(["Sea", "B-2", dt.datetime(2027, 3, 2, 12, 30), "ebook", None, None])
    page.append(["Hill", "B-3", dt.date(2027, 3, 3), "ebook", "high", 1608880001])
    book.save(press.path / "rows.xlsx")
    done = press.isbn("bulk", "rows.xlsx", "--json")
    assert done.code == 3, done.err
    assert press.by_book() == {("1001", "paperback"): "978-1-60888-900-6"}
    reasons = rejected(press, done.json)
    assert "time of day" in reasons[4]
    assert "Priority" in reasons[5]


def test_rows_for_which_no_number_is_left_are_rejected_with_the_shortage_and_the_others_kept(tmp_path: Path) -> None:
    press = new_press(tmp_path / "press", block=None)
    press.isbn("add-block", "--prefix", "978", "--publisher-code", "1-60888", "--start", "0", "--end", "1")
    rows = "".join(f"T{n},B-{n},2027-01-{n:02},,,paperback,,,\n" for n in range(1, 5))
    press.put("rows.csv", f"{HEADER}\n{rows}")
    done = press.isbn("bulk", "rows.csv", "--json")
    assert done.code == 3
    assert (done.json["rows"]["done"], done.json["rows"]["rejected"]) == (2, 2)
    assert any("2 rows got no number" in remark for remark in done.json["remarks"])
    assert press.by_book() == {("B-1", "paperback"): FIRST, ("B-2", "paperback"): SECOND}


def test_an_unsound_workbook_is_exit_code_2_with_every_bad_row_and_nothing_is_given(press: Press) -> None:
    press.schedule("River", "B-1")
    press.schedule("Sea", "B-2")
    press.typed("ISBN Assignments", 2, "Status", "lost")
    press.typed("ISBN Assignments", 3, "Priority", 9)
    press.put("rows.csv", f"{HEADER}\nHill,B-3,2027-05-01,,,paperback,1,,\n")
    before = press.isbns.read_bytes()
    refused = press.isbn("bulk", "rows.csv", "--json")
    assert refused.code == 2
    assert len(refused.json["error"]["findings"]) == 2
    assert press.isbns.read_bytes() == before


def test_the_own_job_file_counts_where_there_is_one_and_the_report_has_what_was_given_and_rejected(
    press: Press,
) -> None:
    jobs = press.path / "config" / "jobs"
    jobs.mkdir()
    text = (samples_folder() / "isbn-bulk.yaml").read_text()
    (jobs / "isbn-bulk.yaml").write_text(
        text.replace("# report: {to:", "report: {to:").replace("on_difference: refuse", "on_difference: update")
    )
    press.schedule("River", "B-1")
    press.put(
        "rows.csv", f"{HEADER}\nRiver,B-1,2027-05-01,,,paperback,1,,\nSea,B-2,2027-05-01,,,ebook,,,\nHill,,x,,,,,,\n"
    )
    done = press.isbn("bulk", "rows.csv", "--json").json
    assert (done["rows"]["done"], done["rows"]["rejected"]) == (2, 1)
    report = openpyxl.load_workbook(done["report_workbook"])
    _, *given = report["Given"].iter_rows(values_only=True)
    assert [(row[0], row[1], row[2]) for row in given] == [(2, "updated", FIRST), (3, "scheduled", SECOND)]
    _, *problems = report["Problems"].iter_rows(values_only=True)
    assert [row[0] for row in problems] == [4]
    assert "Book ID" in problems[0][3]
    summary = [row[:2] for row in report["Summary"].iter_rows(values_only=True)]
    assert "ISBN ranges" in dict(summary)
    assert "Please note" not in dict(summary)


def test_rows_of_books_with_other_details_are_changed_with_update_alone(press: Press) -> None:
    press.schedule("River", "B-1")
    press.put("rows.csv", f"{HEADER}\nRivers,B-1,2027-05-01,,,paperback,1,,\n")
    refused = press.isbn("bulk", "rows.csv", "--json")
    assert (refused.code, "--update" in rejected(press, refused.json)[2]) == (3, True)
    assert press.sheet()[0]["Title"] == "River"
    done = press.isbn("bulk", "rows.csv", "--update", "--json")
    assert (done.code, done.json["rows"]["done"]) == (0, 1), done.err
    assert press.sheet()[0]["Title"] == "Rivers"


def test_a_date_that_can_be_read_in_two_ways_is_rejected_with_the_setting_that_says_which(press: Press) -> None:
    rows = "Sea,B-1,03/04/2027,,,ebook,,,\nHill,B-2,03/04/27,,,ebook,,,\n"
    press.put("rows.csv", f"{HEADER}\n{rows}")
    done = press.isbn("bulk", "rows.csv", "--json")
    reasons = rejected(press, done.json)
    assert ["date_order" in reasons[row] for row in (2, 3)] == [True, False], "no order makes a year of two digits four"
    with (press.path / "config" / "batchbook.yaml").open("a") as file:
        file.write("isbn: {date_order: dmy}\n")
    done = press.isbn("bulk", "rows.csv", "--json")
    assert (done.json["rows"]["done"], done.json["rows"]["rejected"]) == (1, 1)
    assert str(press.sheet()[0]["Scheduled Date"]).startswith("2027-04-03")


def test_an_input_without_rows_says_so(press: Press) -> None:
    press.put("rows.csv", f"{HEADER}\n")
    done = press.isbn("bulk", "rows.csv")
    assert (done.code, "the input rows.csv has no rows" in done.err, "select:" in done.err) == (0, True, False)


def test_the_history_names_the_user_that_a_job_was_given(press: Press) -> None:
    press.put("rows.csv", f"{HEADER}\nSea,B-1,2020-05-01,,,ebook,,,\n")
    bulk = press.isbn("bulk", "rows.csv", "--user", "Ann", "--json").json["run_id"]
    assert press.isbn("assign-due", "--user", "Bea", "--resume-auto").code == 0
    assert [(row["Who"], row["What"]) for row in press.sheet("ISBN History")][-2:] == [
        ("Ann", "bulk"),
        ("Bea", "assign-due"),
    ]
    assert press.called("runs", "show", bulk, "--json").json["sheet"] == "ISBN Assignments"
    assert press.isbn("assign-due", "--user", " ").code == 2
    assert press.isbn("bulk", "rows.csv", "--resume-auto", "--start-fresh").code == 2


def test_what_is_due_is_assigned_once_and_the_rest_stays(press: Press) -> None:
    press.schedule("Past", "B-1", "2020-03-01")
    press.schedule("Today", "B-2", dt.datetime.now(dt.UTC).date().isoformat())
    press.schedule("Later", "B-3", "2199-03-01")
    press.isbn("reserve", "--reason", "kept")
    done = press.isbn("assign-due", "--json")
    assert done.code == 0, done.err
    assert done.json["rows"]["done"] == done.json["rows"]["selected"] == 2
    states = press.statuses()
    assert [states[isbn] for isbn in (FIRST, SECOND, THIRD)] == ["assigned", "assigned", "scheduled"]
    assert all(row["Assigned At"] for row in press.sheet() if row["Status"] == "assigned")
    again = press.isbn("assign-due")
    assert (again.code, "0 selected" in again.out, again.err) == (0, True, "")
    assert press.isbn("assign-due", "--until", "2199-03-01").code == 0
    assert press.statuses()[THIRD] == "assigned"
    assert press.isbn("assign-due", "--until", "03/04/2199").code == 2


def test_a_row_with_a_broken_date_is_rejected_by_assign_due_and_the_others_are_assigned(press: Press) -> None:
    press.schedule("Past", "B-1", "2020-03-01")
    press.schedule("Other", "B-2", "2020-03-01")
    press.typed("ISBN Assignments", 2, "Scheduled Date", "next week")
    done = press.isbn("assign-due", "--json")
    assert done.code == 3
    assert (done.json["rows"]["done"], done.json["rows"]["rejected"]) == (1, 1)
    assert press.sheet()[1]["Status"] == "assigned"
    shown = press.called("runs", "show", done.json["run_id"]).out
    assert "next week" in shown


@pytest.mark.parametrize("status", ["Scheduld", None, 7])
def test_a_row_whose_status_is_none_is_rejected_by_assign_due_with_its_value(press: Press, status: object) -> None:
    press.schedule("Past", "B-1", "2020-03-01")
    press.schedule("Other", "B-2", "2020-03-01")
    press.isbn("reserve", "--reason", "kept")
    press.typed("ISBN Assignments", 2, "Status", status)
    press.typed("ISBN Assignments", 9, "Notes", "a remark below the table")
    done = press.isbn("assign-due", "--json")
    assert done.code == 3
    assert (done.json["rows"]["selected"], done.json["rows"]["done"], done.json["rows"]["rejected"]) == (2, 1, 1)
    (problem,) = press.called("runs", "show", done.json["run_id"], "--json").json["problems"]
    assert (problem["row"], "Status" in problem["reason"]) == (2, True)
    assert status is None or repr(str(status)) in problem["reason"]


def test_a_job_can_be_undone_and_its_run_shown_and_reported(press: Press) -> None:
    press.put("rows.csv", f"{HEADER}\nRiver,B-1,2020-05-01,,,paperback,1,,\nSea,B-2,2027-05-01,,,ebook,,,\n")
    first = press.isbn("bulk", "rows.csv", "--json").json["run_id"]
    due = press.isbn("assign-due", "--json").json["run_id"]
    for run, sheet, isbns in ((first, "Given", [SECOND, FIRST]), (due, "Assigned", [FIRST])):
        assert press.called("runs", "report", run, "--to", f"{sheet}.xlsx").code == 0
        header, *rows = openpyxl.load_workbook(press.path / f"{sheet}.xlsx")[sheet].iter_rows(values_only=True)
        assert sorted(row[header.index("ISBN")] for row in rows) == sorted(isbns)
    undone = press.called("runs", "undo", first, "--json")
    assert undone.code == 3, undone.err  # one was left alone
    assert press.statuses() == {FIRST: "assigned"}, "a number that is assigned stays"
    assert any(FIRST in line for line in undone.json["kept"])
    assert [(one["key"], one["did"]) for one in undone.json["records"]] == [(SECOND, "taken out")]
    assert press.isbn("check").code == 0


def test_an_undo_of_a_job_names_the_first_numbers_and_counts_the_others(press: Press) -> None:
    rows = "".join(f"Book {n},B-{n},2027-05-01,,,paperback,,,\n" for n in range(1, 31))
    press.put("rows.csv", f"{HEADER}\n{rows}")
    run = press.isbn("bulk", "rows.csv", "--json").json["run_id"]
    said = press.called("runs", "undo", run).out.splitlines()
    assert said[0].startswith(f"run {run} undone: 30 records are as before (recorded as run ")
    assert said[1] == "records that were taken back: 30"
    assert said[2].startswith(f"  {FIRST} (") and said[2].endswith(" in ISBN Assignments: taken out again")
    assert said[22:] == ["  and 10 more (--json has all)"]
    listed = press.called("runs", "list").out.splitlines()
    assert f"records: 30 taken out  undoes run {run}" in listed[1]
    assert "30 done" in listed[2]


def test_a_job_that_found_nothing_to_do_says_so_in_the_list_of_runs(press: Press) -> None:
    assert press.isbn("assign-due").code == 0
    assert "nothing to do" in press.called("runs", "list").out.splitlines()[1]
    assert "rows: 0 selected, nothing to do" in press.called("runs", "show", "last").out


def test_the_report_on_a_single_command_has_every_cell_that_it_changed(press: Press) -> None:
    run = press.schedule("River", "B-1", "2027-03-01", "paperback", "--json").json["run_id"]
    done = press.called("runs", "report", run, "--to", "one.xlsx")
    assert (done.code, done.err) == (0, "")
    _, *changes = openpyxl.load_workbook(press.path / "one.xlsx")["Changes"].iter_rows(values_only=True)
    assert {row[0] for row in changes} == {"ISBN Assignments", "ISBN History"}
    assert ("Title", None, "River") in {row[3:6] for row in changes}


@pytest.mark.parametrize("verb", ["bulk", "assign-due"])
def test_a_dry_run_of_a_job_writes_nothing(press: Press, verb: str) -> None:
    press.schedule("Past", "B-1", "2020-03-01")
    press.put("rows.csv", f"{HEADER}\nSea,B-2,2027-05-01,,,ebook,,,\n")
    before = press.isbns.read_bytes()
    arguments = (verb, "rows.csv") if verb == "bulk" else (verb,)
    tried = press.isbn(*arguments, "--dry-run", "--json")
    assert (tried.code, tried.json["status"], tried.json["rows"]["done"]) == (0, "dry_run", 1), tried.err
    assert press.isbns.read_bytes() == before


def test_a_dry_run_of_an_import_tells_every_row_that_would_be_rejected(press: Press) -> None:
    press.put("rows.csv", f"{HEADER}\nSea,B-2,2027-05-01,,,ebook,,,\nHill,,2027-05-01,,,ebook,,,\nWood,B-3,x,,,,,,\n")
    tried = press.isbn("bulk", "rows.csv", "--dry-run", "--json")
    assert (tried.code, tried.json["status"], tried.json["rows"]["rejected"]) == (3, "dry_run", 2)
    assert [(one["row"], one["outcome"]) for one in tried.json["problems"]] == [(3, "rejected"), (4, "rejected")]
    assert "Book ID" in tried.json["problems"][0]["reason"]
    told = press.isbn("bulk", "rows.csv", "--dry-run")
    assert (told.code, "rejected: 2, such as row 3" in told.out) == (3, True)


def test_the_figures_of_a_job_are_one_line_of_csv(press: Press) -> None:
    press.schedule("Past", "B-1", "2020-03-01")
    done = press.isbn("assign-due", "--format", "csv")
    (line,) = csv.DictReader(io.StringIO(done.out, newline=""))
    assert (line["status"], line["selected"], line["done"], line["rejected"]) == ("completed", "1", "1", "0")


def test_a_bulk_import_that_was_killed_goes_on_with_the_same_numbers(press: Press) -> None:
    count = 400
    rows = "".join(f"T{n},B-{n},2027-01-01,,,paperback,,,\n" for n in range(count))
    press.put("rows.csv", f"{HEADER}\n{rows}")
    kills = 0
    for _ in range(20):
        process = press.start("isbn", "bulk", "rows.csv", "--json")
        time.sleep(0.8 * 1.2**kills)  # however slow the machine is, one of them lets it end
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            kills += 1
        process.communicate()
        if process.returncode == 0:
            break
    else:
        raise AssertionError("never came to an end")
    given = press.by_book()
    assert len(given) == count
    assert [given[f"B-{n}", "paperback"] for n in range(count)] == sorted(given.values()), "in the file's order"
    assert len(press.sheet("ISBN History")) == count + 1, "a row for each number, and the block"
    assert press.isbn("blocks", "--json").json["blocks"][0]["available"] == 1000 - count
    assert press.isbn("check").code == 0


def test_the_jobs_of_the_sample_are_those_that_come_along(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    for name in ("isbn-bulk.yaml", "isbn-assign-due.yaml"):
        assert (samples_folder() / name).read_bytes() == (root / "config" / "jobs" / name).read_bytes()


def test_rows_that_people_typed_are_due_as_the_sheet_reads_them(press: Press) -> None:
    for book in ("B-1", "B-2", "B-3"):
        press.schedule("Past", book, "2020-03-01")
    press.typed("ISBN Assignments", 2, "Status", "Scheduled")
    press.typed("ISBN Assignments", 3, "ISBN", int(SECOND.replace("-", "")))
    press.typed("ISBN Assignments", 4, "Scheduled Date", None)
    done = press.isbn("assign-due", "--json")
    assert done.code == 3
    assert (done.json["rows"]["done"], done.json["rows"]["rejected"]) == (2, 1)
    assert [row["Status"] for row in press.sheet()] == ["assigned", "assigned", "scheduled"]
    assert "needed-by-status" in press.called("runs", "show", done.json["run_id"]).out


def test_the_day_up_to_which_numbers_are_due_is_read_like_all_days(press: Press) -> None:
    press.schedule("Past", "B-1", "2027-03-31")
    refused = press.isbn("assign-due", "--until", "2027")
    assert (refused.code, "--until '2027' is no date" in refused.err) == (2, True)
    assert press.isbn("assign-due", "--until", "31 March 2027").code == 0
    assert press.statuses() == {FIRST: "assigned"}


def test_all_that_the_workbook_of_a_job_lacks_is_named_at_once_each_place_once(press: Press) -> None:
    press.put("rows.csv", "title,scheduled\nThe River,2027-03-01\n")
    book = openpyxl.load_workbook(press.isbns)
    del book["ISBN History"]
    book["ISBN Assignments"]["B1"], book["ISBN Blocks"]["A1"] = "Stand", "Name"
    book.save(press.isbns)
    lacking = [
        "isbn.xlsx, sheet ISBN Assignments, row 1, column status: there is no header 'Status'",
        "isbn.xlsx, sheet ISBN Blocks, row 1, column block: there is no header 'Block'",
        "isbn.xlsx: There is no sheet 'ISBN History' in isbn.xlsx.",
    ]
    due = press.isbn("assign-due", "--json")
    assert due.code == 2
    assert due.json["error"]["what"] == "In isbn.xlsx 3 sheets or headers are missing or doubled."
    assert sorted(due.json["error"]["findings"]) == lacking
    bulk = press.isbn("bulk", "rows.csv", "--json")
    assert bulk.code == 2
    found = bulk.json["error"]["findings"]
    assert any("rows.csv" in one and "Book ID" in one for one in found)
    assert sorted(found)[:3] == lacking

    del book["ISBN Assignments"]
    book.save(press.isbns)
    due = press.isbn("assign-due", "--json")
    assert (due.code, len(due.json["error"]["findings"])) == (2, 3)


SURPLUS = "title,book_id,scheduled_date,format,notes\nComma,E-20,2027-01-01,ebook,first part, and the rest\n"


def test_a_row_with_more_fields_than_headers_is_rejected_and_nothing_of_it_is_lost(press: Press) -> None:
    press.put("rows.csv", f"{SURPLUS}Fine,E-21,2027-01-01,ebook,note,,\n")
    done = press.isbn("bulk", "rows.csv", "--json")
    assert (done.code, done.json["rows"]["done"], done.json["rows"]["rejected"]) == (3, 1, 1)
    assert [row["Book ID"] for row in press.sheet()] == ["E-21"]
    file = Path(done.json["rejected_rows"])
    assert "a field more than there are headers: 'and the rest'" in file.read_text(encoding="utf-8-sig")
    assert file.read_text(encoding="utf-8-sig").rstrip().endswith(",and the rest")
    again = press.isbn("bulk", str(file), "--json")
    assert (again.code, again.json["rows"]["rejected"]) == (3, 1), "a row that was not mended is not taken"
    mended = file.read_text(encoding="utf-8-sig").replace("first part", '"first part, and the rest"')
    press.put("mended.csv", mended.replace(",and the rest\n", "\n").replace(",and the rest\r\n", "\r\n"))
    assert press.isbn("bulk", "mended.csv").code == 0
    assert [row["Notes"] for row in press.sheet() if row["Book ID"] == "E-20"] == ["first part, and the rest"]


def test_a_row_of_an_agencys_list_with_more_fields_than_headers_is_rejected(press: Press) -> None:
    press.put("list.csv", f"isbn,title,status\n{FIRST},The River, a tale,in print\n")
    done = press.isbn("adopt", "list.csv")
    assert done.code == 3
    assert "list.csv, row 2: has a field more than there are headers: 'in print'" in done.err
    assert f"{FIRST} is reserved, so that it is not given: its row 2 was rejected" in done.err
    assert press.statuses() == {FIRST: "reserved"}
    press.put("list.csv", f'isbn,title,status\n{FIRST},"The River, a tale",in print\n')
    assert press.isbn("adopt", "list.csv").code == 0
    assert press.statuses() == {FIRST: "published"}


def used_up(press: Press) -> str:
    """A file of which two rows get a number with a warning."""
    assert press.isbn("add-block", "978-1-60889", "--start", "0", "--end", "0", "--imprint", "Lantern").code == 0
    press.put(
        "rows.csv",
        f"{HEADER}\nOne,B-1,2027-01-01,Lantern,,ebook,,,\nTwo,B-2,2027-01-02,Lantern,,ebook,,,\n"
        "Old,B-3,2020-01-01,,,ebook,,,\n",
    )
    return "rows.csv"


def test_rows_that_are_scheduled_with_a_warning_are_counted_and_told_as_schedule_tells_them(press: Press) -> None:
    file = used_up(press)
    trial = press.isbn("bulk", file, "--dry-run", "--json")
    assert trial.json["warned"] == 2
    done = press.isbn("bulk", file, "--json")
    assert (done.code, done.json["rows"]["done"], done.json["warned"]) == (0, 3, 2)
    said = done.json["remarks"]
    assert any("row 3: " in one and "no number is left in the blocks of the imprint Lantern" in one for one in said)
    assert any("row 4: " in one and "2020-01-01 is in the past" in one for one in said)
    assert all(one in done.err for one in said)
    report = json.loads(Path(done.json["report"]).read_text(encoding="utf-8"))
    assert [one["row"] for one in report["warnings"]] == [3, 4]
    shown = press.called("runs", "show", done.json["run_id"]).out
    assert "warnings" in shown and "2020-01-01 is in the past" in shown
    assert press.isbn("bulk", file, "--json").json.get("warned") is None, "unchanged rows are not warned of again"


def test_many_warnings_are_counted_and_listed_in_the_report_workbook(press: Press) -> None:
    jobs = press.path / "config" / "jobs"
    jobs.mkdir()
    text = (samples_folder() / "isbn-bulk.yaml").read_text()
    (jobs / "isbn-bulk.yaml").write_text(
        text.replace('# report: {to: "data/reports/{job}-{run}.xlsx"}', "report: {to: out.xlsx}")
    )
    rows = "".join(f"T{n},B-{n},2020-01-01,,,ebook,,,\n" for n in range(6))
    press.put("rows.csv", f"{HEADER}\n{rows}")
    done = press.isbn("bulk", "rows.csv")
    assert "warnings: 6 of the rows above have one" in done.out, done.err
    assert "3 more rows have a warning" in done.err
    book = openpyxl.load_workbook(press.path / "out.xlsx")
    assert [row[0] for row in book["Warnings"].iter_rows(values_only=True)][-6:] == [2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("more", [(), ("--format", "csv")])
def test_quiet_with_rejected_rows_says_one_line(press: Press, more: tuple[str, ...]) -> None:
    press.put("rows.csv", f"{HEADER}\nOne,B-1,2027-01-01,,,ebook,,,\n,B-2,2027-01-02,,,ebook,,,\n")
    done = press.isbn("bulk", "rows.csv", "--quiet", *more)
    assert done.code == 3
    assert "isbn-bulk: of 2 rows 1 rejected; all of them: batchbook runs show 2" in done.err
    assert bool(done.out) == bool(more)


def test_a_bulk_import_says_which_number_which_book_got_and_the_list_of_runs_keeps_it(press: Press) -> None:
    press.put("rows.csv", f"{HEADER}\nRiver,B-1,2027-01-01,,,ebook,,,\nSea,B-2,2027-01-02,,,ebook,,,\n")
    done = press.isbn("bulk", "rows.csv")
    assert f"records: {FIRST} (River), {SECOND} (Sea) (batchbook runs diff 2" in done.out
    note = press.called("runs", "list", "--json").json["runs"][0]["note"]
    assert note == f"{FIRST} (River), {SECOND} (Sea)"
    rows = "".join(f"T{n},C-{n},2027-01-01,,,ebook,,,\n" for n in range(9))
    press.put("rows.csv", f"{HEADER}\n{rows}")
    assert "(T2), 6 more (batchbook runs diff" in press.isbn("bulk", "rows.csv").out
    press.isbn("assign-due", "--until", "2027-01-02")
    assert press.called("runs", "list", "--json").json["runs"][0]["note"].endswith(", 8 more")
    press.isbn("assign-due", "--until", "2027-01-02")
    assert press.called("runs", "list", "--json").json["runs"][0]["note"] == ""


@pytest.mark.parametrize("changed", [False, True])
def test_another_import_says_what_becomes_of_the_one_that_is_unfinished(
    press: Press, monkeypatch: pytest.MonkeyPatch, changed: bool
) -> None:
    rows = [f"T{n},B-{n},2027-01-01,,,ebook,,,\n" for n in range(6)]
    press.put("huge.csv", f"{HEADER}\n{''.join(rows)}")
    process, taken = BulkImport.process, []

    def until_stopped(self: BulkImport, row: Row) -> RowResult | None:
        taken.append(row.number)
        if len(taken) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        if len(taken) >= 3:
            time.sleep(0.3)  # rows that are in hand are finished: few of them, until the signal has come
        return process(self, row)

    with monkeypatch.context() as patch:
        patch.setattr(BulkImport, "process", until_stopped)
        assert press.isbn("bulk", "huge.csv").code == 143
    run = press.called("runs", "list", "--json").json["runs"][0]["run_id"]
    there = len(press.sheet())
    assert 0 < there < 6
    name = "huge.csv" if changed else "short.csv"
    press.put(name, f"{HEADER}\nShort,S-1,2027-01-01,,,ebook,,,\n{rows[0] if changed else ''}")
    done = press.isbn("bulk", name)
    assert done.code == 0
    begun = f"run {run} over the input huge.csv is unfinished"
    count = f"{there} of its 6 rows are done and in the workbook, which stay; it is given up now"
    assert begun in done.err and count in done.err
    assert ("the file was changed since" in done.err) == changed
    assert ("start the same over huge.csv again" in done.err) != changed
    if not changed:
        again = press.isbn("bulk", "huge.csv", "--json")
        assert (again.json["rows"]["done"], again.json["rows"]["unchanged"]) == (6 - there, there)


def test_the_list_of_runs_has_no_more_than_were_asked_for(press: Press) -> None:
    for number in range(3):
        press.schedule("T", f"B-{number}")
    listed = press.called("runs", "list", "--limit", "2", "--json").json
    assert (len(listed["runs"]), listed["total"]) == (2, 4)
    assert len(press.called("runs", "list", "--json").json["runs"]) == 4
    assert "and 2 older ones" in press.called("runs", "list", "--limit", "2").out
