"""Any series of commands: no number is given twice, the states go by the allowed steps, the history tells it all."""

from collections import Counter

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from stdnum import isbn as stdnum_isbn

from batchbook.errors import BatchbookError
from batchbook.isbn import adopt, queries
from batchbook.isbn.numbers import core_of, isbn_of
from tests.isbn.desks import Desk, wanted

STEPS = {
    (None, "reserved"), (None, "scheduled"), ("available", "reserved"), ("available", "scheduled"),
    ("reserved", "available"), ("reserved", "scheduled"), ("scheduled", "assigned"), ("scheduled", "reserved"),
    ("scheduled", "available"), ("assigned", "published"), ("assigned", "cancelled"), ("published", "cancelled"),
}  # fmt: skip
"""As the requirements have them; None: untouched."""
SPENT = {"assigned", "published", "cancelled"}
LIVING = {"scheduled", "assigned", "published"}
FIRST = core_of("9781608880003")
# Two stretches that overlap, and numbers before, between and behind them.
NUMBERS = st.integers(-1, 14).map(lambda offset: isbn_of(FIRST + offset))
BOOKS = st.sampled_from(["B-1", "B-2", "B-3", "B-4"])
FORMATS = st.sampled_from(["ebook", "paperback", None])


class GoneWrong(Exception):
    """Something outside failed after a command had staged its changes."""


class Life(RuleBasedStateMachine):
    """Commands on a workbook with two small blocks that overlap, and what is known of each number."""

    def __init__(self):
        super().__init__()
        self.status = {}
        self.spent = set()
        self.adopted = set()

    @initialize(saved=st.booleans())
    def begin(self, saved):
        self.desk = Desk()
        self.desk.add_block(block="978-1-60888", first="0", last="7")
        self.desk.add_block(block="978-1-60888", first="5", last="11", imprint="Night")
        if saved:
            self.save()

    def _do(self, command, *args, **more):
        """A command either takes one number an allowed step, or changes no state."""
        try:
            done = command(*args, **more)
        except BatchbookError:
            self._states_are(self.status)
            return None
        now = self._states()
        changed = {isbn for isbn in {*now, *self.status} if now.get(isbn) != self.status.get(isbn)}
        assert len(changed) <= 1
        for isbn in changed:
            assert (self.status.get(isbn), now.get(isbn)) in STEPS
            if now[isbn] == "scheduled" and self.status.get(isbn) != "reserved":
                assert isbn not in self.spent
        self.spent |= {isbn for isbn in now if now[isbn] in SPENT}
        self.status = now
        return done

    def _states(self):
        return {row.isbn: row.status for row in self.desk.rows}

    def _states_are(self, wanted):
        assert self._states() == wanted

    @rule(book=BOOKS, form=FORMATS, isbn=st.none() | NUMBERS, more=st.sampled_from([{}, {"imprint": "Night"}]),
          on_difference=st.sampled_from(["refuse", "update"]))  # fmt: skip
    def schedule(self, book, form, isbn, more, on_difference):
        held = [row for row in self.desk.rows if (row.book_id, row.format) == (book, form) and row.status in SPENT]
        done = self._do(self.desk.schedule, wanted(book, form, isbn=isbn, **more), on_difference=on_difference)
        if done is None:
            return
        assert isbn in (None, done.assignment.isbn)
        if form is not None:
            assert (done.assignment.book_id, done.assignment.format) == (book, form)
            living = [row.isbn for row in held if row.status != "cancelled"]
            assert living in ([], [done.assignment.isbn])

    @rule(isbn=NUMBERS)
    def assign(self, isbn):
        self._do(self.desk.assign, isbn)

    @rule(isbn=st.none() | NUMBERS, block=st.sampled_from([None, "978-1-60888:0005-0011", "978-1-60888:005-011"]))
    def reserve(self, isbn, block):
        self._do(self.desk.reserve, isbn=isbn, block=block, reason="kept", notes="a note")

    @rule(isbn=NUMBERS)
    def release(self, isbn):
        done = self._do(self.desk.release, isbn)
        if done is not None:
            assert (done.after.title, done.after.book_id, done.after.reason, done.after.notes) == (None,) * 4

    @rule(isbn=NUMBERS, book=BOOKS, form=st.sampled_from(["ebook", "hardcover"]))
    def update(self, isbn, book, form):
        self._do(self.desk.update, isbn, {"book_id": book, "format": form, "title": f"Title of {book}"})

    @rule(isbn=NUMBERS)
    def publish(self, isbn):
        self._do(self.desk.publish, isbn)

    @rule(isbn=NUMBERS)
    def cancel(self, isbn):
        self._do(self.desk.cancel, isbn, reason="not printed")

    @rule(isbn=NUMBERS, status=st.sampled_from(["published", "available", "reserved", "", "nonsense"]))
    def adopt(self, isbn, status):
        before = self._states()
        kept_out = any(adopt.is_kept_out(row) for row in self.desk.rows if row.isbn == isbn)
        row = adopt.AgencyRow({"isbn": isbn, "status": status, "title": "Adopted" if status == "published" else ""})
        (done,) = adopt.adopt(self.desk.workspace, self.desk.system, self.desk.actor, [row])
        now = self._states()
        changed = {one for one in now if now[one] != before.get(one)}
        assert changed <= {isbn}
        if changed:
            assert (done.outcome, now[isbn]) == (("rejected", "reserved") if done.kept_out else ("done", now[isbn]))
            assert kept_out or before.get(isbn) in (None, "available")
        elif done.outcome == "rejected":
            assert now.get(isbn) not in (None, "available") or not any(
                first <= isbn <= last for first, last in ((isbn_of(FIRST), isbn_of(FIRST + 11)),)
            )
        self.status = now
        self.spent |= {isbn for isbn in now if now[isbn] in SPENT}

    @rule(book=BOOKS, count=st.integers(1, 3))
    def several_come_to_nothing(self, book, count):
        try:
            with self.desk.workspace.whole():
                for number in range(count):
                    self.desk.schedule(wanted(f"{book}x{number}"))
                raise GoneWrong
        except (GoneWrong, BatchbookError):
            self._states_are(self.status)

    @rule()
    def save(self):
        self.desk = self.desk.saved()

    @invariant()
    def no_number_is_given_twice(self):
        rows = self.desk.rows
        assert len({row.isbn for row in rows}) == len(rows)
        books = Counter((row.book_id, row.format) for row in rows if row.book_id and row.status in LIVING)
        assert max(books.values(), default=1) == 1

    @invariant()
    def a_spent_number_is_never_free_again(self):
        assert {isbn for isbn, status in self._states().items() if status in SPENT} == self.spent

    @invariant()
    def check_digits_are_right(self):
        assert all(stdnum_isbn.validate(row.isbn) == row.isbn for row in self.desk.rows)

    @invariant()
    def counts_equal_the_rows(self):
        for use in queries.blocks(self.desk.workspace, self.desk.system):
            mine = [row for row in self.desk.rows if use.block.first <= row.isbn <= use.block.last]
            taken = [row for row in mine if row.status != "available"]
            assert use.used == len(taken) == use.block.total - use.available
            assert use.reserved == sum(row.status == "reserved" for row in mine)
            assert use.utilisation == use.used / use.block.total

    @invariant()
    def the_history_tells_the_state_of_each_number(self):
        told = {}
        for entry in self.desk.history:
            if entry.field == "status":
                assert told.get(entry.isbn) == entry.before
                told[entry.isbn] = entry.after
        assert told == self._states()

    @invariant()
    def no_row_of_the_history_has_the_name_of_another(self):
        entries = Counter(entry.entry for entry in self.desk.history)
        assert max(entries.values(), default=1) == 1

    @invariant()
    def nothing_is_found_wrong(self):
        assert [fault for fault in self.desk.faults() if fault[0] != "overlap"] == []


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
