"""The lowest free number of a block, against a plain set of numbers: whatever is given, given back and undone."""

from hypothesis import given
from hypothesis import strategies as st

from batchbook.isbn.freenumbers import FreeNumbers
from batchbook.isbn.numbers import core_of, isbn_of

START = 978160888000


class Rows:
    """Rows as a dict: core -> whether it is free; and cores that are lost."""

    def __init__(self, rows, lost=()):
        self.rows = dict(rows)
        self.lost = set(lost)
        self.counted = 0

    def taken(self, isbn):
        core = core_of(isbn)
        return not self.rows[core] if core in self.rows else core in self.lost

    def available_rows(self, first, last):
        return [isbn_of(core) for core, free in self.rows.items() if free and first <= isbn_of(core) <= last]

    def has_row(self, isbn):
        return core_of(isbn) in self.rows

    def rows_between(self, first, last):
        self.counted += 1
        return sum(first <= core <= last for core in self.rows)

    def lowest(self, first, last):
        free = (core for core in range(first, last + 1) if not self.taken(isbn_of(core)))
        return next(map(isbn_of, free), None)


CORES = st.integers(START - 3, START + 25)


@given(rows=st.dictionaries(CORES, st.booleans()), lost=st.sets(CORES), size=st.integers(1, 20), data=st.data())
def test_each_is_the_lowest_that_is_free_as_things_stand(rows, lost, size, data):
    held = Rows(rows, lost - set(rows))
    free = FreeNumbers(isbn_of(START), isbn_of(START + size - 1))
    given_now = []
    for _ in range(data.draw(st.integers(1, 30))):
        what = data.draw(st.sampled_from(["give", "look", "release", "undo"]))
        if what == "release" and held.rows:
            core = data.draw(st.sampled_from(sorted(held.rows)))
            if not held.rows[core]:
                held.rows[core] = True
                free.back(isbn_of(core))
                given_now.clear()  # what was given before a release is not undone without it
        elif what == "undo":
            while given_now:
                core, before = given_now.pop()
                held.rows.pop(core) if before is None else held.rows.update({core: before})
        else:
            found = free.next(held)
            assert found == held.lowest(START, START + size - 1)
            if found is not None and what == "give":
                given_now.append((core_of(found), held.rows.get(core_of(found))))
                held.rows[core_of(found)] = False


def test_a_gap_behind_many_rows_is_found_by_a_few_counts():
    held = Rows(dict.fromkeys(range(START, START + 900), False))
    free = FreeNumbers(isbn_of(START), isbn_of(START + 999))
    assert free.next(held) == isbn_of(START + 900)
    assert held.counted < 40


def test_a_block_of_a_million_numbers_is_not_looked_through_for_its_free_ones():
    held = Rows({})
    free = FreeNumbers(isbn_of(978019000000), isbn_of(978019999999))
    for core in range(978019000000, 978019000010):
        assert free.next(held) == isbn_of(core)
        held.rows[core] = False
    assert held.counted == 0
