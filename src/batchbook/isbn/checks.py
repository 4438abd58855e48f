"""What can be wrong across the rows of an ISBN workbook although each row is sound for itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from batchbook.errors import Finding
from batchbook.isbn.bookings import LIVING
from batchbook.isbn.chronicle import Life, is_given, lives
from batchbook.isbn.numbers import core_of
from batchbook.isbn.records import Assignment
from batchbook.isbn.session import Session
from batchbook.isbn.spans import BlockIndex, overlaps, span_of
from batchbook.tables.filters import Alike, AnyOf
from batchbook.tables.findings import shortened
from batchbook.tables.kinds import CellValue
from batchbook.tables.workspace import RecordTable, Workspace

if TYPE_CHECKING:
    from batchbook.isbn.system import IsbnSystem


def check(workspace: Workspace, system: IsbnSystem) -> Iterator[Finding]:
    """All findings: of blocks, of numbers in the order of ISBNs, of books with several numbers."""
    session = Session(workspace, system)
    yield from _of_blocks(session)
    yield from _of_numbers(session)
    yield from _of_books(session)


def finding_of(
    session: Session,
    table: RecordTable[Any],
    field: str,
    key: str,
    said: str,
    rule: str,
    value: CellValue = None,
    *,
    warning: bool = False,
) -> Finding:
    """A finding at a field of a record; it may have no row."""
    kind = table.kind
    return Finding(
        said, session.workspace.file, kind.sheet, table.place(key), kind.column(field).header, shortened(value),
        rule=rule, warning=warning,
    )  # fmt: skip


def _of_blocks(session: Session) -> Iterator[Finding]:
    for one, other in overlaps(span_of(block) for block in session.blocks.where()):
        said = f"overlaps the block {one.name}; a number of both is given once all the same"
        yield finding_of(session, session.blocks, "block", other.name, said, "overlap", other.name, warning=True)


def _of_numbers(session: Session) -> Iterator[Finding]:
    """Rows and the history side by side, both sorted by number."""
    index = BlockIndex([span_of(block) for block in session.blocks.where()])
    spans = {block.block: span_of(block) for block in session.blocks.where()}
    told: set[str] = set()
    for isbn, row, life in _side_by_side(session.assignments.where(order=("isbn",)), lives(session.history)):
        if row is None:
            if life is not None and is_given(life.status) and not _unsound(session, isbn):
                told.add(isbn)
                yield _lost(session, isbn, life)
            continue
        yield from _place_faults(session, row, index, spans)
        yield from _history_faults(session, row, life)
    for isbn in session.lost_by_ledger():
        if isbn not in told:
            yield _lost(session, isbn, None)
    for isbn in session.freed_by_ledger():
        said = (
            "is not what a command wrote last: somebody typed it, or saved an older copy over the workbook; the number "
            f"is not given. Put it right: {session.way_back(isbn)}"
        )
        yield finding_of(session, session.assignments, "status", isbn, said, "set-back", "available")


def _side_by_side(
    rows: Iterable[Assignment], found: Iterable[Life]
) -> Iterator[tuple[str, Assignment | None, Life | None]]:
    rows, found = iter(rows), iter(found)
    row, life = next(rows, None), next(found, None)
    while row is not None or life is not None:
        isbn = min(one.isbn for one in (row, life) if one is not None)
        mine = row if row is not None and row.isbn == isbn else None
        its = life if life is not None and life.isbn == isbn else None
        yield isbn, mine, its
        row = next(rows, None) if mine is not None else row
        life = next(found, None) if its is not None else life


def _unsound(session: Session, isbn: str) -> bool:
    """Whether a number has a row that breaks a rule: its findings are told elsewhere."""
    return session.assignments.there((isbn,))


def _lost(session: Session, isbn: str, life: Life | None) -> Finding:
    was = f" (it was {life.status})" if life is not None and life.status else ""
    said = (
        f"was given once{was}, and its row is gone; it is never given again. Put the row back: {session.way_back(isbn)}"
    )
    return finding_of(session, session.assignments, "isbn", isbn, said, "lost", session.show(isbn))


def _place_faults(session: Session, row: Assignment, index: BlockIndex, spans: dict[str, Any]) -> Iterator[Finding]:
    table, core = session.assignments, core_of(row.isbn)
    span = index.of(core)
    shown = session.show(row.isbn)
    if span is None:
        yield finding_of(session, table, "isbn", row.isbn, "is in no block", "no-block", shown, warning=True)
    elif row.block is None:
        said = f"is blank, but the number is of the block {span.name}"
        yield finding_of(session, table, "block", row.isbn, said, "block-blank", warning=True)
    if row.block is not None and row.block in spans and core not in spans[row.block]:
        where = f"of the block {span.name}" if span else "in no block"
        said = f"is another block than that of the number {shown}, which is {where}"
        yield finding_of(session, table, "block", row.isbn, said, "other-block", row.block)
    if session.system.ranges.split(row.isbn) is None:
        said = f"is an ISBN, but its range is not known to the table ({session.system.ranges_date})"
        yield finding_of(session, table, "isbn", row.isbn, said, "range-unknown", shown, warning=True)


def _history_faults(session: Session, row: Assignment, life: Life | None) -> Iterator[Finding]:
    table = session.assignments
    if life is None:
        if is_given(row.status):
            said = "is not in the history: somebody typed this row"
            yield finding_of(session, table, "status", row.isbn, said, "no-history", row.status, warning=True)
    elif (life.status or "available") != row.status:
        said = f"is not what the history says ({life.status or 'untouched'}): somebody changed it in the sheet"
        yield finding_of(session, table, "status", row.isbn, said, "history-differs", row.status, warning=True)
    if row.status in ("assigned", "published") and row.assigned_at is None and not (life and life.adopted):
        said = f"is blank, although the number is {row.status}"
        yield finding_of(session, table, "assigned_at", row.isbn, said, "assigned-when", warning=True)


def _of_books(session: Session) -> Iterator[Finding]:
    living = AnyOf([state for state in LIVING if state != "reserved"])
    table = session.assignments
    counted: Counter[tuple[str, str | None]] = Counter()
    for (book, form), count in table.tally("book_id", "format", status=living).items():
        if book is not None:
            counted[book.casefold(), form] += count
    for book, form in (held for held, count in counted.items() if count > 1):
        rows = list(table.where(book_id=Alike(book), format=form, status=living))
        for row in rows:
            others = ", ".join(session.show(one.isbn) for one in rows if one is not row)
            said = f"has another number for {form or 'no certain format'}: {others}"
            yield finding_of(session, table, "book_id", row.isbn, said, "book-twice", row.book_id)
