"""Jobs whose rows become changes of a system's records."""

import contextlib
import csv
import errno
import itertools
import json
from pathlib import Path
from typing import ClassVar

import openpyxl
import pytest

from batchbook.batch.controller import BatchController
from batchbook.batch.interrupt import StopToken
from batchbook.batch.processors import RowResult
from batchbook.batch.progress import CellChange, RecordsCounted, RecordShown, RowsCommitted, Saved
from batchbook.batch.start import StartRequest
from batchbook.errors import BatchbookError, ConfigurationError, UsageError
from batchbook.storage import files
from batchbook.storage.ledger import Ledger
from batchbook.tables.records import RecordChange
from batchbook.tables.workspace import Workspace
from tests.batch.helpers import Died, Site
from tests.batch.tickets import LAST, GiveTickets, UseTickets, log_in, ticket_book, tickets_in
from tests.storage.helpers import Crash, FaultyOperations

GIVE = {"sheet": "Tickets", "key": ["row"], "reads": None, "writes": None, "input": "people.csv"}
USE = {"sheet": "Tickets", "key": ["number"], "reads": None, "writes": None}


class Tickets(Site):
    """A folder with a ticket workbook, an input and a job."""

    def __init__(self, path, people=(), processor=GiveTickets, tickets=(), **settings):
        self.people = people
        self.tickets = tickets
        super().__init__(path, [], processor, **settings)

    def make_book(self, rows, **_):
        self.put(self.people)
        return ticket_book(self.path / "book.xlsx", self.tickets)

    def put(self, people, name="people.csv"):
        text = "".join(f"{','.join(map(str, row))}\n" for row in [("Name", "Rank"), *people])
        (self.path / name).write_text(text)

    def interrupted(self, after):
        """A run that was asked to stop after so many rows."""
        stop = StopToken()

        def listen(event):
            if isinstance(event, RowsCommitted) and event.counts.ended >= after:
                stop.stop()

        return BatchController(
            self.job(**{"batch.size": 1}), StartRequest(mode="fresh"), events=listen, stop=stop
        ).run()

    def died(self, after):
        def listen(event):
            if isinstance(event, RowsCommitted) and event.counts.ended >= after:
                raise Died

        with contextlib.suppress(Died):
            BatchController(self.job(), StartRequest(mode="fresh"), events=listen).run()
            raise AssertionError("it did not die")

    def while_running(self, after, change, **overrides):
        """A run during which somebody changes the workbook, once, after so many rows."""
        done = []

        def listen(event):
            if isinstance(event, RowsCommitted) and event.counts.ended >= after and not done:
                done.append(change())

        return BatchController(self.job(**overrides), StartRequest(mode="fresh"), events=listen).run()

    def make_job(self, processor=GiveTickets, **settings):
        plain = {**(GIVE if processor.input_only else USE), **settings}
        super().make_job(processor, **plain)
        path = self.path / "job.yaml"
        job = json.loads(path.read_text())
        path.write_text(json.dumps({name: value for name, value in job.items() if value is not None}))


def crowd(count):
    return [(f"p{n}", count - n) for n in range(count)]


def test_rows_of_an_input_become_records_in_the_order_of_their_rank(tmp_path):
    site = Tickets(tmp_path, [("late", 9), ("first", 1), ("unranked", ""), ("second", 2)])
    result = site.run()
    assert result.status == "completed" and result.rows.done == 4
    assert tickets_in(site.book) == {
        1: ("given", "first"), 2: ("given", "second"), 3: ("given", "late"), 4: ("given", "unranked"),
    }  # fmt: skip
    entries = log_in(site.book)
    assert [number for _, number, _ in entries] == [1, 2, 3, 4]
    assert len({entry for entry, _, _ in entries}) == 4


def test_everything_else_in_the_workbook_stays(tmp_path):
    site = Tickets(tmp_path, [("a", 1)], tickets=[(1, "given", "z"), (2, "free", None)])
    site.run()
    sheet = openpyxl.load_workbook(site.book)["Tickets"]
    assert [[cell.value for cell in row] for row in sheet.iter_rows()] == [
        ["No.", "State", "Holder", "Mine", "Note"],
        [1, "given", "z", "mine 1", None],
        [2, "given", "a", "mine 2", None],
    ]


def test_the_same_input_again_changes_nothing(tmp_path):
    site = Tickets(tmp_path, crowd(5))
    site.run()
    before = site.book.read_bytes()
    result = site.run(mode="fresh")
    assert (result.rows.unchanged, result.rows.done, result.saves) == (5, 0, 0)
    assert site.book.read_bytes() == before


def test_rejected_rows_come_back_as_a_file_to_be_mended(tmp_path):
    site = Tickets(tmp_path, [("a", 1), ("", 2), ("=1+1", 3), ("trouble", 4)])
    result = site.run()
    assert result.status == "completed_with_failures"
    assert (result.rows.done, result.rows.rejected, result.rows.failed) == (2, 1, 1)
    left = Path(result.rejected_rows).read_text(encoding="utf-8-sig")
    rows = list(csv.reader(left.splitlines()))
    assert rows[0] == ["Name", "Rank", "Input Row", "Rejected Because"]
    assert rows[1] == ["", "2", "3", "column Holder: is empty (required)"]
    assert rows[2][:3] == ["trouble", "4", "5"] and "trouble" in rows[2][3]
    (site.path / "people.csv").write_text(left.replace(",2,3", "late,2,3", 1))
    again = site.run(mode="fresh")
    assert again.rows.done == 1 and tickets_in(site.book)[3] == ("given", "late")


def test_rejected_rows_of_a_workbook_come_back_where_titles_stand_above_its_headers(tmp_path):
    site = Tickets(tmp_path, input="people.xlsx")
    book = openpyxl.Workbook()
    for row in [["Our people in 2026"], [], ["Name", "Rank", "Remark"], ["a", 1, "x"], [None, 2, "y"]]:
        book.active.append(row)
    book.save(site.path / "people.xlsx")
    result = site.run()
    assert (result.rows.done, result.rows.rejected) == (1, 1)
    rows = list(csv.reader(Path(result.rejected_rows).read_text(encoding="utf-8-sig").splitlines()))
    assert rows[0][:3] == ["Name", "Rank", "Remark"]
    assert [row[:4] for row in rows[1:]] == [["", "2", "y", "5"]]


def test_rejected_rows_that_the_input_no_longer_has_are_missed_aloud(tmp_path):
    site = Tickets(tmp_path, [("a", 1), ("", 2), ("", 3)])
    result = site.while_running(3, lambda: site.put([("a", 1)]))
    assert result.rows.rejected == 2 and result.rejected_rows is None
    assert not list(site.path.rglob("*-rejected.csv"))


def test_failed_rows_of_an_input_are_done_again_by_their_numbers_only_while_it_is_the_same(tmp_path):
    site = Tickets(tmp_path, [("a", 1), ("trouble", 2)])
    run = site.run().run_id
    assert site.run("only-failed", run=run).rows.failed == 1
    site.put([("a", 1), ("somebody else", 1), ("trouble", 2)])
    with pytest.raises(UsageError, match="another one than that of run"):
        site.run("only-failed", run=run)
    assert len(tickets_in(site.book)) == 1


def test_when_no_number_is_left_the_rest_is_rejected_and_said(tmp_path):
    site = Tickets(tmp_path, crowd(3), tickets=[(n, "used", f"u{n}") for n in range(1, LAST - 1)])
    result = site.run()
    assert (result.rows.done, result.rows.rejected) == (2, 1)


@pytest.mark.parametrize("stop_after", [1, 4, 7, 11])
def test_a_run_that_was_stopped_gives_the_same_numbers_when_it_is_resumed(tmp_path, stop_after):
    whole = Tickets(tmp_path / "whole", crowd(14))
    whole.run()
    site = Tickets(tmp_path / "stopped", crowd(14))
    first = site.interrupted(stop_after)
    assert first.status == "interrupted"
    second = site.run(mode="auto")
    assert second.status == "completed" and second.rows.done == 14
    assert tickets_in(site.book) == tickets_in(whole.book)
    assert len(log_in(site.book)) == 14


def test_what_lies_in_the_ledger_only_is_not_given_again(tmp_path):
    site = Tickets(tmp_path, crowd(9), batch={"size": 2, "checkpoint_frequency": 100})
    site.died(4)
    assert tickets_in(site.book) == {}
    site.run(mode="auto")
    assert sorted(tickets_in(site.book)) == list(range(1, 10))
    assert len({holder for _, holder in tickets_in(site.book).values()}) == 9


def test_a_result_that_a_person_entered_meanwhile_leaves_no_gap_among_the_new_rows(tmp_path):
    site = Tickets(tmp_path, crowd(6), batch={"size": 2, "checkpoint_frequency": 100})
    site.died(4)
    add_ticket(site.book, 2, "p4")
    result = site.run(mode="auto")
    assert (result.status, result.rows.done) == ("completed", 6)
    assert tickets_in(site.book) == {number: ("given", f"p{6 - number}") for number in range(1, 7)}
    for sheet in ("Tickets", "Log"):
        numbers = [cell.value for cell in openpyxl.load_workbook(site.book)[sheet]["A"]]
        assert None not in numbers, sheet


def test_a_number_that_a_person_took_meanwhile_is_not_given_twice(tmp_path):
    site = Tickets(tmp_path, crowd(6), batch={"size": 1, "checkpoint_frequency": 1})
    result = site.while_running(2, lambda: add_ticket(site.book, 2, "by hand"))
    assert result.status == "completed" and result.rows.done == 6
    found = tickets_in(site.book)
    assert found[2] == ("given", "by hand") and len(found) == 7


def test_a_number_whose_row_is_gone_is_not_given_by_a_job(tmp_path):
    site = Tickets(tmp_path, crowd(3))
    site.run()
    delete_row(site.book, 3)
    site.put([("new", 1), ("newer", 2)])
    result = site.run(mode="fresh")
    assert (result.status, result.rows.done) == ("completed", 2)
    assert sorted(tickets_in(site.book)) == [1, 3, 4, 5]


def delete_row(path, row):
    book = openpyxl.load_workbook(path)
    book["Tickets"].delete_rows(row)
    book.save(path)


def add_ticket(path, number, holder):
    book = openpyxl.load_workbook(path)
    book["Tickets"].append([number, "given", holder])
    book.save(path)


def test_rows_of_the_sheet_itself_are_selected_by_the_processor(tmp_path):
    tickets = [(1, "given", "a"), (2, "free", None), (3, "given", "c"), (4, "used", "d")]
    site = Tickets(tmp_path, processor=UseTickets, tickets=tickets)
    result = site.run()
    assert (result.rows.selected, result.rows.done) == (2, 2)
    assert tickets_in(site.book) == {1: ("used", "a"), 2: ("free", None), 3: ("used", "c"), 4: ("used", "d")}
    assert site.run(mode="fresh").rows.selected == 0


def test_a_decision_that_rests_on_what_a_person_changed_is_made_again(tmp_path):
    site = Tickets(tmp_path, processor=UseTickets, tickets=[(n, "given", f"p{n}") for n in range(1, 5)],
                   batch={"size": 1, "checkpoint_frequency": 100})  # fmt: skip
    result = site.while_running(4, lambda: set_cell(site.book, "B4", "free"))
    assert result.status == "completed"
    assert (result.rows.done, result.rows.unchanged) == (3, 1)
    assert tickets_in(site.book)[3] == ("free", "p3")


def set_cell(path, cell, value):
    book = openpyxl.load_workbook(path)
    book["Tickets"][cell] = value
    book.save(path)


def test_a_dry_run_shows_the_cells_of_all_sheets_and_writes_nothing(tmp_path):
    site = Tickets(tmp_path, crowd(2))
    before = site.book.read_bytes()
    result = site.run(dry_run=True)
    assert site.book.read_bytes() == before
    shown = {(change["sheet"], change["cell"], change["after"]) for change in result.changes}
    assert {("Tickets", "A2", 1), ("Tickets", "C2", "p1"), ("Log", "C3", "given to p0")} <= shown


def test_a_dry_run_tells_each_record_once_with_its_key_first_and_counts_the_history(tmp_path):
    site = Tickets(tmp_path, crowd(2))
    site.run(dry_run=True)
    told = [event for event in site.events if isinstance(event, RecordShown)]
    assert {event.sheet for event in told} == {"Tickets"} and len({event.key for event in told}) == len(told) == 2
    for event in told:
        places = [cell.cell for cell in event.cells]
        assert places[0].startswith("A") and places == sorted(places)
    assert [event for event in site.events if isinstance(event, RecordsCounted)] == [RecordsCounted("Log", 2)]
    assert not any(isinstance(event, CellChange) for event in site.events)


def test_a_job_over_records_says_what_does_not_fit_it(tmp_path):
    site = Tickets(tmp_path, crowd(2), key=["Name"], writes=["Holder"], input=None)
    with pytest.raises(ConfigurationError) as caught:
        site.run()
    said = " ".join(map(str, caught.value.findings))
    assert "key must be [row]" in said and "input" in said and "writes" in said


def test_a_sheet_that_is_missing_is_named_before_anything_begins(tmp_path):
    site = Tickets(tmp_path, crowd(2))
    book = openpyxl.load_workbook(site.book)
    del book["Log"]
    book.save(site.book)
    with pytest.raises(ConfigurationError) as caught:
        site.run()
    assert "Log" in " ".join(map(str, caught.value.findings)) + caught.value.what
    assert not site.ledger_path.exists()


def test_the_run_in_the_ledger_says_how_records_are_found_again(tmp_path):
    site = Tickets(tmp_path, crowd(2))
    run = site.run().run_id
    with Ledger.open(site.ledger_path) as ledger:
        settings = ledger.run(run).settings
    assert settings["system"] == "tickets"
    assert settings["tables"]["Log"] == {"key": ["Entry"], "append_only": True}


@pytest.mark.parametrize("fault", [errno.EIO, errno.ENOSPC, Crash])
def test_whatever_file_operation_fails_the_next_run_gives_the_same_numbers(tmp_path, monkeypatch, fault):
    whole = Tickets(tmp_path / "whole", crowd(6))
    whole.run()
    for k in itertools.count(1, 3):
        site = Tickets(tmp_path / str(k), crowd(6), batch={"size": 2, "checkpoint_frequency": 1})
        ops = FaultyOperations(k, fault)
        with monkeypatch.context() as patch, contextlib.suppress(BatchbookError, Crash):
            patch.setattr(files, "ops", ops)
            site.run(mode="fresh")
        saved = tickets_in(site.book)
        assert saved == {number: tickets_in(whole.book)[number] for number in saved}, k
        assert len(log_in(site.book)) == len(saved), k
        site.run(mode="auto")
        assert tickets_in(site.book) == tickets_in(whole.book), k
        assert [number for _, number, _ in log_in(site.book)] == list(range(1, 7)), k
        assert [path.name for path in site.path.iterdir() if "batchbook-" in path.name] == [], k
        if ops.count < k:
            break
    assert k > 30


ONE_SAVE = {"batch.checkpoint_frequency": 1000}


def readings(monkeypatch):
    """How often the sheets are read as records; a list that grows."""
    counted = []
    read = Workspace.read.__func__

    def counting(cls, book, types):
        counted.append(book.digest)
        return read(cls, book, types)

    monkeypatch.setattr(Workspace, "read", classmethod(counting))
    return counted


def test_results_that_are_new_records_are_saved_without_reading_the_sheets_again(tmp_path, monkeypatch):
    site = Tickets(tmp_path, crowd(40), tickets=[(2, "used", "z")])
    counted = readings(monkeypatch)
    assert site.run(overrides=ONE_SAVE).rows.done == 40
    assert len(counted) == 1
    assert set(tickets_in(site.book)) == set(range(1, 42)) and len(log_in(site.book)) == 40
    site.put(crowd(50))
    del counted[:]
    result = site.run()  # a save every three rows: of what the run wrote itself it knows
    assert (result.rows.done, result.rows.unchanged) == (10, 40) and result.saves > 2 and len(counted) == 1
    del counted[:]
    site.make_job(UseTickets)
    assert site.run(overrides=ONE_SAVE).rows.done == 50
    assert len(counted) == 2  # changes of rows that are there are checked against the sheet


def test_results_are_checked_against_the_sheet_where_somebody_changed_it(tmp_path, monkeypatch):
    site = Tickets(tmp_path, crowd(5))
    counted = readings(monkeypatch)
    result = site.while_running(5, lambda: ticket_book(site.book, [(1, "given", "a person")]), **ONE_SAVE)
    assert result.rows.done == 5 and len(set(counted)) > 1
    given = tickets_in(site.book)
    assert given.pop(1) == ("given", "a person")
    assert sorted(holder for _, holder in given.values()) == [f"p{n}" for n in range(5)]


def test_results_of_an_attempt_that_died_are_checked_once_when_it_is_resumed(tmp_path, monkeypatch):
    site = Tickets(tmp_path, crowd(30))
    site.died(5)
    counted = readings(monkeypatch)
    result = site.run(mode="resume", overrides=ONE_SAVE)
    assert result.status == "completed" and len(counted) == 1
    assert sorted(holder for _, holder in tickets_in(site.book).values()) == sorted(f"p{n}" for n in range(30))


class Wrongly(GiveTickets):
    """Returns something else than it staged: a ticket that a sheet has already."""

    def process(self, row):
        result = super().process(row)
        ticket, entry = result.changes
        if row["holder"] != "p0":
            return result
        return RowResult(changes=[RecordChange(ticket.sheet, ("1",), None, {**ticket.after, "number": 1}), entry])


def test_a_change_that_is_not_what_was_staged_is_checked_against_the_sheet(tmp_path):
    site = Tickets(tmp_path, crowd(3), Wrongly, tickets=[(1, "used", "z")])
    stop = StopToken()

    def listen(event):
        if isinstance(event, Saved):
            stop.stop()  # the row would be done again without end

    BatchController(site.job(**ONE_SAVE), StartRequest(mode="fresh"), events=listen, stop=stop).run()
    assert tickets_in(site.book)[1] == ("used", "z")
    assert {holder for _, holder in tickets_in(site.book).values()} <= {"z", "p1", "p2"}


class Ranking(GiveTickets):
    asked: ClassVar[list[int]] = []

    def order(self, row):
        self.asked.append(row.number)
        return super().order(row)


def test_each_row_of_an_input_is_ranked_once(tmp_path):
    site = Tickets(tmp_path, crowd(12), Ranking)
    Ranking.asked.clear()
    assert site.run().rows.done == 12
    assert sorted(Ranking.asked) == list(range(2, 14))


def test_rows_are_ranked_anew_where_the_input_was_changed(tmp_path):
    site = Tickets(tmp_path, crowd(3), Ranking)
    Ranking.asked.clear()

    def change():
        site.put([("p2", 1), ("p1", 2), ("p0", 9)])
        ticket_book(site.book, [(9, "used", "z")])

    result = site.while_running(1, change, **{"batch.size": 1})
    assert result.rows.ended == 3 and len(Ranking.asked) == 6
