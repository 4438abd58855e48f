"""A small system of records: tickets that are given to people, and a log of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl

from batchbook import Processor, Rejected
from batchbook.batch.processors import RowResult
from batchbook.batch.systems import Actor, System
from batchbook.tables.plainkinds import Text, Whole
from batchbook.tables.records import Column, RecordType
from batchbook.tables.workspace import Workspace

LAST = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    number: int
    state: str
    holder: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    entry: str
    number: int
    what: str


TICKETS = RecordType(
    record=Ticket,
    sheet="Tickets",
    key=("number",),
    help="Who has which ticket.",
    columns=(
        Column("number", "No.", Whole(1), "The ticket.", required=True, aliases=("Number",)),
        Column("state", "State", Text(), "How far it is.", required=True, allowed=("free", "given", "used")),
        Column("holder", "Holder", Text(), "Who has it."),
        Column("note", "Note", Text(), "Whatever is worth knowing."),
    ),
)
LOG = RecordType(
    record=LogEntry,
    sheet="Log",
    key=("entry",),
    append_only=True,
    help="What was done.",
    columns=(
        Column("entry", "Entry", Text(), "Its name.", required=True, owner="machine"),
        Column("number", "No.", Whole(1), "The ticket.", required=True, owner="machine"),
        Column("what", "What", Text(), "What was done.", required=True, owner="machine"),
    ),
)


class TicketSystem(System):
    name = "tickets"
    types = (TICKETS, LOG)


SYSTEM = TicketSystem()


def log_entry(workspace: Workspace, actor: Actor, number: int, what: str) -> None:
    log = workspace.table(LOG)
    count = 1
    while log.get(f"{actor.run}.{count}") is not None:
        count += 1
    log.insert(LogEntry(entry=f"{actor.run}.{count}", number=number, what=what))


def give(workspace: Workspace, actor: Actor, holder: str) -> int | None:
    """The number of the ticket that a holder gets; None where he has one."""
    tickets = workspace.table(TICKETS)
    if tickets.count(holder=holder):
        return None
    for number in range(1, LAST + 1):
        ticket = tickets.get(number)
        if (str(number),) in workspace.lost(TICKETS):
            continue
        if ticket is None:
            tickets.insert(Ticket(number=number, state="given", holder=holder))
        elif ticket.state == "free":
            tickets.update(number, state="given", holder=holder)
        else:
            continue
        log_entry(workspace, actor, number, f"given to {holder}")
        return number
    raise Rejected(f"no ticket is left of {LAST}")


class GiveTickets(Processor):
    """Gives each row of an input the lowest ticket that is free, in the order of their rank."""

    reads = ("holder",)
    may_read = ("rank",)
    columns = {"holder": ["Holder", "Name"], "rank": "Rank"}  # noqa: RUF012
    input_only = True

    def __init__(self, options: Any, context: Any) -> None:
        super().__init__(options, context)
        self.system = SYSTEM

    def order(self, row: Any) -> tuple[str | int, ...]:
        rank = row.get("rank")
        return (int(rank) if rank else 99,)

    def opened(self, workspace: Workspace, actor: Actor) -> None:
        self.workspace, self.actor = workspace, actor

    def process(self, row: Any) -> RowResult | None:
        holder = row["holder"]
        if holder is None:
            raise Rejected("column Holder: is empty (required)")
        if holder == "trouble":
            raise ValueError("trouble")
        with self.workspace.whole():
            if give(self.workspace, self.actor, str(holder)) is None:
                return None
            return RowResult(changes=self.workspace.take())


class UseTickets(Processor):
    """Marks every given ticket as used."""

    reads = ("number", "state")
    columns = {"number": ["No.", "Number"], "state": "State"}  # noqa: RUF012
    changes = ("state",)

    def __init__(self, options: Any, context: Any) -> None:
        super().__init__(options, context)
        self.system = SYSTEM

    def selects(self, row: Any) -> bool:
        return row["state"] == "given"

    def opened(self, workspace: Workspace, actor: Actor) -> None:
        self.workspace, self.actor = workspace, actor

    def process(self, row: Any) -> RowResult | None:
        if row["state"] != "given":
            return None
        number = int(row["number"])
        with self.workspace.whole():
            tickets = self.workspace.table(TICKETS)
            tickets.rests_on(number, fields=("holder",))
            tickets.update(number, state="used")
            log_entry(self.workspace, self.actor, number, "used")
            return RowResult(changes=self.workspace.take())


def ticket_book(path: Path, tickets: Iterable[tuple[int, str, str | None]] = ()) -> Path:
    """A workbook of the system, with a sheet of a person's own and a column that is no one's business."""
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = "Tickets"
    sheet.append(["No.", "State", "Holder", "Mine", "Note"])
    for number, state, holder in tickets:
        sheet.append([number, state, holder, f"mine {number}", None])
    book.create_sheet("Log").append(["Entry", "No.", "What"])
    book.create_sheet("Other").append(["left", "alone"])
    book.save(path)
    return path


def tickets_in(path: Path) -> dict[int, tuple[str, str | None]]:
    """By number: state and holder."""
    found: dict[int, tuple[str, str | None]] = {}
    for number, state, holder, *_ in openpyxl.load_workbook(path)["Tickets"].iter_rows(min_row=2, values_only=True):
        if number is not None:
            assert number not in found
            found[number] = (state, holder)
    return found


def log_in(path: Path) -> list[tuple[str, int, str]]:
    """The rows of the log."""
    rows = openpyxl.load_workbook(path)["Log"].iter_rows(min_row=2, values_only=True)
    return [tuple(row[:3]) for row in rows if row[0] is not None]
