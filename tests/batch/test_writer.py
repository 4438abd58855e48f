"""People at the same workbook while a run is going."""

import contextlib
import dataclasses
import json
import tempfile
import threading
import time
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchbook.batch import waiting
from batchbook.batch import writer as module
from batchbook.batch.controller import BatchController
from batchbook.batch.progress import BatchDone, RowsCommitted, Saved
from batchbook.batch.recovery import restore_backup
from batchbook.batch.start import StartRequest
from batchbook.storage import saver
from batchbook.storage.backups import BackupStore
from tests.batch.helpers import HEADERS, SETTINGS, Died, Site, people, shout


def during(site, edits, **request):
    """A run; each edit is made by a person at the end of the batch of its number."""
    edits = dict(edits)

    def listen(event):
        site.events.append(event)
        if isinstance(event, BatchDone) and event.number in edits:
            edits.pop(event.number)()

    site.events = []
    result = BatchController(site.job(), StartRequest(mode="fresh", **request), events=listen).run()
    assert not edits
    return result


def conflicts(site, result):
    return {(one["key"], one["theirs"], one["ours"], one["kept"]) for one in site.report(result)["conflict_list"]}


def test_a_result_that_a_person_typed_during_the_run_stays_and_is_listed(site):
    result = during(site, {1: lambda: site.cell("C2", "mine")})
    assert site.results()["K1"] == "mine"
    assert conflicts(site, result) == {("K1", "mine", "name 1!", "theirs")}
    assert (result.conflicts, result.status) == (1, "completed")


def test_a_job_may_overwrite_a_person_but_says_so(tmp_path):
    site = Site(tmp_path / "w", on_person_edit={"Result": "overwrite"})
    result = during(site, {1: lambda: site.cell("C2", "mine")})
    assert site.results()["K1"] == "name 1!"
    assert conflicts(site, result) == {("K1", "mine", "name 1!", "ours")}


def test_a_result_that_a_person_emptied_after_it_was_saved_stays_empty(site):
    during(site, {2: lambda: site.cell("C2", None)})
    assert site.results()["K1"] is None


def test_what_a_person_typed_between_two_runs_stays_and_what_the_machine_wrote_is_replaced(site):
    site.run()
    site.cell("C2", "mine")
    site.use(lambda row: {"Result": "second"})
    result = site.run()
    assert site.results() == {"K1": "mine", **{f"K{n}": "second" for n in range(2, 7)}}
    assert conflicts(site, result) == {("K1", "mine", "second", "theirs")}


def test_a_cell_that_a_person_emptied_between_two_runs_is_filled_again(site):
    site.run()
    site.cell("C2", None)
    assert site.run().rows.done == 1
    assert site.results()["K1"] == "name 1!"


def test_an_input_edited_before_its_result_was_saved_makes_the_row_done_again(site):
    result = during(site, {1: lambda: site.cell("B2", "Anna")})
    assert site.results()["K1"] == "Anna!"
    assert (result.rows.done, result.status) == (6, "completed")
    assert any("new inputs" in said for said in site.warnings())


def test_a_result_that_a_person_typed_stays_even_if_its_row_is_done_again(site):
    result = during(site, {1: lambda: site.edit(lambda sheet: (sheet.cell(2, 3, "mine"), sheet.cell(2, 2, "Anna")))})
    assert site.results()["K1"] == "mine"
    assert conflicts(site, result) == {("K1", "mine", "Anna!", "theirs")}


def test_a_row_deleted_during_the_run_is_gone_with_its_result_listed(site):
    result = during(site, {1: lambda: site.edit(lambda sheet: sheet.delete_rows(2))})
    (problem,) = site.report(result)["problems"]
    assert (problem["key"], problem["outcome"], "name 1!" in problem["reason"]) == ("K1", "gone", True)
    assert "K1" not in site.results()
    assert (result.rows.done, result.rows.gone) == (5, 1)


def test_a_row_deleted_before_it_was_done_is_gone_and_never_processed(site):
    seen = []
    site.use(lambda row: seen.append(row.key[0]) or {"Result": "x"})
    result = during(site, {1: lambda: site.edit(lambda sheet: sheet.delete_rows(7))})
    assert (result.rows.gone, "K6" in seen) == (1, False)


def test_rows_that_came_during_the_run_wait_for_the_next(site):
    result = during(site, {1: lambda: site.edit(lambda sheet: sheet.append(["NEW", "new"]))})
    assert (result.rows.selected, site.results()["NEW"]) == (6, None)
    assert any("merged: 1 rows are new and wait for the next run" in warning for warning in site.warnings())
    assert site.run().rows.selected == 7
    assert site.results()["NEW"] == "new!"


def test_rows_that_a_run_over_some_rows_leaves_out_are_not_called_new(site):
    during(site, {1: lambda: site.cell("B7", "changed")}, keys=("K1", "K2", "K3", "K4"))
    assert any("was merged" in warning for warning in site.warnings())
    assert not any("are new" in warning for warning in site.warnings())


def test_a_key_doubled_during_the_run_rejects_its_rows_and_touches_neither(site):
    result = during(site, {1: lambda: site.edit(lambda sheet: sheet.append(["K6", "twin"]))})
    assert (result.rows.rejected, result.rows.done) == (1, 5)
    assert [row[2] for row in site.rows() if row[0] == "K6"] == [None, None]


def test_a_row_without_a_key_that_moved_is_counted_and_the_run_ends(site):
    site.cell("A6", None)
    result = during(site, {1: lambda: site.edit(lambda sheet: sheet.insert_rows(2))})
    assert result.error is None
    assert (result.rows.done, result.rows.rejected, result.rows.remaining) == (5, 1, 0)


def test_a_workbook_that_changes_under_every_save_is_given_up_on_with_its_results_kept(site, monkeypatch):
    monkeypatch.setattr(module, "MOST_ATTEMPTS", 2)

    def never(self, expected, *rest, **more):
        raise saver.WorkbookChanged("book.xlsx", "another")

    with monkeypatch.context() as patch:
        patch.setattr(saver.AtomicSaver, "save", never)
        result = site.run()
    assert (result.status, result.exit_code) == ("failed", 6)
    assert site.run("auto").rows.done == 6
    assert site.results()["K6"] == "name 6!"


def test_the_conflicts_are_also_a_sheet_where_the_job_wants_one(tmp_path):
    site = Site(tmp_path / "w", conflicts_sheet=True)
    result = during(site, {1: lambda: site.cell("C2", "mine")})
    assert site.rows("Conflicts") == [[result.run_id, "K1", "Result", None, "mine", "name 1!", "theirs"]]


def test_what_a_person_typed_during_one_run_is_not_lost_to_the_next(site):
    during(site, {1: lambda: site.cell("C2", "mine")})
    for _ in range(2):
        result = site.run()
        assert site.results()["K1"] == "mine"
        assert conflicts(site, result) == {("K1", "mine", "name 1!", "theirs")}
    site.cell("C2", None)
    site.run()
    assert site.results()["K1"] == "name 1!"


def test_a_persons_own_sheet_of_that_name_is_refused_and_kept(tmp_path):
    from batchbook.errors import ConfigurationError

    site = Site(tmp_path / "w", conflicts_sheet=True)
    book = openpyxl.load_workbook(site.book)
    book.create_sheet("Conflicts")["A1"] = "mine"
    book.save(site.book)
    state = site.book.read_bytes()
    with pytest.raises(ConfigurationError, match="Conflicts"):
        site.run()
    assert site.book.read_bytes() == state


def test_a_cell_that_cannot_be_written_rejects_its_row_and_no_other(site):
    site.edit(lambda sheet: sheet.merge_cells("B3:C3"))
    result = site.run()
    assert (result.rows.rejected, result.rows.done) == (1, 5)
    assert "C3 (Result) cannot be written" in site.report(result)["problems"][0]["reason"]


def test_a_mark_that_cannot_be_written_costs_only_itself(tmp_path):
    site = Site(tmp_path / "w", marks={"status": "Status", "reason": "Why"})
    site.make_book([[f"K{n}", f"name {n}"] for n in range(1, 4)], headers=("Key", "Name", "Result", "Status", "Why"))
    site.edit(lambda sheet: sheet.merge_cells("C3:D3"))
    result = site.run()
    assert (result.rows.rejected, result.rows.done) == (1, 2)
    assert site.rows()[1][2:4] == [None, None]
    assert "merged" in site.rows()[1][4]


# --- whatever people do ---------------------------------------------------------------------------------------------


class Person:
    """Somebody who edits between the run's saves, and remembers what must not be lost."""

    def __init__(self, site):
        self.site = site
        self.rows = {f"K{n}": {"Name": f"name {n}", "Note": f"note {n}"} for n in range(1, 7)}
        self.results = {}
        """Results typed into rows that the machine had done, by key."""
        self.count = 0
        self.lately = set()
        """Keys that went since the run's latest save."""

    def edit(self, what, pick):
        self.count += 1
        book = openpyxl.load_workbook(self.site.book)
        sheet = book["Data"]
        keys = {row[0].value: row[0].row for row in sheet.iter_rows(2) if row[0].value in self.rows}
        key = sorted(keys)[pick % len(keys)] if keys else None
        getattr(self, what)(sheet, key, keys.get(key))
        book.save(self.site.book)

    def type_result(self, sheet, key, row):
        if key is not None:
            sheet.cell(row, 3, f"mine {self.count}")
            with contextlib.suppress(KeyError):
                self.results.pop(key)
            if key in self.outcomes():
                self.results[key] = f"mine {self.count}"

    def type_name(self, sheet, key, row):
        if key is not None:
            self.rows[key]["Name"] = f"new {self.count}"
            sheet.cell(row, 2, f"new {self.count}")

    def type_note(self, sheet, key, row):
        if key is not None:
            self.rows[key]["Note"] = f"note! {self.count}"
            sheet.cell(row, 4, f"note! {self.count}")

    def delete(self, sheet, key, row):
        if key is not None:
            self.forget(key)
            sheet.delete_rows(row)

    def retype_key(self, sheet, key, row):
        if key is not None:
            self.rows[f"R{self.count}"] = self.rows[key]
            if key in self.results:
                self.results[f"R{self.count}"] = self.results[key]
            self.forget(key)
            sheet.cell(row, 1, f"R{self.count}")

    def insert(self, sheet, key, row):
        place = row or 2
        sheet.insert_rows(place)
        for column, value in enumerate((f"N{self.count}", f"name {self.count}", None, f"note {self.count}"), 1):
            sheet.cell(place, column, value)
        self.rows[f"N{self.count}"] = {"Name": f"name {self.count}", "Note": f"note {self.count}"}

    def gap(self, sheet, key, row):
        sheet.insert_rows(row or 2)

    def sort(self, sheet, key, row):
        body = [[cell.value for cell in line] for line in sheet.iter_rows(2)]
        body.sort(key=lambda line: str(line[1]), reverse=True)
        sheet.delete_rows(2, sheet.max_row)
        for line in body:
            sheet.append(line)

    def forget(self, key):
        self.lately.add(key)
        self.rows.pop(key)
        self.results.pop(key, None)

    def outcomes(self):
        return self._keys("SELECT key FROM outcomes WHERE superseded = 0")

    def _keys(self, sql):
        with self.site.ledger() as ledger:
            return {json.loads(row[0])[0] for row in ledger.query(sql)}


EDITS = ("type_result", "type_name", "type_note", "delete", "retype_key", "insert", "gap", "sort")


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from(EDITS), st.integers(0, 5)), min_size=1, max_size=3), min_size=1, max_size=5
    ),
    st.integers(1, 4),
    st.booleans(),
)
def test_whatever_people_do_between_saves_no_edit_of_theirs_and_no_result_is_lost(sessions, size, after_saves):
    with tempfile.TemporaryDirectory() as folder:
        batch = {"strategy": "fixed", "size": size, "checkpoint_frequency": 1, "concurrency": 1}
        site = Site(Path(folder) / "w", people(6), batch=batch)
        person, left = Person(site), list(sessions)

        def listen(event):
            going = isinstance(event, Saved) and after_saves and ended < 6
            if isinstance(event, Saved):
                person.lately.clear()  # what goes from here on may go after the run's last look
            nonlocal_counts(event)
            if left and (isinstance(event, BatchDone) or going):
                for what, pick in left.pop(0):
                    person.edit(what, pick)

        ended = 0

        def nonlocal_counts(event):
            nonlocal ended
            if isinstance(event, BatchDone):
                ended = event.counts.ended

        result = BatchController(site.job(), StartRequest(mode="fresh"), events=listen).run()
        assert result.error is None
        assert (result.rows.remaining, result.rows.selected) == (0, 6)
        assert result.rows.done + result.rows.unchanged + result.rows.gone == 6

        found = {row[0]: dict(zip(HEADERS, row, strict=False)) for row in site.rows() if row[0] is not None}
        assert found.keys() == person.rows.keys()
        for key, typed in person.rows.items():
            assert {name: found[key][name] for name in typed} == typed
        for key, value in person.results.items():
            assert found[key]["Result"] == value
        report = site.report(result)
        gone = {problem["key"] for problem in report["problems"]}
        listed = {one["key"] for one in report["conflict_list"]}
        for key in {f"K{n}" for n in range(1, 7)}:
            if key not in found:
                assert key in gone or key in person.lately
            elif key not in gone and key not in listed and key not in person.results:
                assert found[key]["Result"] == f"{found[key]['Name']}!"


def test_a_formula_that_a_person_put_over_a_result_stays_even_if_it_shows_the_same(site):
    site.run()
    site.cell("C2", '=B2&"!"')
    for name in ("name 1", "other"):
        site.cell("B2", name)
        result = site.run()
        assert site.results()["K1"] == '=B2&"!"'
        assert [one["key"] for one in site.report(result)["conflict_list"]] == ["K1"]


def test_a_row_whose_input_changed_after_its_result_was_saved_gets_its_new_result(site):
    site.interrupted(4)
    assert site.results()["K1"] == "name 1!"
    site.cell("B2", "changed")
    result = site.run("auto")
    assert (site.results()["K1"], result.conflicts) == ("changed!", 0)


def test_a_person_who_changed_the_result_too_keeps_it_when_the_row_is_done_again(site):
    site.interrupted(4)
    site.cell("B2", "changed")
    site.cell("C2", "mine")
    result = site.run("auto")
    assert (site.results()["K1"], result.conflicts) == ("mine", 1)


def test_what_a_save_wrote_that_died_unconfirmed_is_the_machines_even_if_a_person_saved_since(site, monkeypatch):
    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(module.SaveLog, "saved", die)
    with pytest.raises(KeyboardInterrupt):
        site.run()
    monkeypatch.undo()
    assert site.results()["K1"] == "name 1!", "the file was replaced, the ledger does not know"
    site.cell("B2", "changed")
    result = site.run("auto")
    assert (site.results()["K1"], result.conflicts) == ("changed!", 0)
    site.use(lambda row: {"Result": f"{row['Name']} again"})
    result = site.run()
    assert (site.results()["K2"], result.conflicts) == ("name 2 again", 0), "nothing of it counts as a person's"


def test_a_formula_among_the_conflicts_is_listed_as_text(tmp_path):
    site = Site(tmp_path / "w", conflicts_sheet=True)
    site.run()
    site.cell("C2", '=B2&"!"')
    site.cell("B2", "other")
    assert site.run().status == "completed"
    assert [row[4] for row in site.rows("Conflicts")][0:] == ['=B2&"!"']


def test_the_end_state_is_verified_in_full_even_if_the_last_save_was_not_the_final_one(site, monkeypatch):
    verified = []
    real = module.verify
    monkeypatch.setattr(module, "verify", lambda *a, **k: (verified.append(k["full"]), real(*a, **k)))
    result = BatchController(
        site.job(**{"batch.size": 6, "batch.checkpoint_frequency": 1}), StartRequest(mode="fresh")
    ).run()
    assert (result.status, result.saves) == ("completed", 1)
    assert verified == [True]


def test_what_a_save_could_not_keep_of_the_file_is_said(site, monkeypatch):
    real = module.AtomicSaver.save

    def save(self, *arguments, **named):
        return dataclasses.replace(real(self, *arguments, **named), warnings=("the owner could not be kept",))

    monkeypatch.setattr(module.AtomicSaver, "save", save)
    assert site.run().status == "completed"
    assert "the owner could not be kept" in site.warnings()


def test_numbers_in_a_column_that_a_person_shows_as_dates_are_no_persons_edits(site):
    site.make_job(lambda row: {"Result": len(row["Name"]) + 100.5})
    site.edit(lambda sheet: [setattr(sheet.cell(row, 3), "number_format", "yyyy-mm-dd") for row in range(2, 8)])
    assert site.run().rows.done == 6
    result = site.run()
    assert (result.conflicts, result.rows.unchanged) == (0, 6)
    site.use(lambda row: {"Result": 7})
    result = site.run()
    assert (result.conflicts, result.rows.done) == (0, 6)
    assert openpyxl.load_workbook(site.book)["Data"]["C2"].number_format == "yyyy-mm-dd"


# --- rows that the run has not reached yet, or has saved already ----------------------------------------------------


def test_what_a_person_types_during_the_run_into_a_row_not_yet_taken_stays_and_is_listed(site):
    result = during(site, {1: lambda: site.cell("C7", "mine")})
    assert site.results()["K6"] == "mine"
    assert conflicts(site, result) == {("K6", "mine", "name 6!", "theirs")}


def test_what_a_person_types_between_a_kill_and_the_resume_into_a_row_not_yet_taken_stays(site):
    assert site.died(3) < 6
    site.cell("C7", "mine")
    result = site.run("auto")
    assert site.results()["K6"] == "mine"
    assert conflicts(site, result) == {("K6", "mine", "name 6!", "theirs")}


def test_a_death_between_such_a_result_and_its_save_changes_nothing(site):
    site.died(3)
    site.cell("C7", "mine")
    committed = []

    def dying(event):
        if isinstance(event, RowsCommitted):
            committed.append(event.counts.ended)
            raise Died

    with contextlib.suppress(Died):
        BatchController(site.job(), StartRequest(mode="auto"), events=dying).run()
    assert committed == [6]
    result = site.run("auto")
    assert site.results()["K6"] == "mine"
    assert conflicts(site, result) == {("K6", "mine", "name 6!", "theirs")}


def test_an_old_result_emptied_during_the_run_before_its_row_was_taken_stays_empty_and_is_listed(site):
    site.run()
    site.use(lambda row: {"Result": "second"})
    result = during(site, {1: lambda: site.cell("C7", None)})
    assert site.results()["K6"] is None
    assert conflicts(site, result) == {("K6", None, "second", "theirs")}


def test_a_saved_result_that_a_person_changed_or_emptied_during_the_run_is_listed_once(site):
    site.make_job(batch={**SETTINGS["batch"], "size": 1})
    result = during(site, {2: lambda: site.cell("C2", "mine"), 4: lambda: site.cell("C3", None)})
    assert (site.results()["K1"], site.results()["K2"]) == ("mine", None)
    assert conflicts(site, result) == {("K1", "mine", "name 1!", "theirs"), ("K2", None, "name 2!", "theirs")}
    assert result.conflicts == 2


def test_an_old_copy_saved_over_the_workbook_during_the_run_has_its_lost_results_listed(site):
    site.make_job(batch={**SETTINGS["batch"], "size": 1})
    old = site.book.read_bytes()
    result = during(site, {4: lambda: site.book.write_bytes(old)})
    assert {key for key, *_ in conflicts(site, result)} == {"K1", "K2", "K3"}
    assert [key for key, value in site.results().items() if value] == ["K4", "K5", "K6"]
    assert site.run().rows.done == 3, "blank cells are free for the next run"
    assert all(site.results().values())


def test_a_column_that_is_overwritten_also_takes_back_a_saved_result(tmp_path):
    site = Site(tmp_path / "w", on_person_edit={"Result": "overwrite"}, batch={**SETTINGS["batch"], "size": 1})
    result = during(site, {3: lambda: site.cell("C2", "mine")})
    assert site.results()["K1"] == "name 1!"
    assert conflicts(site, result) == {("K1", "mine", "name 1!", "ours")}


def test_what_was_overwritten_stays_listed_if_nobody_knows_how_that_save_ended(tmp_path, monkeypatch):
    site = Site(tmp_path / "w", on_person_edit={"Result": "overwrite"}, batch={**SETTINGS["batch"], "size": 6})

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(module.SaveLog, "saved", die)
    with pytest.raises(KeyboardInterrupt):
        during(site, {1: lambda: site.cell("C2", "mine")})
    monkeypatch.undo()
    site.cell("D2", "a note")
    result = site.run("auto")
    assert site.results()["K1"] == "name 1!"
    assert conflicts(site, result) == {("K1", "mine", "name 1!", "ours")}


# --- keys -----------------------------------------------------------------------------------------------------------


def test_a_key_retyped_during_the_run_is_gone_and_listed_and_the_new_one_waits(site):
    result = during(site, {1: lambda: site.cell("A2", "NEW")})
    (problem,) = site.report(result)["problems"]
    assert (problem["key"], problem["outcome"], "name 1!" in problem["reason"]) == ("K1", "gone", True)
    assert (site.results()["NEW"], result.rows.gone, result.rows.done) == (None, 1, 5)
    site.run()
    assert site.results()["NEW"] == "name 1!"


def test_a_row_whose_key_was_emptied_during_the_run_keeps_what_a_person_typed_there(site):
    def empty(sheet):
        sheet["A7"], sheet["C7"] = None, "mine"

    result = during(site, {1: lambda: site.edit(empty)})
    assert site.rows()[5][:3] == [None, "name 6", "mine"]
    assert result.rows.gone == 1


def test_a_row_that_came_during_the_run_with_a_doubled_key_keeps_its_cells(site):
    result = during(site, {1: lambda: site.edit(lambda sheet: sheet.append(["K6", "twin", "theirs"]))})
    assert [row[2] for row in site.rows() if row[0] == "K6"] == [None, "theirs"]
    assert result.rows.rejected == 1


def doubled(sheet):
    """The last row once more below itself."""
    sheet.append([cell.value for cell in sheet[sheet.max_row]])


def test_of_equal_rows_with_a_doubled_key_no_more_are_cleared_than_the_run_began_with(tmp_path):
    rows = [["K1", "name 1", None, None], ["K2", "name 2", "mine", None], ["K2", "name 2", "mine", None]]
    site = Site(tmp_path / "w", rows, batch={**SETTINGS["batch"], "size": 1})
    result = during(site, {1: lambda: site.edit(doubled)})
    assert sorted(str(row[2]) for row in site.rows()) == ["None", "None", "mine", "name 1!"]
    assert (result.rows.done, result.rows.rejected, result.rows.selected) == (1, 2, 3)


def two_columns(row):
    return {"Result": f"{row['Name']}!", "Note": f"{row['Name']}?"}


@pytest.mark.parametrize("on_person_edit", ["keep", "overwrite"])
def test_what_a_person_typed_where_only_another_cell_of_a_doubled_row_had_been_cleared_is_listed(
    tmp_path, on_person_edit
):
    edit = {"Result": on_person_edit}
    site = Site(
        tmp_path / "w", people(1), two_columns, writes=["Result", "Note"], reads=["Name"], on_person_edit=edit
    )  # fmt: skip
    site.run()
    site.cell("C2", None)
    site.edit(doubled)
    site.run()
    assert [row[2:] for row in site.rows()] == [[None, None], [None, None]]
    site.cell("C2", "mine")
    result = site.run()
    kept = on_person_edit == "keep"
    assert [row[2] for row in site.rows()] == ["mine" if kept else None, None]
    assert conflicts(site, result) == {("K1|row 2", "mine", None, "theirs" if kept else "ours")}


@pytest.mark.parametrize("first", [1, 3])
def test_a_row_whose_key_was_doubled_and_made_sound_again_is_done_again(site, first):
    site.make_job(batch={**SETTINGS["batch"], "size": 1})
    result = during(
        site,
        {
            first: lambda: site.edit(lambda sheet: sheet.append(["K1", "twin"])),
            first + 2: lambda: site.edit(lambda sheet: sheet.delete_rows(8)),
        },
    )
    assert (result.rows.done, result.rows.rejected, result.conflicts) == (6, 0, 0)
    assert site.results() == {f"K{n}": f"name {n}!" for n in range(1, 7)}


# --- a file that is just being written ------------------------------------------------------------------------------


def written_slowly(path, content):
    """A program that saves in place: the file is cut off first and grows again."""
    with path.open("r+b") as file:
        file.truncate()
        for start in range(0, len(content), 1000):
            file.write(content[start : start + 1000])
            file.flush()
            time.sleep(0.05)


@pytest.mark.parametrize("batch", [1, 2])
def test_a_workbook_that_is_just_being_written_in_place_is_waited_for(site, batch):
    site.edit(lambda sheet: None)
    book = openpyxl.load_workbook(site.book)
    book["Data"]["D2"] = "a new note"
    book.save(site.path / "aside.xlsx")
    content = (site.path / "aside.xlsx").read_bytes()
    person = threading.Thread(target=written_slowly, args=(site.book, content))

    def begin():
        person.start()
        while site.book.stat().st_size == len(content):
            time.sleep(0.001)

    result = during(site, {batch: begin})
    person.join()
    assert result.error is None
    assert (result.rows.done, site.rows()[0][3]) == (6, "a new note")


def test_a_workbook_that_stays_damaged_ends_the_run_with_its_results_kept(site, monkeypatch):
    monkeypatch.setattr(waiting, "QUIET_SECONDS", 0.2)
    content = site.book.read_bytes()
    result = during(site, {1: lambda: site.book.write_bytes(content[:900])})
    assert (result.exit_code, result.error.code) == (5, "workbook-damaged")
    site.book.write_bytes(content)
    result = site.run("auto")
    assert (result.resumed["rows_kept"], result.rows.done) == (3, 6)


# --- rows whose results were there already ---------------------------------------------------------------------------

NAMES = {f"K{n}": f"name {n}!" for n in range(1, 7)}


def unchanged_so_far(site, count=4):
    """A finished run, then a second one that finds the same and died after some rows; gives the state before both."""
    before = site.book.read_bytes()
    site.run()
    assert site.died(count) >= count
    return before


def test_results_that_were_there_already_go_in_again_where_an_earlier_state_was_restored(site):
    unchanged_so_far(site)
    base = site.job().base
    store = BackupStore(base.backups_folder, site.book)
    restore_backup(base, store, store.list()[-1], print)
    assert set(site.results().values()) == {None}
    assert site.run("auto").conflicts == 0
    assert site.results() == NAMES


def test_results_that_were_there_already_go_in_again_where_an_old_copy_was_saved_over_them(site):
    site.book.write_bytes(unchanged_so_far(site))
    site.cell("D2", "a note")
    site.run("auto")
    assert site.results() == NAMES


def test_results_that_were_there_already_are_listed_where_a_person_changes_them_during_the_run(site):
    site.run()

    def editing(row):
        if row.key == ("K5",):
            site.edit(lambda sheet: (sheet.__setitem__("C2", None), sheet.__setitem__("C3", "mine")))
        return shout(row)

    site.use(editing)
    result = site.run()
    assert site.results() == {**NAMES, "K1": None, "K2": "mine"}
    assert conflicts(site, result) == {("K1", None, "name 1!", "theirs"), ("K2", "mine", "name 2!", "theirs")}


def test_results_that_were_there_already_are_listed_where_a_person_changed_them_before_the_resume(site):
    unchanged_so_far(site)
    site.edit(lambda sheet: (sheet.__setitem__("C2", None), sheet.__setitem__("C3", "mine")))
    result = site.run("auto")
    assert site.results() == {**NAMES, "K1": None, "K2": "mine"}
    assert result.conflicts == 2
