"""Taking over an agency's list: numbers that exist with their titles, the blocks that they are of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from batchbook.batch.systems import Actor
from batchbook.errors import BatchbookError, Finding
from batchbook.isbn.agencywords import format_of, status_of
from batchbook.isbn.blocks import block_of_registrant
from batchbook.isbn.bookings import edit, free_again, take_step
from batchbook.isbn.bulk import NOWHERE, Place
from batchbook.isbn.chronicle import ADOPT
from batchbook.isbn.entering import enter_block
from batchbook.isbn.fields import read_field
from batchbook.isbn.records import Assignment, Block
from batchbook.isbn.rules import missing
from batchbook.isbn.session import Session
from batchbook.isbn.states import FREE
from batchbook.isbn.system import IsbnSystem
from batchbook.tables.findings import shortened, wrong_value
from batchbook.tables.kinds import Wrong
from batchbook.tables.workspace import Workspace

HEADERS: Final[Mapping[str, tuple[str, ...]]] = {
    "isbn": ("ISBN", "ISBN-13", "ISBN13", "EAN", "Identifier"),
    "title": ("Title", "Book Title", "Product Title"),
    "format": ("Format", "Product Form", "Binding", "Medium"),
    "status": ("Status", "State", "Title Status"),
}
"""The columns of an agency's list; isbn is needed."""
NEEDED: Final = ("isbn",)
_KEPT_OUT, _REJECTED = "in the agency's list", ", rejected: "
"""Parts of the reason of a number that is reserved because its row was rejected."""
_REASONS: Final = {"reserved": "reserved in the agency's list", "cancelled": "cancelled in the agency's list"}


@dataclass(frozen=True, slots=True)
class AgencyRow:
    """One row of an agency's list."""

    values: Mapping[str, Any]
    """Under own names: texts or cell values."""
    place: Place = NOWHERE
    shown: Mapping[str, str] | None = None
    """What people see in the cells, where they are cells."""
    problem: str | None = None
    """Why the row cannot be taken as it stands, whatever its values are."""


@dataclass(frozen=True, slots=True)
class Adopted:
    """What became of one row."""

    outcome: Literal["done", "unchanged", "rejected"]
    row: AgencyRow
    assignment: Assignment | None = None
    findings: Sequence[Finding] = ()
    """Why it was rejected; warnings of one that was not."""
    block: Block | None = None
    """The block that was entered for it."""
    of: str | None = None
    """The block that its number is of."""
    at_stake: str | None = None
    """Of a rejected row: its number, which can be read, and which the row does not say to be free."""
    kept_out: bool = False
    """Whether that number is reserved, so that it is not given before the row is mended."""


@dataclass(frozen=True, slots=True)
class _Listed:
    """A sound row: what the agency says of a number."""

    isbn: str
    status: str
    details: Mapping[str, Any]
    """Title and format, where they are given."""


class _Rejected(Exception):
    """The row cannot be taken over; nothing of it is kept."""

    def __init__(self, *findings: Finding) -> None:
        super().__init__(findings)
        self.findings = findings


@dataclass(slots=True)
class _Adoption:
    """One row on its way."""

    session: Session
    actor: Actor
    row: AgencyRow
    what: str
    new_blocks: bool
    warnings: list[Finding] = field(default_factory=list)
    block: Block | None = None
    of: str | None = None
    at_stake: str | None = None

    def done(self) -> Adopted:
        """Take it over. Raises _Rejected."""
        listed = self._listed()
        self._find_block(listed)
        held = self.session.assignments.get(listed.isbn)
        if held is not None and is_kept_out(held):
            return self._let_in(held, listed)
        if held is None and listed.status == FREE:
            return self._outcome(None, changed=False)
        if held is None or held.status == FREE != listed.status:
            if self.session.is_lost(listed.isbn):
                said = "was given once, though no row says so; `batchbook isbn check` names it. Put its row right first"
                raise _Rejected(self._at("isbn", said, "lost", listed.isbn))
            return self._outcome(self._take_over(held, listed), changed=True)
        return self._compare(held, listed)

    def _let_in(self, held: Assignment, listed: _Listed) -> Adopted:
        """A number that was kept out as long as its row was wrong gets what the row says now."""
        if listed.status == FREE:
            after = free_again(self.session, self.actor, held.isbn, self.what, None).after
        else:
            after = self._take_over(held, listed)
        return self._outcome(after, changed=True)

    def _outcome(self, assignment: Assignment | None, *, changed: bool) -> Adopted:
        done = changed or self.block is not None
        return Adopted("done" if done else "unchanged", self.row, assignment, tuple(self.warnings), self.block, self.of)

    def _at(self, name: str, said: str, rule: str, value: object = None) -> Finding:
        return self.row.place.at(self.session.system, name, said, rule, value)

    def _warn(self, name: str, said: str, rule: str, value: object = None) -> None:
        at = self._at(name, said, rule, value)
        self.warnings.append(
            Finding(at.message, at.file, at.sheet, at.row, at.column, at.value, rule=rule, warning=True)
        )

    def _listed(self) -> _Listed:
        found: list[Finding] = []
        read = {name: self._value(name, found) for name in HEADERS}
        self.at_stake = None if read["status"] == FREE and not self.row.values.get("title") else read["isbn"]
        if self.row.problem is not None:
            found.append(Finding(self.row.problem, self.row.place.file, row=self.row.place.row, rule="surplus"))
        if read["isbn"] is None and not any(one.column == self._at("isbn", "", "").column for one in found):
            found.append(self._at("isbn", "is blank", "required"))
        status = read["status"] or ("assigned" if read["title"] else FREE)
        if status == FREE and read["title"]:
            said = "says that the number is free, but it has a title"
            found.append(self._at("status", said, "status-ambiguous", self.row.values.get("status")))
        if found:
            raise _Rejected(*found)
        if status != "reserved" and "title" in missing(None, status, read):
            self._warn("title", f"is blank, although the number is {status}", "title-blank")
        details = {name: read[name] for name in ("title", "format") if read[name] is not None}
        return _Listed(read["isbn"], status, details)

    def _value(self, name: str, found: list[Finding]) -> Any:
        system, value = self.session.system, self.row.values.get(name)
        shown = None if self.row.shown is None else self.row.shown.get(name)
        try:
            if name not in ("format", "status"):
                return read_field(system, name, value, shown)
            text = read_field(system, "title", value, shown)
            if text is None:
                return None
            return status_of(text) if name == "status" else format_of(text, system.formats)
        except Wrong as wrong:
            title = self._at(name, "", "").column or name
            found.append(wrong_value(title, value, wrong, self.row.place.finding))
            return None

    def _find_block(self, listed: _Listed) -> None:
        """Enter the block of the number's registrant where the workbook has none that holds the number, if it may be.

        One number is no sign that its whole block is ours: a title that another publisher brings out with us is in the
        list as well.
        """
        session = self.session
        there = session.block_of(listed.isbn)
        if there is not None:
            self.of = there.block
            return
        parts = session.system.ranges.split(listed.isbn)
        if parts is None:
            said = f"is in no block, and its range is not known to the table ({session.system.ranges_date})"
            raise _Rejected(self._at("isbn", f"{said}; enter its block first", "range-unknown", listed.isbn))
        plan = block_of_registrant(parts.registrant_prefix, session.system.ranges)
        if not self.new_blocks:
            name = plan.span.name
            said = (
                f"is in no block of the workbook; {name}, with {plan.total:,} numbers, may be another publisher's. If "
                f"it is yours, enter it with `batchbook isbn add-block {name}` and adopt the list again, or adopt with "
                "--new-blocks"
            )
            raise _Rejected(self._at("isbn", said, "block-unknown", listed.isbn))
        entered = enter_block(session, self.actor, plan, what=self.what)
        self.block, self.of = entered.block, entered.block.block
        self.warnings += entered.warnings

    def _take_over(self, held: Assignment | None, listed: _Listed) -> Assignment:
        """A number that was free for us is the agency's by its list: it gets the state that the list says."""
        session, table = self.session, self.session.assignments
        given = {**listed.details, "status": listed.status, "reason": _REASONS.get(listed.status)}
        if held is None:
            block = session.block_of(listed.isbn)
            assert block is not None
            after = table.insert(Assignment(**{"isbn": listed.isbn, "block": block.block, **given}))
        else:
            after = table.update(listed.isbn, **given)
        before = held.status if held else None
        if before != listed.status:
            session.record(self.actor, self.what, listed.isbn, "status", before, listed.status, given["reason"])
        elif held is not None:
            session.record(self.actor, self.what, listed.isbn, "reason", held.reason, given["reason"])
        return after

    def _compare(self, held: Assignment, listed: _Listed) -> Adopted:
        """A number that has a state here: blanks are filled, contradictions are told."""
        if listed.status == FREE != held.status:
            said = f"is free by the list, but {held.status} in the workbook; it stays so"
            self._warn("status", said, "status-behind", self.row.values.get("status"))
            return self._outcome(held, changed=False)
        wrong = []
        if listed.status != held.status:
            said = f"is {listed.status} by the list, but {held.status} in the workbook"
            wrong.append(self._at("status", said, "status-differs", self.row.values.get("status")))
        for name, value in listed.details.items():
            has = getattr(held, name)
            if has is not None and _plain(has) != _plain(value):
                wrong.append(self._at(name, f"is not what the workbook has: {has}", f"{name}-differs", value))
        if wrong:
            raise _Rejected(*wrong)
        blanks = {name: value for name, value in listed.details.items() if getattr(held, name) is None}
        changed = edit(self.session, self.actor, held, blanks, self.what, None)
        return self._outcome(changed.after, changed=changed.changed)


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def adopt_row(
    workspace: Workspace, system: IsbnSystem, actor: Actor, row: AgencyRow, *, new_blocks: bool, what: str = ADOPT
) -> Adopted:
    """Take over one row, whole or not at all.

    new_blocks: the block of its registrant is entered where the workbook has none; else such a row is rejected. Raises
    Unsound where rows of the workbook break the rules of their sheet.
    """
    session = Session(workspace, system)
    session.must_be_sound()
    adoption = _Adoption(session, actor, row, what, new_blocks)
    findings: Sequence[Finding]
    try:
        with workspace.whole():
            return adoption.done()
    except _Rejected as rejected:
        findings = rejected.findings
    except BatchbookError as error:
        at = row.place.at(system, "isbn", error.what, error.code, row.values.get("isbn"))
        findings = error.findings or (at,)
    return Adopted("rejected", row, findings=findings, at_stake=adoption.at_stake)


def adopt(
    workspace: Workspace,
    system: IsbnSystem,
    actor: Actor,
    rows: Iterable[AgencyRow],
    *,
    new_blocks: bool | None = None,
    what: str = ADOPT,
) -> Iterator[Adopted]:
    """Take over rows, one after another. rows in = done + unchanged + rejected.

    The number of a rejected row that can be read is reserved, unless the row says that it is free: the agency knows it,
    and what is wrong with its row is no reason to give it to another book. When its row was mended, the list can be
    adopted again. Such rows come last, for another row of the same number may be right.

    new_blocks: whether blocks that the workbook does not have are entered; left out, only where it has no block yet.
    """
    session = Session(workspace, system)
    if new_blocks is None:
        new_blocks = session.blocks.count() == 0
    at_stake = []
    for row in rows:
        adopted = adopt_row(workspace, system, actor, row, new_blocks=new_blocks, what=what)
        # Without new blocks a number of none cannot become one that is given.
        if adopted.at_stake and (new_blocks or session.block_of(adopted.at_stake)):
            at_stake.append(adopted)
        else:
            yield adopted
    for adopted in at_stake:
        yield _keep_out(session, actor, adopted, what)


def _keep_out(session: Session, actor: Actor, adopted: Adopted, what: str) -> Adopted:
    """The same, with its number reserved where it would be given else."""
    isbn = adopted.at_stake
    assert isbn is not None
    if session.block_of(isbn) is None:
        return adopted
    if not session.taken(isbn):
        place, said = adopted.row.place, "; ".join(_worded(finding) for finding in adopted.findings)
        day = actor.now.astimezone(actor.zone).date()
        listed = " ".join(filter(None, [_KEPT_OUT, place.file, f"of {day}"]))
        at = f", row {place.row}" if place.row is not None else ""
        reason = f"{listed}{at}{_REJECTED}{shortened(said)}"
        take_step(session, actor, isbn, "reserved", what, reason=reason, changes={"reason": reason})
    held = session.assignments.get(isbn)
    return replace(adopted, kept_out=held is not None and is_kept_out(held))


def _worded(finding: Finding) -> str:
    value = "" if finding.value is None else f" ({finding.value})"
    return f"{finding.column or ''} {finding.message}{value}".strip()


def is_kept_out(row: Assignment) -> bool:
    """Whether a number is reserved for nothing but that its row of an agency's list was rejected."""
    reason = row.reason or ""
    return row.status == "reserved" and row.book_id is None and reason.startswith(_KEPT_OUT) and _REJECTED in reason
