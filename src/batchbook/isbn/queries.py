"""What is in an ISBN workbook: lists, searches, details, blocks with their figures. Nothing is changed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batchbook.config import did_you_mean
from batchbook.errors import Finding
from batchbook.isbn.bookingpast import past_of
from batchbook.isbn.chronicle import life_of
from batchbook.isbn.errors import WrongValues
from batchbook.isbn.records import STATUSES, Assignment, Block, HistoryEntry
from batchbook.isbn.session import Session
from batchbook.isbn.states import FREE, SPENT, allowed
from batchbook.isbn.system import IsbnSystem
from batchbook.tables.filters import AnyOf, Between, Containing
from batchbook.tables.kinds import Wrong
from batchbook.tables.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which assignments are wanted; what is None or empty wants all."""

    statuses: Sequence[str] = ()
    start: dt.date | None = None
    """The first scheduled date."""
    end: dt.date | None = None
    """The last scheduled date."""
    imprint: str | None = None
    block: str | None = None
    format: str | None = None
    order: Sequence[str] = ()
    """Fields to sort by, ``-field`` descending; the sheet's order where empty."""


@dataclass(frozen=True, slots=True)
class BlockUse:
    """A block with figures counted from its rows. Utilisation is used / total, from 0 to 1.

    used = taken (reserved, scheduled, assigned, published, cancelled); available = total - used - lost - unsure.
    """

    block: Block
    used: int
    reserved: int
    available: int
    utilisation: float
    by_status: Mapping[str, int]
    """Rows by status; untouched numbers have none."""
    lost: int = 0
    """Numbers that were given once though no row says so: it is gone, or set back to available. Not given again."""
    unsure: int = 0
    """Numbers whose row breaks a rule: what they are is not known, so they are not counted as available."""

    def figures(self) -> dict[str, int | float]:
        """The figures that every list of blocks has, by name and in its order."""
        return {
            "used": self.used,
            "reserved": self.reserved,
            "available": self.available,
            "lost": self.lost,
            "unsure": self.unsure,
            "utilisation": self.utilisation,
        }


@dataclass(frozen=True, slots=True)
class Details:
    """One number with its history, oldest first."""

    isbn: str
    assignment: Assignment | None
    """Its row; None where it has none (any more)."""
    history: Sequence[HistoryEntry]
    steps: Sequence[str]
    """The states that it can go to from here."""
    lost: bool
    """Whether it was given though no row says so: commands do not give it again."""
    block: str | None
    """The block that it lies in."""


_ALL = Selection()


def assignments(workspace: Workspace, system: IsbnSystem, selection: Selection = _ALL) -> Iterator[Assignment]:
    """The assignments of a selection. Raises WrongValues where it names a status, format, block or field not known."""
    session = Session(workspace, system)
    wanted, order = _wanted(session, selection)
    return session.assignments.where(order=order, **wanted)


def _wanted(session: Session, selection: Selection) -> tuple[dict[str, Any], list[str]]:
    system, wrong = session.system, list[Finding]()
    statuses = [_known("status", one, STATUSES, wrong) for one in selection.statuses]
    order = [_sorted_by(session, name, wrong) for name in selection.order]
    wanted: dict[str, Any] = {"status": AnyOf(statuses)} if statuses else {}
    if selection.format is not None:
        wanted["format"] = _known("format", selection.format, system.formats, wrong)
    if selection.start is not None or selection.end is not None:
        wanted["scheduled_date"] = Between(selection.start, selection.end)
    if selection.imprint is not None:
        wanted["imprint"] = AnyOf(_spellings(session, "imprint", selection.imprint))
    if selection.block is not None:
        block = session.block_named(selection.block)
        if block is None:
            _known("block", selection.block, [one.block for one in session.blocks.where()], wrong)
        wanted["isbn"] = Between(block.first, block.last) if block else None
    if wrong:
        raise WrongValues("The list cannot be made as asked.", "Give one of the values named.", findings=wrong)
    return wanted, order


def _sorted_by(session: Session, name: str, wrong: list[Finding]) -> str:
    """The field that a name or a header means, whatever its case, ``-`` in front kept."""
    columns = session.system.assignments.columns
    plain = _plain_name(name.strip().removeprefix("-"))
    for column in columns:
        if plain in map(_plain_name, (column.name, column.header, *column.aliases)):
            return f"-{column.name}" if name.strip().startswith("-") else column.name
    return _known("sort", name.strip().removeprefix("-"), [column.name for column in columns], wrong)


def _plain_name(name: str) -> str:
    return "_".join(name.replace("_", " ").split()).casefold()


def _known(name: str, value: str, known: Sequence[str], wrong: list[Finding]) -> str:
    """The value as it is known, whatever its case."""
    for one in known:
        if one.casefold() == value.strip().casefold():
            return one
    near = did_you_mean(value, known)
    listed = f"{' Known' if near else '; known'}: {', '.join(known)}" if known else ""
    wrong.append(Finding(f"is not known{near}{listed}", column=name, value=value, rule=name))
    return value


def _spellings(session: Session, field: str, value: str) -> list[str]:
    """The values of a field that are this one, whatever their case."""
    plain = " ".join(value.split()).casefold()
    held = (held for (held,) in session.assignments.tally(field) if held is not None)
    return [one for one in held if " ".join(one.split()).casefold() == plain]


def search(workspace: Workspace, system: IsbnSystem, text: str) -> Iterator[Assignment]:
    """Assignments with the text in ISBN (hyphens or not, some digits are enough), title or book id, in this order.

    An ISBN-10 finds the number that it is. Raises WrongValues where the text is blank.
    """
    text = text.strip()
    if not text:
        raise WrongValues("There is nothing to search for.", "Give a part of a title, a book ID or an ISBN.")
    return _found(Session(workspace, system), text)


def _found(session: Session, text: str) -> Iterator[Assignment]:
    questions: list[dict[str, Any]] = [{"title": Containing(text)}, {"book_id": Containing(text)}]
    digits = text.replace("-", "").replace(" ", "")
    try:
        questions.insert(0, {"isbn": session.system.isbn.parse(text)})
    except Wrong:
        if digits.isascii() and digits.isdigit():
            questions.insert(0, {"isbn": Containing(digits)})
    told: set[str] = set()
    for question in questions:
        for row in session.assignments.where(**question):
            if row.isbn not in told:
                told.add(row.isbn)
                yield row


def show(workspace: Workspace, system: IsbnSystem, isbn: str) -> Details:
    """A number with its history, one that has no row any more too. Raises UnknownIsbn where nothing is known of it."""
    session = Session(workspace, system)
    digits = session.read(isbn)
    row = session.assignments.get(digits)
    history = tuple(session.history.where(isbn=digits, order=("at",)))
    lost = (row is None or row.status == FREE) and session.is_lost(digits)
    if row is None and not history and not lost:
        row = session.existing(digits)
    block = session.block_of(digits)
    return Details(
        digits, row, history, _steps(session, digits, row, lost, block), lost, block.block if block else None
    )


def _steps(session: Session, isbn: str, row: Assignment | None, lost: bool, block: Block | None) -> Sequence[str]:
    if lost:  # where its row was set back it can be reserved, unless it was spent
        return () if row is None or life_of(session.history, isbn).status in SPENT else ("reserved",)
    steps = () if row is None and block is None else allowed(row.status if row else None)
    spent = FREE in steps and past_of(session.history, isbn).spent_besides() is not None
    return [one for one in steps if one != FREE] if spent else steps


def upcoming(workspace: Workspace, system: IsbnSystem, today: dt.date, days: int) -> Iterator[Assignment]:
    """Scheduled numbers from today (overdue ones first) up to so many days ahead, by date and priority."""
    if days < 0:
        found = Finding("is not 0 or more", column="days", value=days, rule="range")
        raise WrongValues("The number of days is wrong.", "Give 0 for today alone.", findings=[found])
    try:
        end = today + dt.timedelta(days=days)
    except OverflowError:
        end = dt.date.max
    return Session(workspace, system).assignments.where(
        status="scheduled", scheduled_date=Between(None, end), order=("scheduled_date", "priority", "isbn")
    )


def blocks(workspace: Workspace, system: IsbnSystem) -> list[BlockUse]:
    """The blocks in the sheet's order, with their figures."""
    session = Session(workspace, system)
    return block_uses(session, session.lost_numbers(), session.unsure_numbers())


def block_uses(session: Session, lost: Collection[str], unsure: Collection[str]) -> list[BlockUse]:
    """The same, where it is known which numbers are lost, and of which nobody can tell."""
    return [_use(session, block, lost, unsure) for block in session.blocks.where()]


def _use(session: Session, block: Block, lost: Collection[str], unsound: Collection[str]) -> BlockUse:
    counted = session.assignments.tally("status", isbn=Between(block.first, block.last))
    by_status = {status: counted.get((status,), 0) for status in STATUSES}
    used = sum(by_status.values()) - by_status[FREE]
    gone = sum(block.first <= isbn <= block.last for isbn in lost)
    unsure = sum(block.first <= isbn <= block.last for isbn in unsound)
    return BlockUse(
        block=block,
        used=used,
        reserved=by_status["reserved"],
        available=block.total - used - gone - unsure,
        utilisation=used / block.total,
        by_status=by_status,
        lost=gone,
        unsure=unsure,
    )
