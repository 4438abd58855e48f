"""Any series of commands, undos, reapplies and older copies: no value of one book gets into the booking of another."""

import datetime as dt

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from batchbook.errors import BatchbookError
from batchbook.isbn.numbers import core_of, isbn_of
from batchbook.tables.records import RecordChange
from batchbook.tables.workspace import Workspace
from tests.isbn.desks import Desk, wanted

FIRST = core_of("9781608880003")
NUMBERS = st.sampled_from([0, 0, 0, 1]).map(lambda offset: isbn_of(FIRST + offset))
BACK = st.integers(1, 7)
"""How many runs, or copies, ago."""
ASSIGNMENTS, HISTORY = "ISBN Assignments", "ISBN History"


def texts_of(book):
    return {"title": f"Title of {book}", "notes": f"notes of {book}"}


class Series(RuleBasedStateMachine):
    """Two numbers; each scheduling is for a book of its own, whose texts name it."""

    def __init__(self):
        super().__init__()
        self.done = []
        """Runs: name, and the changes from before to after by which it can be turned."""
        self.copies = []
        self.since = {}
        """By book: when its number was scheduled."""
        self.lasting = set()
        """Numbers that were published or cancelled."""
        self.books = 0

    @initialize()
    def begin(self):
        self.desk = Desk()
        self.desk.add_block(block="978-1-60888", first="0", last="1")
        self.desk.workspace.take()

    def _do(self, command, *args, **more):
        try:
            done = getattr(self.desk, command)(*args, **more)
        except BatchbookError:
            self.desk.workspace.take()
            return None
        self._remember(self.desk.workspace.take())
        return done

    def _remember(self, changes):
        if changes:
            self.done.append((f"run{self.desk.runs:03}", changes))
        self.lasting |= {row.isbn for row in self.desk.rows if row.status in ("published", "cancelled")}

    def _new_book(self):
        self.books += 1
        return f"B-{self.books}"

    @rule(isbn=NUMBERS, notes=st.booleans())
    def schedule(self, isbn, notes):
        book = self._new_book()
        texts = texts_of(book) if notes else {"title": f"Title of {book}"}
        if self._do("schedule", wanted(book, isbn=isbn, **texts)) is not None:
            self.since[book] = self.desk.row(isbn).assigned_at or self._now()

    @rule(isbn=NUMBERS, notes=st.sampled_from(["notes", "more notes", None]))
    def note(self, isbn, notes):
        row = self.desk.row(isbn)
        if row is not None and row.book_id:
            self._do("update", isbn, {"notes": notes and f"{notes} of {row.book_id}"})

    @rule(isbn=NUMBERS)
    def is_for_another_book(self, isbn):
        row, book = self.desk.row(isbn), self._new_book()
        if row is not None and row.book_id:
            self.since[book] = self.since[row.book_id]
            self._do("update", isbn, {"book_id": book, **texts_of(book)})

    @rule(isbn=NUMBERS)
    def release(self, isbn):
        self._do("release", isbn)

    @rule(isbn=NUMBERS)
    def next_step(self, isbn):
        row = self.desk.row(isbn)
        if row is not None:
            self._do("publish" if row.status == "assigned" else "assign", isbn)

    @rule(isbn=NUMBERS, notes=st.booleans())
    def taken_back_and_given_to_another_book(self, isbn, notes):
        for _ in range(3):
            row = self.desk.row(isbn)
            if row is None or row.status in ("scheduled", "available"):
                break
            last = next(back for back, (_, changes) in enumerate(reversed(self.done), 1)
                        if any(one.key == (isbn,) and "status" in one.after for one in changes))  # fmt: skip
            self._turn(last, "undo")
        self.release(isbn)
        self.schedule(isbn, notes)

    @rule(isbn=NUMBERS)
    def reserve(self, isbn):
        self._do("reserve", isbn=isbn, reason="kept")

    @rule(back=BACK)
    def undo(self, back):
        self._turn(back, "undo")

    @rule(back=BACK)
    def undo_two(self, back):
        self._turn(back, "undo")
        self._turn(back + 2, "undo")

    @rule(back=BACK)
    def reapply(self, back):
        self._turn(back, "reapply")

    def _turn(self, back, verb):
        """As `runs undo` and `runs reapply` do it: records whose cells hold what is expected, if the system agrees."""
        if back > len(self.done):
            return
        name, changes = self.done[-back]
        steps = [step for one in changes if (step := self._step(one, verb)) is not None]
        turning = self.desk.system.turned(self.desk.workspace, verb, name, steps, self.desk.actor)
        kept = [one for one in steps if (one.sheet, one.key) not in turning.refused]
        if any(one.sheet == ASSIGNMENTS for one in kept):
            assert self.desk.workspace.apply([*kept, *turning.changes]) == []
            self._remember(self.desk.workspace.take())

    def _step(self, change, verb):
        kind = next(kind for kind in self.desk.system.types if kind.sheet == change.sheet)
        row = self.desk.workspace.table(kind).record_of(change.key)
        before, after = {name: (change.before or {}).get(name) for name in change.after}, change.after
        if change.sheet == HISTORY:
            return RecordChange(change.sheet, change.key, None, after) if verb == "reapply" and row is None else None
        expected, wants = (before, after) if verb == "reapply" else (after, before)
        if row is None:
            is_new = "isbn" in wants and wants["isbn"] is not None and expected["isbn"] is None
            return RecordChange(change.sheet, change.key, None, wants) if is_new else None
        cells = {c.name: None if (v := getattr(row, c.name)) is None else c.kind.write(v) for c in kind.columns}
        if all(cells[name] == value for name, value in wants.items()):
            return None
        gone = "isbn" in wants and wants["isbn"] is None
        if gone:
            held = all(cells[name] == expected.get(name) for name in cells)
            return RecordChange(change.sheet, change.key, cells, dict.fromkeys(cells)) if held else None
        held = all(cells[name] in (expected[name], wants[name]) for name in wants)
        return RecordChange(change.sheet, change.key, {name: cells[name] for name in wants}, wants) if held else None

    @rule()
    def somebody_opens_it(self):
        self.copies.append((list(self.desk._everything()), len(self.lasting)))

    @rule(back=BACK)
    def somebody_saves_what_they_had_opened(self, back):
        if back <= len(self.copies):
            content, lasting = self.copies[-back]
            fresh, runs = Workspace.empty(self.desk.system.types, "isbn.xlsx"), self.desk.runs
            assert fresh.apply(content) == []
            fresh.take()
            self.desk = Desk(fresh, self.desk.system)
            self.desk.runs = runs
            if lasting < len(self.lasting):
                # The ledger knows the numbers that such a copy takes back; here nobody does.
                self.lasting = {row.isbn for row in self.desk.rows if row.status in ("published", "cancelled")}

    def _now(self):
        return self.desk.actor.now - dt.timedelta(hours=1)

    @invariant()
    def each_booking_has_the_values_of_its_book_alone(self):
        for row in self.desk.rows:
            for text in (row.title, row.notes):
                assert text is None or text.endswith(f" of {row.book_id}"), row

    @invariant()
    def no_number_was_assigned_before_it_was_scheduled(self):
        for row in self.desk.rows:
            assert row.assigned_at is None or row.assigned_at >= self.since[row.book_id], row

    @invariant()
    def what_was_published_is_not_free(self):
        given = {row.isbn for row in self.desk.rows if row.status != "available"}
        assert self.lasting <= given

    @invariant()
    def the_history_tells_the_state_of_each_number(self):
        told = {}
        for entry in sorted(self.desk.history, key=lambda one: one.at):
            if entry.field == "status":
                told[entry.isbn] = entry.after
        there = {row.isbn: row.status for row in self.desk.rows}
        for isbn in told.keys() | there:
            assert told.get(isbn) == there.get(isbn), isbn


TestSeries = Series.TestCase
TestSeries.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
