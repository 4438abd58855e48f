"""A small publisher's ISBNs, as `batchbook init --sample` lays them down: everything in it is invented.

It is as of 22 November 2026: some of the scheduled dates have passed, so that assigning what is due has work.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

from stdnum import ean

from batchbook.isbn.records import ASSIGNMENTS, BLOCKS, HISTORY, Assignment, Block, HistoryEntry

AS_OF: Final = dt.datetime(2026, 11, 22, 6, 0, tzinfo=dt.UTC)
"""What happened before this moment is in the sample's history."""

_PUBLISHERS: Final = {"NORTH": "Northmoor Books", "LANTERN": "Lantern Lane Press"}
_BLOCKS: Final = {
    "NORTH": ("978-1-60888", 1000, dt.date(2025, 9, 1), "The large one; children's books use the other."),
    "LANTERN": ("978-1-945678", 100, dt.date(2025, 12, 1), "For children's books; ask for more at 80 %."),
}
_PEOPLE: Final = ("mira", "tomasz")

# Title, book id, formats: p paperback, h hardcover, e ebook, a audiobook.
_NORTH: Final = (
    ("The Salt Cartographer", "NM-1001", "hpe"),
    ("A Ledger of Small Storms", "NM-1002", "pea"),
    ("Winter Rules for Beekeepers", "NM-1003", "pe"),
    ("What the Ferry Carried", "NM-1004", "hpea"),
    ("Nine Bridges to Orrin", "NM-1005", "pe"),
    ("The Clockmaker's Apprentice Resigns", "NM-1006", "he"),
    ("Bread, Tin and Thunder", "NM-1007", "pe"),
    ("Letters from a Closed Station", "NM-1008", "pea"),
    ("The Quiet Arithmetic of Rivers", "NM-1009", "he"),
    ("Moss: a Slow History", "NM-1010", "hpe"),
    ("An Inventory of Lost Umbrellas", "NM-1011", "pe"),
    ("The Third Lighthouse Keeper", "NM-1012", "pea"),
    ("Cooking for One Hundred", "NM-1013", "h"),
    ("Maps Nobody Folded Back", "NM-1014", "pe"),
    ("=SUM of Its Parts", "NM-1015", "pe"),
    ("The Year Without Envelopes", "NM-1016", "hpe"),
    ("Grammar for Night Trains", "NM-1017", "p"),
)
_LANTERN: Final = (
    ("Otter Learns to Count", "LL-201", "hp"),
    ("The Dragon Who Filed Taxes", "LL-202", "hpe"),
    ("Seven Sleepy Tractors", "LL-203", "h"),
    ("Where Does the Postbox Go?", "LL-204", "hp"),
    ("Pip and the Paper Moon", "LL-205", "hpa"),
    ("Goodnight, Photocopier", "LL-206", "h"),
    ("A Pocketful of Snails", "LL-207", "hpe"),
)
_FORMATS: Final = {"p": "paperback", "h": "hardcover", "e": "ebook", "a": "audiobook"}

# How far the numbers of each imprint are, in the order in which they were given.
_NORTH_STATES: Final = (
    *(("published",) * 10),
    *("cancelled", "published", "published", "available", "assigned", "assigned", "assigned", "assigned"),
    *("cancelled", "assigned", "assigned", "due", "due", "due", "due", "scheduled", "scheduled", "available"),
    *(("scheduled",) * 12),
)
_LANTERN_STATES: Final = (
    *("published", "published", "published", "cancelled", "assigned", "assigned", "due", "due"),
    *("scheduled", "scheduled", "available", "scheduled", "scheduled", "scheduled", "scheduled"),
)
_RESERVED: Final = (  # imprint, offset in its block, reason, notes
    ("NORTH", 100, "Kept for the boxed set of the Orrin novels.", None),
    ("NORTH", 101, "Kept for the boxed set of the Orrin novels.", "The ebook bundle may need another one."),
    ("NORTH", 102, "Printed on a proof cover by mistake; waits for the printer's answer.", None),
    ("LANTERN", 40, "Promised to the co-edition with a partner.", "Contract expected in January."),
    ("LANTERN", 99, "The last number stays free for emergencies.", None),
)
_CANCELLED: Final = (
    "Withdrawn before printing; the author moved to another house.",
    "Edition dropped from the programme.",
    "Printed with a wrong cover and pulped; the reprint has its own number.",
)


def sample_records() -> dict[str, list[Any]]:
    """The records of the sample by sheet: two blocks, some 60 numbers in all states, and their history."""
    story = _Story()
    for imprint, books, states in (("NORTH", _NORTH, _NORTH_STATES), ("LANTERN", _LANTERN, _LANTERN_STATES)):
        wanted = [(title, book, _FORMATS[one]) for title, book, formats in books for one in formats]
        for offset, ((title, book, format), state) in enumerate(zip(wanted, states, strict=True)):
            story.book(imprint, offset, title, book, format, state)
    for imprint, offset, reason, notes in _RESERVED:
        story.reserve(imprint, offset, reason, notes)
    return {
        BLOCKS.sheet: [_block(imprint) for imprint in _BLOCKS],
        ASSIGNMENTS.sheet: story.assignments,
        HISTORY.sheet: list(story.history()),
    }


def _isbn(imprint: str, offset: int) -> str:
    prefix, total, _, _ = _BLOCKS[imprint]
    digits = f"{prefix.replace('-', '')}{offset:0{len(str(total - 1))}d}"
    return digits + str(ean.calc_check_digit(digits))


def _block(imprint: str) -> Block:
    block, total, day, notes = _BLOCKS[imprint]
    prefix, _, code = block.partition("-")
    return Block(
        block=block,
        prefix=prefix,
        publisher_code=code,
        imprint=imprint,
        publisher=_PUBLISHERS[imprint],
        first=_isbn(imprint, 0),
        last=_isbn(imprint, total - 1),
        total=total,
        added_at=_at(day, 9),
        notes=notes,
    )


def _at(day: dt.date, hour: int, minute: int = 0) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(hour, minute), dt.UTC)


@dataclass(frozen=True, slots=True)
class _Step:
    at: dt.datetime
    who: str
    what: str
    isbn: str
    field: str
    before: str | None
    after: str | None
    reason: str | None = None


@dataclass
class _Story:
    """What happened to the numbers, one after the other."""

    assignments: list[Assignment] = field(default_factory=list)
    _steps: list[_Step] = field(default_factory=list)
    _reasons: Iterator[str] = field(default_factory=lambda: iter(_CANCELLED))
    _counted: Iterator[int] = field(default_factory=count)

    def book(self, imprint: str, offset: int, title: str, book: str, format: str, state: str) -> None:
        """A number that was scheduled for a book, and what came of it."""
        number = next(self._counted)
        isbn, who = _isbn(imprint, offset), _PEOPLE[number % 2]
        day = _day(state, number)
        given = _at(min(day - dt.timedelta(days=70), dt.date(2026, 11, 18)), 8, number)
        self._note(given, who, "schedule", isbn, "status", None, "scheduled")
        if state == "available":
            self._note(_at(dt.date(2026, 10, 5), 10, number), who, "release", isbn, "status", "scheduled", "available")
            self.assignments.append(Assignment(isbn=isbn, status="available", block=_BLOCKS[imprint][0]))
            return
        if number % 9 == 4:
            moved = str(day - dt.timedelta(days=14))
            later = given + dt.timedelta(days=3)
            self._note(later, "mira", "update", isbn, "scheduled_date", moved, str(day), "The printer asked for time.")
        assigned = _at(day, 2, number) if state in ("published", "assigned", "cancelled") else None
        if assigned:
            self._note(assigned, "nightly", "assign-due", isbn, "status", "scheduled", "assigned")
        published = _at(day + dt.timedelta(days=21), 12, number) if state == "published" else None
        if published:
            self._note(published, who, "publish", isbn, "status", "assigned", "published")
        reason = next(self._reasons) if state == "cancelled" else None
        if reason:
            when = _at(day + dt.timedelta(days=9), 16, number)
            self._note(when, who, "cancel", isbn, "status", "assigned", "cancelled", reason)
        self.assignments.append(
            Assignment(
                isbn=isbn,
                status="scheduled" if state == "due" else state,
                title=title,
                book_id=book,
                format=format,
                scheduled_date=day,
                priority=1 if number % 7 == 0 else 3 if number % 5 == 3 else 2,
                imprint=imprint,
                publisher=_PUBLISHERS[imprint],
                block=_BLOCKS[imprint][0],
                assigned_at=assigned,
                published_at=published,
                reason=reason,
                notes="Cover text is still missing." if state == "due" and format == "paperback" else None,
            )
        )

    def reserve(self, imprint: str, offset: int, reason: str, notes: str | None) -> None:
        """A number that is kept for a reason."""
        isbn, at = _isbn(imprint, offset), _at(dt.date(2026, 6, 3), 11, next(self._counted) % 60)
        self._note(at, "tomasz", "reserve", isbn, "status", None, "reserved", reason)
        block = _BLOCKS[imprint][0]
        self.assignments.append(Assignment(isbn=isbn, status="reserved", block=block, reason=reason, notes=notes))

    def history(self) -> Iterator[HistoryEntry]:
        """All steps by time."""
        for number, step in enumerate(sorted(self._steps, key=lambda step: step.at), 1):
            yield HistoryEntry(
                entry=f"sample.{number}",
                at=step.at,
                who=step.who,
                what=step.what,
                isbn=step.isbn,
                field=step.field,
                before=step.before,
                after=step.after,
                reason=step.reason,
            )

    def _note(self, *step: Any) -> None:
        self._steps.append(_Step(*step))


def _day(state: str, number: int) -> dt.date:
    """The scheduled date: long ago for what is out, a while ago for what is assigned, by now for what is due."""
    first, apart = {
        "published": (dt.date(2026, 1, 20), 9),
        "cancelled": (dt.date(2026, 3, 10), 6),
        "assigned": (dt.date(2026, 8, 3), 3),
        "due": (dt.date(2026, 11, 9), 3),
        "scheduled": (dt.date(2026, 11, 26), 6),
        "available": (dt.date(2026, 11, 30), 0),
    }[state]
    steps = {"due": number % 5, "scheduled": number % 26, "assigned": number % 29, "published": number % 22}
    return first + dt.timedelta(days=apart * steps.get(state, number % 8))
