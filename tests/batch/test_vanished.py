"""Writes that vanish because somebody saves an old copy over the workbook; and what is not taken for that."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchbook.batch import vanished
from batchbook.batch.controller import local_now
from batchbook.batch.undo import reapply_run
from batchbook.batch.vanished import look_for_vanished
from batchbook.storage.backups import BackupStore
from tests.batch.helpers import Site, counted, people, shout

ROWS = 12
AFTER = {f"K{n}": f"name {n}!" for n in range(1, ROWS + 1)}


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path / "work", people(ROWS))


def look(site):
    with site.ledger() as ledger:
        return look_for_vanished(ledger, site.book)


def found(site):
    return [(one.run, one.cells, one.rows) for one in look(site).vanished]


class Stale:
    """Somebody opens the workbook now, and saves it over whatever is there later."""

    def __init__(self, site):
        self._site = site
        self._content = site.book.read_bytes()

    def save(self, change=lambda sheet: sheet.__setitem__("D2", "a note")):
        self._site.book.write_bytes(self._content)
        self._site.edit(change)


def second(row):
    return {"Result": f"second {row['Name']}"}


def test_an_old_copy_that_is_saved_over_the_results_is_found(site):
    stale = Stale(site)
    run = site.run()
    assert found(site) == []
    stale.save()
    assert found(site) == [(run.run_id, ROWS, ROWS)]
    (one,) = look(site).vanished
    assert (one.job, len(one.examples)) == ("small", 3)
    assert "C2 (K1, Result) holds nothing, not 'name 1!'" in one.line
    assert f"runs reapply {run.run_id}" in look(site).lines[0]


def test_it_is_found_where_the_old_copy_was_edited_and_sorted(site):
    site.run()
    stale = Stale(site)
    site.use(second)
    run = site.run()

    def change(sheet):
        sheet.delete_rows(3)
        sheet.insert_rows(2)
        sheet["C5"] = "mine"
        sheet["C6"] = None

    stale.save(change)
    assert found(site) == [(run.run_id, ROWS - 3, ROWS - 3)]


def test_the_writes_of_several_runs_are_found_the_oldest_first(site):
    first = site.run()
    stale = Stale(site)
    runs = []
    for n in (2, 3):
        site.use(lambda row, n=n: {"Result": f"{n} {row['Name']}"})
        runs.append(site.run().run_id)
    stale.save()
    assert found(site) == [(run, ROWS, ROWS) for run in runs]
    assert first.run_id not in runs


def test_of_a_run_that_saved_several_times_the_later_saves_are_found(tmp_path):
    site = Site(tmp_path / "w", people(ROWS))
    copies = []

    def work(row):
        if row.key == ("K7",):
            copies.append(Stale(site))
        return shout(row)

    site.use(work)
    run = site.run()
    copies[0].save()
    assert found(site) == [(run.run_id, 6, 6)]


def test_where_nobody_touched_the_file_since_it_is_not_even_read(site, monkeypatch):
    site.run()
    monkeypatch.setattr(vanished.Book, "open", None)
    assert look(site).lines == ()


@pytest.mark.parametrize(
    "change",
    [
        lambda sheet: sheet.__setitem__("C2", None),
        lambda sheet: [sheet.__setitem__(f"C{n}", None) for n in range(2, ROWS + 1)],
        lambda sheet: [sheet.__setitem__(f"C{n}", "mine") for n in range(2, ROWS + 2)],
        lambda sheet: sheet.delete_rows(2, ROWS - 1),
        lambda sheet: sheet.__setitem__("D2", "a note"),
    ],
    ids=["one cell emptied", "all but one emptied", "all written anew", "rows deleted", "a note"],
)
def test_what_people_do_is_not_taken_for_it(site, change):
    site.run()
    site.edit(change)
    assert look(site).lines == ()


def test_one_column_of_two_that_was_emptied_is_not_taken_for_it(tmp_path):
    def work(row):
        return {"Result": f"{row['Name']}!", "Note": "noted"}

    site = Site(tmp_path / "w", people(ROWS), work, writes=["Result", "Note"], reads=["Key", "Name"])
    site.run()
    site.edit(lambda sheet: [sheet.__setitem__(f"C{n}", None) for n in range(2, ROWS + 2)])
    assert look(site).lines == ()


def test_a_save_of_a_row_or_two_is_never_said_to_have_vanished(site):
    stale = Stale(site)
    site.run(keys=("K1", "K2"))
    stale.save()
    assert found(site) == []


def test_what_was_undone_or_restored_on_purpose_has_not_vanished(site):
    from batchbook.batch.controller import local_now
    from batchbook.batch.recovery import restore_backup
    from batchbook.batch.undo import undo_run

    job = site.job()
    run = site.run()
    with site.ledger() as ledger:
        undo_run(job.base, ledger, run.run_id, wait=0, clock=local_now, warn=print)
    site.cell("D2", "a note")
    assert found(site) == []
    site.use(second)
    site.run()
    store = BackupStore(job.base.backups_folder, site.book)
    restore_backup(job.base, store, next(one for one in store.list() if one.kind == "before"), print)
    assert set(site.results().values()) == {None}
    assert found(site) == []
    stale = Stale(site)
    run = site.run()
    stale.save()
    assert found(site) == [(run.run_id, ROWS, ROWS)]


def test_a_state_put_back_and_forward_again_is_missed_like_any_other(site):
    from batchbook.batch.recovery import restore_backup

    stale = Stale(site)
    run = site.run()
    store = BackupStore(site.job().base.backups_folder, site.book)
    restore_backup(site.job().base, store, store.list()[-1], print)
    restore_backup(site.job().base, store, next(one for one in store.list() if one.run == "restore"), print)
    assert found(site) == []
    stale.save()
    assert found(site) == [(run.run_id, ROWS, ROWS)]


def test_a_header_that_is_gone_leaves_it_unknown_and_says_so(site):
    site.run()
    site.cell("C1", "Outcome")
    (line,) = look(site).lines
    assert "cannot be told" in line
    assert "Result" in line
    site.book.write_bytes(b"no workbook")
    (line,) = look(site).lines
    assert "cannot be told" in line


def reapply(site, run):
    with site.ledger() as ledger:
        return reapply_run(site.job().base, ledger, run, wait=0, clock=local_now, warn=print).reapply_run


def two_vanished(site, column):
    """Two runs that an old copy from before both was saved over; gives their ids."""
    stale = Stale(site)
    first = site.run().run_id
    site.make_job(lambda row: {column: f"second {row['Name']}"}, writes=[column], job="second")
    later = site.run().run_id
    stale.save(lambda sheet: sheet.__setitem__("E2", "a note"))
    return first, later


@pytest.mark.parametrize("column", ["Result", "Note"])
def test_of_two_runs_the_second_is_still_listed_when_the_first_was_put_back(site, column):
    first, later = two_vanished(site, column)
    lost = look(site).vanished
    assert [one.run for one in lost] == [first, later]
    assert all(len(one.examples) == 3 for one in lost)
    assert "C2 (K1, Result) holds nothing, not 'name 1!'" in lost[0].line
    reapply(site, first)
    assert found(site) == [(later, ROWS, ROWS)]
    reapply(site, later)
    assert look(site).lines == ()


def test_and_the_first_when_the_second_was_put_back_before_it(site):
    first, later = two_vanished(site, "Note")
    reapply(site, later)
    assert found(site) == [(first, ROWS, ROWS)]
    reapply(site, first)
    assert look(site).lines == ()


def test_what_a_reapply_put_back_can_vanish_again(site):
    first, later = two_vanished(site, "Note")
    content = site.book.read_bytes()
    turn = reapply(site, later)
    site.book.write_bytes(content)
    site.cell("E3", "another note")
    assert {run for run, _, _ in found(site)} == {first, turn}
    reapply(site, first)
    reapply(site, turn)
    assert look(site).lines == ()
    assert site.results(3)["K1"] == "second name 1"


def test_the_next_start_lists_what_vanished_and_may_write_there_again(site):
    site.run()
    stale = Stale(site)
    site.use(second)
    run = site.run()
    stale.save(lambda sheet: sheet.__setitem__("C3", "mine"))
    site.use(lambda row: {"Result": f"third {row['Name']}"})
    result = site.run()
    (vanished_,) = result.as_dict()["vanished"]
    assert (vanished_["run_id"], vanished_["cells"]) == (run.run_id, ROWS - 1)
    (told,) = [said for said in site.warnings() if f"runs reapply {run.run_id}" in said]
    assert "This run writes them again in the rows that it selects; for the rest there is" in told
    assert result.conflicts == 1
    assert site.results() == {**{f"K{n}": f"third name {n}" for n in range(1, ROWS + 1)}, "K2": "mine"}
    assert "vanished" not in site.run().as_dict()


def test_what_another_jobs_run_lost_is_not_said_to_be_written_again(site):
    first, later = two_vanished(site, "Note")
    said = {run: line for run in (first, later) for line in look(site).lines_for("second") if run in line}
    assert ("writes them again" in said[first], "writes them again" in said[later]) == (False, True)
    assert not any("writes them again" in line for line in look(site).lines)


def test_a_resumed_run_lists_what_it_had_saved_itself(site):
    copies = []

    def work(row):
        if row.key == ("K1",):
            copies.append(Stale(site))
        return shout(row)

    run = site.interrupted(8, processor=work)
    copies[0].save()
    work, seen = counted()
    site.use(work)
    result = site.run("auto")
    assert result.run_id == run.run_id
    assert result.as_dict()["vanished"][0]["run_id"] == run.run_id
    assert "K1" not in seen


VALUES = st.sampled_from([None, "a", "b"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(VALUES, VALUES), min_size=4, max_size=10), st.data())
def test_a_whole_old_state_is_found_and_a_few_edits_are_not(tmp_path_factory, cells, data):
    written = [(before, after) for before, after in cells if before != after and after is not None]
    rows = [[f"K{n}", "x", before, None] for n, (before, _) in enumerate(written, 1)]
    wanted = {f"K{n}": after for n, (_, after) in enumerate(written, 1)}
    # One save: that a person emptied all rows of the newest one cannot be told from an older copy.
    site = Site(
        tmp_path_factory.mktemp("vanished") / "w", rows or people(1), lambda row: {"Result": wanted[row.key[0]]},
        batch={"strategy": "fixed", "size": 20},
    )  # fmt: skip
    if len(rows) < 3:
        return
    stale = Stale(site)
    run = site.run()
    touched = data.draw(st.sets(st.integers(0, len(rows) - 1), max_size=len(rows) // 2))
    fresh = Stale(site)
    stale.save()
    assert found(site) == [(run.run_id, len(rows), len(rows))]
    fresh.save(lambda sheet: [sheet.__setitem__(f"C{n + 2}", rows[n][2]) for n in touched])
    assert found(site) == []
