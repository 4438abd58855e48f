import datetime as dt

import pytest

from batchbook.batch.controller import local_now
from batchbook.batch.progress import Resumed
from batchbook.errors import CannotResume, ChoiceNeeded, ConfigurationError, UsageError
from tests.batch.helpers import Site, counted, people, shout


class Answers:
    """Somebody at a terminal."""

    def __init__(self, start="resume", changed="merge", mismatch="cancel"):
        self.answers = {"start": start, "changed": changed, "mismatch": mismatch}
        self.asked = []

    def start(self, found):
        self.asked.append(("start", found))
        return self.answers["start"]

    def changed(self, found, difference):
        self.asked.append(("changed", difference))
        return self.answers["changed"]

    def mismatch(self, expected, current):
        self.asked.append(("mismatch", (expected, current)))
        return self.answers["mismatch"]


def test_auto_without_a_checkpoint_starts_fresh(site):
    result = site.run("auto")
    assert (result.status, result.resumed) == ("completed", None)


def test_a_checkpoint_and_nobody_to_ask_is_an_error_with_the_options_and_starts_nothing(site):
    site.interrupted(2)
    state = site.book.read_bytes()
    with pytest.raises(ChoiceNeeded, match="--resume-auto") as caught:
        site.run("ask")
    assert caught.value.exit_code == 2
    assert site.book.read_bytes() == state
    assert site.run("auto").resumed["rows_kept"] == 2


def test_without_a_checkpoint_nobody_is_asked(site):
    answers = Answers()
    site.run("ask", decide=answers)
    assert answers.asked == []


@pytest.mark.parametrize(
    ("answer", "selected", "kept"), [("resume", 6, 2), ("fresh", 6, None), (("row", 5), 2, 2), (("batch", 2), 4, 2)]
)
def test_a_person_chooses_how_to_start(site, answer, selected, kept):
    site.interrupted(2)
    answers = Answers(start=answer)
    result = site.run("ask", decide=answers, force=True)
    assert [kind for kind, _ in answers.asked] == ["start"]
    assert (result.status, result.rows.selected) == ("completed", selected)
    assert (result.resumed or {}).get("rows_kept") == kept


def test_a_person_who_cancels_starts_nothing_and_keeps_the_checkpoint(site):
    site.interrupted(2)
    with pytest.raises(UsageError, match="checkpoint is kept"):
        site.run("ask", decide=Answers(start="cancel"))
    assert site.run("auto").resumed["rows_kept"] == 2


def test_what_was_found_is_said_before_the_run_goes_on(site):
    first = site.interrupted(2)
    answers = Answers()
    site.run("ask", decide=answers)
    (found,) = [what for kind, what in answers.asked if kind == "start"]
    assert (found.run, found.selected, found.done, found.remaining) == (first.run_id, 6, 2, 4)
    (event,) = [event for event in site.events if isinstance(event, Resumed)]
    assert any("2 of 6 rows have a result" in line for line in event.lines)


def test_results_that_had_not_been_saved_are_saved_by_the_resume_and_not_done_again(site):
    assert site.died(3) == 3
    assert set(site.results().values()) == {None}
    work, seen = counted()
    site.use(work)
    result = site.run("auto")
    assert (result.resumed["rows_kept"], seen) == (3, ["K4", "K5", "K6"])
    assert site.results() == {f"K{n}": f"name {n}!" for n in range(1, 7)}


def test_a_finished_run_cannot_be_resumed(site):
    site.run()
    assert site.run("auto").resumed is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"reads": ["Key", "Name", "Note"]}, "job definition"),
        ({"marks": {"status": "Note"}}, "job definition"),
    ],
)
def test_a_checkpoint_of_another_job_definition_is_not_believed(site, change, said):
    site.interrupted(2)
    site.make_job(**change)
    result = site.run("auto")
    assert (result.resumed, result.rows.selected) == (None, 6)
    assert any(said in warning for warning in site.warnings())


def test_how_rows_are_grouped_does_not_matter_for_a_resume(site):
    site.interrupted(2)
    result = site.run("auto", overrides={"batch.size": 1, "fail_on": []})
    assert result.resumed["rows_kept"] == 2


def test_a_checkpoint_that_is_too_old_is_not_believed(site):
    site.interrupted(2)
    result = site.run("auto", clock=lambda: local_now() + dt.timedelta(hours=25))
    assert result.resumed is None
    assert any("resume_max_age" in warning for warning in site.warnings())


def test_another_version_of_the_processor_or_of_its_data_is_not_resumed(tmp_path, monkeypatch):
    from batchbook.batch.processors import Processor

    class Dated(Processor):
        writes = ("Result",)
        dates = {"rates": "2026-01-01"}  # noqa: RUF012

        def reference_dates(self):
            return dict(self.dates)

        def process(self, row):
            return shout(row)

    site = Site(tmp_path / "w", processor=Dated)
    for change in (lambda: setattr(Dated, "version", "2"), lambda: Dated.dates.update(rates="2026-02-02")):
        site.run(end_row=3)
        with site.ledger() as ledger, ledger.transaction():
            ledger.execute("UPDATE runs SET status = 'interrupted'")
        change()
        assert site.run("auto", end_row=3).resumed is None
        assert any("version" in said or "rates 2026-02-02" in said for said in site.warnings())


def test_a_damaged_list_of_rows_is_never_resumed(site):
    site.died(3)
    with site.ledger() as ledger, ledger.transaction():
        ledger.execute("""UPDATE selection SET key = '["K99"]' WHERE ordinal = 6""")
    result = site.run("auto")
    assert (result.resumed, result.rows.done) == (None, 6)
    assert any("list of rows is damaged" in said for said in site.warnings())


def test_a_damaged_tail_of_the_ledger_is_recomputed_never_believed(site):
    site.died(6)
    with site.ledger() as ledger, ledger.transaction():
        ledger.execute("""UPDATE outcomes SET writes = '{"Result":"forged"}' WHERE ordinal = 4""")
    work, seen = counted()
    site.use(work)
    result = site.run("auto")
    assert result.resumed["rows_kept"] == 3
    assert seen == ["K4", "K5", "K6"]
    assert site.results() == {f"K{n}": f"name {n}!" for n in range(1, 7)}


# --- from a row or a batch --------------------------------------------------------------------------------------------


def test_from_a_row_without_an_unfinished_run_means_the_row_of_the_new_selection(site):
    assert site.run("row", number=5).rows.selected == 2
    assert [key for key, value in site.results().items() if value] == ["K5", "K6"]


def test_a_row_past_the_end_is_an_error_and_begins_no_run(site):
    with pytest.raises(UsageError, match="6 rows are selected"):
        site.run("row", number=7)
    with site.ledger() as ledger:
        assert ledger.runs() == []
    assert site.run("ask").status == "completed"


@pytest.mark.parametrize("number", [0, 7, 99])
def test_a_row_that_an_unfinished_run_does_not_have_is_an_error_and_keeps_the_checkpoint(site, number):
    site.interrupted(2)
    with pytest.raises(UsageError, match="rows 1 to 6"):
        site.run("row", number=number)
    assert site.run("auto").resumed["rows_kept"] == 2


def test_from_a_row_brings_the_results_before_it_into_the_workbook_too(site):
    site.died(3)
    result = site.run("row", number=4)
    assert (result.rows.selected, result.resumed["rows_kept"]) == (3, 3)
    assert site.results() == {f"K{n}": f"name {n}!" for n in range(1, 7)}


def test_a_batch_is_found_by_its_keys_even_in_a_sorted_sheet(site):
    site.died(6)
    site.edit(
        lambda sheet: [sheet.cell(8 - n, c, v) for n, row in enumerate(people(6), 1) for c, v in enumerate(row, 1)]
    )
    work, seen = counted()
    site.use(work)
    result = site.run("batch", number=2, force=True)
    assert (result.rows.selected, sorted(seen)) == (3, ["K4", "K5", "K6"])


@pytest.mark.parametrize("number", [0, 4])
def test_a_batch_that_is_not_there_is_an_error(site, number):
    site.died(6)
    with pytest.raises(UsageError, match="batches 1 to 2"):
        site.run("batch", number=number)


def test_a_batch_without_an_unfinished_run_cannot_be_resumed(site):
    with pytest.raises(CannotResume):
        site.run("batch", number=1)


def test_a_point_in_a_workbook_that_is_not_as_expected_shows_both_and_asks(site):
    site.died(3)
    site.cell("D2", "a note")
    with pytest.raises(CannotResume, match=r"Expected: .*Found: ") as caught:
        site.run("row", number=4)
    assert caught.value.exit_code == 6
    answers = Answers(mismatch="fresh")
    result = site.run("row", number=4, decide=answers)
    assert [kind for kind, _ in answers.asked] == ["mismatch"]
    assert result.rows.selected == 6


def test_a_forced_point_goes_on_and_loses_nobodys_edit(site):
    site.died(3)
    site.cell("D2", "a note")
    assert site.run("row", number=4, force=True).rows.selected == 3
    assert site.rows()[0] == ["K1", "name 1", "name 1!", "a note"]


# --- only what failed -------------------------------------------------------------------------------------------------


def broken(*keys):
    def work(row):
        if row.key[0] in keys:
            raise ValueError("broken")
        return shout(row)

    return work


def test_only_the_failed_rows_of_a_run_are_done_again(site):
    site.use(broken("K2", "K5"))
    first = site.run()
    work, seen = counted()
    site.use(work)
    result = site.run("only-failed", run=first.run_id)
    assert (seen, result.rows.done) == (["K2", "K5"], 2)
    assert site.results() == {f"K{n}": f"name {n}!" for n in range(1, 7)}


def test_only_failed_keeps_the_unsaved_results_of_the_run_that_it_sets_aside(site):
    site.died(3, processor=broken("K1"))
    with site.ledger() as ledger:
        (run,) = ledger.runs()
    site.use(shout)
    result = site.run("only-failed", run=run.id)
    assert result.rows.selected == 1
    assert list(site.results().values()) == ["name 1!", "name 2!", "name 3!", None, None, None]


def test_only_failed_where_nothing_failed_does_nothing_and_says_so(site):
    first = site.run()
    result = site.run("only-failed", run=first.run_id)
    assert (result.rows.selected, result.status) == (0, "completed")
    assert any("no failed rows" in said for said in site.warnings())


def test_only_failed_of_a_run_that_is_not_there_names_those_that_are(site):
    first = site.run()
    with pytest.raises(UsageError, match=first.run_id):
        site.run("only-failed", run="19990101")


# --- the workbook changed ---------------------------------------------------------------------------------------------


def test_merge_is_what_happens_when_nobody_says_otherwise(site):
    site.died(3)
    site.cell("D2", "a note")
    result = site.run("auto")
    assert result.resumed["rows_kept"] == 3
    assert site.rows()[0] == ["K1", "name 1", "name 1!", "a note"]


def test_theirs_does_the_rows_again_whose_results_had_not_been_saved(site):
    site.died(3)
    site.cell("D2", "a note")
    work, seen = counted()
    site.use(work)
    site.run("auto", on_change="theirs")
    assert len(seen) == 6
    assert site.rows()[0] == ["K1", "name 1", "name 1!", "a note"]


def test_a_person_is_shown_the_difference_and_can_still_leave(site):
    site.interrupted(3)
    site.edit(lambda sheet: (sheet.delete_rows(7), sheet.cell(2, 2, "Anna"), sheet.cell(3, 3, "mine")))
    answers = Answers(changed="cancel")
    with pytest.raises(UsageError, match="checkpoint is kept"):
        site.run("ask", decide=answers)
    difference = answers.asked[-1][1]
    assert (difference.rows_gone, difference.inputs_changed, difference.results_changed) == (1, 1, 1)
    assert any("K1" in line for line in difference.lines)
    assert site.run("auto").resumed["rows_kept"] == 3


# --- keys -------------------------------------------------------------------------------------------------------------


def no_sound_keys(sheet):
    sheet["A3"], sheet["A5"] = "K1", None


def test_rows_without_a_key_of_their_own_are_rejected_with_all_places_and_the_rest_is_done(site):
    site.edit(no_sound_keys)
    result = site.run()
    assert (result.rows.rejected, result.rows.done) == (3, 3)
    reasons = [problem["reason"] for problem in site.report(result)["problems"]]
    assert reasons == ["the key 'K1' stands in 2 rows: 2, 3"] * 2 + ["the key is empty"]


def test_a_job_can_refuse_such_a_workbook_with_every_place_named(tmp_path):
    site = Site(tmp_path / "w", on_bad_key="refuse")
    site.edit(no_sound_keys)
    with pytest.raises(ConfigurationError) as caught:
        site.run()
    assert [finding.row for finding in caught.value.findings] == [2, 3, 5]
    assert set(site.results().values()) == {None}


def test_an_older_unfinished_run_is_set_aside_by_a_fresh_one_and_its_history_stays(site):
    first = site.interrupted(2)
    second = site.run()
    with site.ledger() as ledger:
        older = ledger.run(first.run_id)
        assert (older.status, second.run_id in older.note) == ("superseded", True)
        assert not [run for run in ledger.runs() if run.unfinished]
