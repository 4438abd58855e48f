"""What a run says at its end where an older copy took back what it had saved itself."""

from __future__ import annotations

import pytest

from batchbook.batch.controller import local_now
from batchbook.batch.undo import reapply_run
from tests.batch.helpers import Site, people, shout

ROWS = 12
ALL = {f"K{n}": f"name {n}!" for n in range(1, ROWS + 1)}


def changed_meanwhile(site, at, change):
    """A run during which somebody changes the workbook when it is at the row of this key."""

    def work(row):
        if row.key == (at,):
            change()
        return shout(row)

    site.use(work)
    result = site.run()
    site.use(shout)
    return result, [said for said in site.warnings() if "runs reapply" in said]


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path / "w", people(ROWS))


def older_copy(site):
    content = site.book.read_bytes()

    def save():
        site.book.write_bytes(content)
        site.cell("D2", "a note")

    return save


def test_an_older_copy_saved_during_the_run_is_told_at_its_end_with_the_way_back(site):
    result, said = changed_meanwhile(site, "K8", older_copy(site))
    assert (result.conflicts, result.exit_code) == (6, 0)
    (line,) = said
    assert line.startswith("6 cells in 6 rows that this run had written hold again what they held before it")
    assert f"batchbook runs reapply {result.run_id}" in line
    with site.ledger() as ledger:
        job = site.job()
        done = reapply_run(job.base, ledger, result.run_id, wait=0, clock=local_now, warn=print)
    assert (done.restored, list(done.kept), site.results()) == (6, [], ALL)


def test_so_is_one_with_an_older_result(site):
    site.use(lambda row: {"Result": "first"})
    site.run()
    _, said = changed_meanwhile(site, "K8", older_copy(site))
    assert len(said) == 1
    assert list(site.results().values()).count("first") == 6


def test_two_cells_that_a_person_emptied_are_listed_as_conflicts_and_that_is_all(site):
    def empty():
        site.edit(lambda sheet: [sheet.__setitem__(f"C{n}", None) for n in (2, 3)])

    result, said = changed_meanwhile(site, "K8", empty)
    assert (result.conflicts, said) == (2, [])


def test_nor_are_values_that_a_person_typed_told(site):
    def typed():
        site.edit(lambda sheet: [sheet.__setitem__(f"C{n}", "mine") for n in range(2, 8)])

    result, said = changed_meanwhile(site, "K8", typed)
    assert (result.conflicts, said) == (6, [])


def test_an_older_copy_in_which_a_person_typed_since_counts_what_is_there_at_last(site):
    save = older_copy(site)

    def at(row):
        if row.key == ("K8",):
            save()
        if row.key == ("K11",):
            site.edit(lambda sheet: [sheet.__setitem__(f"C{n}", "mine") for n in range(2, 6)])
        return shout(row)

    site.use(at)
    site.run()
    assert not [said for said in site.warnings() if "runs reapply" in said]
