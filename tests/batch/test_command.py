"""Single commands: one durable save each, or nothing; whoever else writes meanwhile loses nothing."""

from __future__ import annotations

import dataclasses
import errno
import itertools
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import openpyxl
import pytest

from batchbook.batch import command
from batchbook.batch.recorded import packed_changes
from batchbook.batch.systems import System
from batchbook.errors import (
    BatchbookError,
    CannotSave,
    ConfigurationError,
    WorkbookDamaged,
    WorkbookInUse,
    WorkbookMissing,
)
from batchbook.storage import files, saver
from batchbook.storage.savelog import SaveLog
from batchbook.storage.turns import did_nothing
from batchbook.tables.records import RecordChange
from batchbook.tables.workspace import RecordRefused
from batchbook.xlsx import digest_of
from tests.batch.shelf import ITEMS, NOW, SHELF, Bench, NotAllowed, change, log, take, take_next
from tests.storage.helpers import Crash, FaultyOperations
from tests.storage.ledgers import begin, outcome

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path / "w")


def beside(bench):
    """What lies beside the workbook."""
    return sorted(path.name for path in bench.path.iterdir() if path.name not in ("shelf.xlsx", "data"))


# --- one command ------------------------------------------------------------------------------------------------------


def test_a_command_is_a_run_with_who_did_what_to_which_record(bench):
    done = bench.do(take("0001", "new"), note="for a friend", clock=lambda: NOW)
    assert (done.value, done.warnings) == ("0001", ())
    assert bench.items()["00-01"] == ["taken", "new"]
    assert bench.rows("Log") == [[f"{done.run}.1", "00-01", "take", "me"]]
    with bench.ledger() as ledger:
        run = ledger.run(done.run)
    assert (run.job, run.status, run.note, run.selected) == ("shelf take", "completed", "00-01 (new); for a friend", 0)
    assert run.settings["user"] == "me"
    assert run.settings["tables"] == {
        "Items": {"key": ["Code"], "append_only": False}, "Log": {"key": ["Entry"], "append_only": True},
    }  # fmt: skip
    assert run.digest == digest_of(bench.book)
    assert beside(bench) == []


@pytest.mark.parametrize(
    ("act", "note"),
    [
        (take("0001"), "00-01 (one)"),
        (change("0001", title="other"), "00-01 (other)"),
        (change("0001", title=None), "00-01 (one)"),
        (change("0001", title="a" * 70), f"00-01 ({'a' * 57}...)"),
        (lambda *both: [take(f"{n:04}", f"no {n}")(*both) for n in range(3, 10)],
         "00-03 (no 3), 00-04 (no 4), 00-05 (no 5), 4 more"),
        (lambda *both: take("0003")(*both), "00-03"),
    ],
)  # fmt: skip
def test_every_command_leaves_a_note_of_which_records_it_changed_without_its_doing(bench, act, note):
    done = bench.do(act)
    with bench.ledger() as ledger:
        assert ledger.run(done.run).note == note


def test_of_a_command_that_only_adds_to_a_log_the_note_names_that(bench):
    done = bench.do(lambda workspace, actor: log(workspace, actor, "0001", "seen"))
    with bench.ledger() as ledger:
        assert ledger.run(done.run).note == f"{done.run}.1"


def test_only_cells_of_the_record_change_all_else_stays_to_the_last_byte(bench):
    bench.edit(lambda sheet: (sheet.__setitem__("F2", "mine"), sheet.__setitem__("F3", "=1+1")))

    def parts():
        with zipfile.ZipFile(bench.book) as book:
            return {name: book.read(name) for name in book.namelist()}

    before = parts()
    bench.do(take("0001", "new"))
    after = parts()
    changed = {name for name in before if before[name] != after.get(name)}
    assert changed <= {"xl/worksheets/sheet1.xml", "xl/worksheets/sheet2.xml", "xl/workbook.xml"}
    assert openpyxl.load_workbook(bench.book)["Items"]["F3"].value == "=1+1"
    assert bench.rows()[0] == ["00-01", "taken", "new", 1, None, "mine"]


def test_new_records_come_behind_the_last_row_in_the_order_in_which_they_were_staged(bench):
    def act(workspace, actor):
        for _ in range(3):
            take_next("x")(workspace, actor)

    bench.edit(lambda sheet: sheet.__setitem__("F6", "far below"))
    bench.do(act)
    sheet = openpyxl.load_workbook(bench.book)["Items"]
    assert [sheet.cell(row, 1).value for row in (7, 8, 9)] == ["00-03", "00-04", "00-05"]


def test_a_command_that_stages_nothing_is_no_run_and_no_save(bench):
    state = bench.book.read_bytes()
    done = bench.do(lambda workspace, actor: workspace.table(ITEMS).count())
    assert (done.value, done.run, done.changes) == (2, None, ())
    assert bench.book.read_bytes() == state
    assert bench.runs() == []


@pytest.mark.parametrize("error", [NotAllowed, RecordRefused, KeyError, KeyboardInterrupt])
def test_what_the_command_raises_passes_through_and_leaves_nothing(bench, error):
    state = bench.book.read_bytes()

    def act(workspace, actor):
        take("0001")(workspace, actor)
        if error is NotAllowed:
            take("0001")(workspace, actor)
        if error is RecordRefused:
            workspace.table(ITEMS).update("0002", state="lent")
        raise error

    with pytest.raises(error):
        bench.do(act)
    assert bench.book.read_bytes() == state
    assert (bench.runs(), beside(bench)) == ([], [])


def test_a_rehearsal_decides_and_writes_nothing(bench):
    state = bench.book.read_bytes()
    done = bench.do(take("0001", "new"), dry_run=True)
    assert (done.run, [one.sheet for one in done.changes]) == (None, ["Items", "Log"])
    assert bench.book.read_bytes() == state
    assert sorted(path.name for path in bench.path.iterdir()) == ["shelf.xlsx"], "not even a ledger was made"
    bench.do(take("0002"))
    (bench.path / ".~lock.shelf.xlsx#").write_text(",somebody,host,,;")
    assert bench.do(take("0001"), dry_run=True).value == "0001"


def test_the_record_of_a_command_has_the_zone_of_the_folder(bench):
    (bench.path / "config").mkdir()
    (bench.path / "config" / "batchbook.yaml").write_text("timezone: Europe/Berlin\n")
    found = bench.do(lambda workspace, actor: (str(actor.zone), actor.user, actor.now), clock=lambda: NOW)
    assert found.value == ("Europe/Berlin", "me", NOW)


# --- what cannot be built on or written -------------------------------------------------------------------------------


def test_a_cell_that_lies_in_merged_cells_is_refused_by_its_place(bench):
    bench.edit(lambda sheet: sheet.merge_cells("D3:E3"))
    state = bench.book.read_bytes()
    with pytest.raises(BatchbookError) as caught:
        bench.do(lambda workspace, actor: workspace.table(ITEMS).update("0002", notes="x"))
    (finding,) = caught.value.findings
    assert caught.value.exit_code == 2
    assert (finding.sheet, finding.row, finding.column) == ("Items", 3, "Notes")
    assert "lies in merged cells" in finding.message
    assert bench.book.read_bytes() == state
    assert bench.runs() == []


def test_a_formula_is_not_overwritten(bench):
    bench.edit(lambda sheet: (sheet.__setitem__("D2", "=1+1"), sheet.__setitem__("D3", 5)))
    # openpyxl writes no cached value: give it one, as Excel would.
    with zipfile.ZipFile(bench.book) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    sheet = parts["xl/worksheets/sheet1.xml"]
    parts["xl/worksheets/sheet1.xml"] = sheet.replace(b"<f>1+1</f><v></v>", b"<f>1+1</f><v>2</v>").replace(
        b"<f>1+1</f><v />", b"<f>1+1</f><v>2</v>"
    )
    with zipfile.ZipFile(bench.book, "w") as book:
        for name, one in parts.items():
            book.writestr(name, one)
    with pytest.raises(BatchbookError) as caught:
        bench.do(change("0001", count=7))
    (finding,) = caught.value.findings
    assert (finding.sheet, finding.row, finding.rule) == ("Items", 2, "cell")
    assert "it holds a formula" in finding.message


def test_a_workbook_that_is_missing_or_none_is_said_before_anything_is_made(bench, tmp_path):
    with pytest.raises(WorkbookMissing):
        command.run_command(
            bench.base, bench.path / "other.xlsx", SHELF, "take", take("0001"), user="me", wait=0, clock=lambda: NOW
        )
    assert sorted(path.name for path in bench.path.iterdir()) == ["shelf.xlsx"]


def test_a_header_that_is_missing_is_named_and_nothing_is_changed(bench):
    bench.cell("B1", "Something")
    with pytest.raises(ConfigurationError) as caught:
        bench.do(take("0001"))
    assert "'State'" in str(caught.value.findings[0])
    assert bench.runs() == []


def damage(path, part="xl/worksheets/sheet1.xml"):
    with zipfile.ZipFile(path) as book:
        info = book.getinfo(part)
    content = bytearray(path.read_bytes())
    at = info.header_offset + 30 + len(part) + info.compress_size // 2
    content[at] ^= 0xFF
    path.write_bytes(content)


def test_a_damaged_workbook_is_named_with_its_newest_backup(bench):
    bench.do(take("0001"))
    damage(bench.book)
    state = bench.book.read_bytes()
    for attempt in (lambda: bench.do(take("0002")), bench.look, lambda: bench.do(take("0002"), dry_run=True)):
        with pytest.raises(WorkbookDamaged, match=r"newest valid backup is .*_before_") as caught:
            attempt()
        assert caught.value.exit_code == 5
    assert bench.book.read_bytes() == state
    assert len(bench.runs()) == 1


def test_damage_in_a_part_that_no_record_lies_in_is_found_before_the_replace(bench):
    bench.do(take("0001"))
    damage(bench.book, "xl/worksheets/sheet3.xml")
    state = bench.book.read_bytes()
    with pytest.raises(BatchbookError):
        bench.do(take("0002"))
    assert bench.book.read_bytes() == state
    assert beside(bench) == []


def test_where_the_configuration_says_so_the_backup_takes_its_place(bench):
    bench.do(take("0001"))
    bench.do(take("0002"))
    (bench.path / "config").mkdir()
    (bench.path / "config" / "batchbook.yaml").write_text("backups: {auto_restore: true}\n")
    damage(bench.book)
    done = bench.do(take_next("third"))
    assert any("replaced by its newest valid backup" in text for text in done.warnings)
    assert bench.items()["00-01"][0] == "taken"
    assert done.value == "0003"


def test_a_ledger_that_is_new_or_from_before_is_told_by_the_runs_that_it_does_not_know(bench):
    bench.do(take("0001"))
    before = bench.base.ledger.read_bytes()
    later = bench.do(take("0002")).run
    assert bench.do(change("0001", title="x")).warnings == ()
    bench.base.ledger.write_bytes(before)
    (told,) = bench.do(take("0003")).warnings
    assert later in told and "does not know run" in told
    bench.base.ledger.unlink()
    (told,) = bench.do(take("0004")).warnings
    assert later in told and "does not know run" in told


@pytest.mark.parametrize("owner", [".~lock.shelf.xlsx#", "~$shelf.xlsx"])
def test_an_open_workbook_is_refused_and_can_be_read_all_the_same(bench, owner):
    (bench.path / owner).write_text(",somebody,host,,;")
    with pytest.raises(WorkbookInUse) as caught:
        bench.do(take("0001"))
    assert caught.value.exit_code == 4
    assert bench.look().table(ITEMS).count() == 2


# --- people -----------------------------------------------------------------------------------------------------------


def meanwhile(bench, edits, act):
    """`act`, while a person saves after each time that it was called, as long as there are edits."""
    todo = iter(edits)
    calls = []

    def both(workspace, actor):
        calls.append(1)
        value = act(workspace, actor)
        edit = next(todo, None)
        if edit is not None:
            bench.edit(edit)
        return value

    return both, calls


def test_a_person_who_saves_meanwhile_keeps_what_they_wrote_and_rows_are_found_by_key(bench):
    def person(sheet):
        sheet.insert_rows(2, 2)
        sheet["C5"], sheet["F4"] = "mine", "note"

    act, calls = meanwhile(bench, [person], take("0001", "new"))
    done = bench.do(act)
    assert len(calls) == 2
    assert done.warnings == ()
    assert bench.rows() == [["00-01", "taken", "new", 1, None, "note"], ["00-02", "free", "mine", 2, None, None]]
    assert len(bench.rows("Log")) == 1


def test_the_rules_see_what_a_person_entered_meanwhile(bench):
    act, _ = meanwhile(bench, [lambda sheet: sheet.append(["0003", "free", "theirs"])], take_next("ours"))
    assert bench.do(act).value == "0004"
    assert bench.items() == {
        "00-01": ["free", "one"], "00-02": ["free", "two"], "0003": ["free", "theirs"], "00-04": ["taken", "ours"],
    }  # fmt: skip


def test_a_refusal_after_a_person_saved_names_the_difference(bench):
    act, _ = meanwhile(bench, [lambda sheet: sheet.__setitem__("B2", "gone")], take("0001"))
    with pytest.raises(NotAllowed, match="0001 is gone") as caught:
        bench.do(act)
    (finding,) = caught.value.findings
    assert (finding.file, finding.sheet, finding.row, finding.column) == ("shelf.xlsx", "Items", 2, "State")
    assert "was 'free' when the change was decided, and is 'gone' now" in finding.message
    assert bench.items()["00-01"] == ["gone", "one"]
    assert {status for _, status in bench.runs()} <= {"cleared"}


def test_a_workbook_that_changes_at_every_attempt_is_given_up_on_with_the_difference(bench, monkeypatch):
    monkeypatch.setattr(command, "MOST_ATTEMPTS", 3)
    edits = [lambda sheet, n=n: sheet.__setitem__("C2", f"theirs {n}") for n in range(9)]
    act, calls = meanwhile(bench, edits, change("0001", title="ours"))
    with pytest.raises(CannotSave, match="at each of 3 attempts") as caught:
        bench.do(act)
    assert (len(calls), caught.value.exit_code) == (3, 6)
    assert "was 'one' when the change was decided, and is 'theirs 1' now" in str(caught.value.findings[0])
    assert bench.items()["00-01"] == ["free", "theirs 2"]
    assert bench.rows("Log") == []


def test_a_person_who_saves_while_the_new_file_is_made_keeps_what_they_wrote(bench, monkeypatch):
    real, calls = saver.verify, []

    def slow(*values, **more):
        calls.append(1)
        if len(calls) == 1:
            bench.cell("C3", "mine")
        return real(*values, **more)

    monkeypatch.setattr(saver, "verify", slow)
    done = bench.do(take("0001", "new"))
    assert bench.items() == {"00-01": ["taken", "new"], "00-02": ["free", "mine"]}
    assert bench.runs() == [("shelf take", "completed")]
    bench.undo(done.run)
    assert bench.items() == {"00-01": ["free", "one"], "00-02": ["free", "mine"]}


# --- faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [errno.EIO, errno.ENOSPC, Crash, KeyboardInterrupt])
def test_whatever_file_operation_fails_it_is_the_old_state_and_no_run_or_the_new_one_and_a_run(
    tmp_path, monkeypatch, fault
):
    for k in itertools.count(1):
        bench = Bench(tmp_path / str(k))
        before = bench.items()
        ops = FaultyOperations(k, fault)
        with monkeypatch.context() as patch:
            patch.setattr(files, "ops", ops)
            try:
                told = bench.do(take("0001", "new")).run is not None
            except BatchbookError as error:
                assert error.advice
                told = False
            except (Crash, KeyboardInterrupt):
                told = False
        there = bench.items() != before
        assert there or not told, k
        assert bench.items() == (before if not there else {**before, "00-01": ["taken", "new"]}), k
        assert len(bench.rows("Log")) == int(there), k
        bench.do(take("0002"))  # settles whatever is left
        assert bench.items()["00-01"] == (["taken", "new"] if there else before["00-01"]), k
        assert beside(bench) == [], k
        with bench.ledger() as ledger:
            runs = [run for run in ledger.runs() if not did_nothing(ledger, run)]
            assert not [run for run in ledger.runs() if run.unfinished], k
            assert len(runs) == 1 + there, k
        if there:
            assert list(bench.undo(runs[-1].id).kept) == [], k
            assert bench.items()["00-01"] == before["00-01"], k
        if ops.count < k:
            break
    assert k > 15


def test_one_that_died_between_the_replace_and_the_ledger_is_settled_by_the_next_command(bench, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(SaveLog, "saved", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            bench.do(take("0001", "new"))
    with bench.ledger() as ledger:
        (run,) = ledger.runs()
        assert run.unfinished
    bench.do(take("0002"))
    assert bench.runs() == [("shelf take", "completed"), ("shelf take", "completed")]
    assert list(bench.undo(run.id).kept) == []
    assert bench.items() == {"00-01": ["free", "one"], "00-02": ["taken", "two"]}


def test_two_processes_at_once_lose_nothing_and_give_no_number_twice(tmp_path):
    bench = Bench(tmp_path / "w")
    script = (
        "import sys; from pathlib import Path; from tests.batch.shelf import Bench, take_next\n"
        "bench = Bench.__new__(Bench); bench.path = Path(sys.argv[1])\n"
        "for n in range(30): print(bench.do(take_next(f'{sys.argv[2]} {n}'), wait=120).value, flush=True)"
    )
    env = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(bench.path), name], stdout=subprocess.PIPE, text=True, env=env
        )
        for name in ("a", "b")
    ]
    given = [worker.communicate(timeout=300)[0].split() for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0]
    assert sorted(given[0] + given[1]) == [f"{n:04}" for n in range(3, 63)]
    titles = {row[2] for row in bench.rows()[2:]}
    assert titles == {f"{name} {n}" for name in "ab" for n in range(30)}
    entries = bench.rows("Log")
    assert (len(entries), len({row[0] for row in entries})) == (60, 60)
    assert len(bench.runs()) == 60


# --- unfinished jobs --------------------------------------------------------------------------------------------------


def unfinished(bench, *changes, system="shelf"):
    """A run of a job that died when it had decided these changes."""
    with bench.ledger() as ledger:
        name = ledger.name_of(bench.book)
        made = begin(ledger, rows=len(changes), workbook=name, job="job", status="running", settings={"system": system})
        for n, one in enumerate(changes, 1):
            details = json.dumps(packed_changes([one]))
            made.commit(n, 1, [dataclasses.replace(outcome(n), details=details)], "2026-03-01T12:00:00+00:00", 0.1)
    return made.run.id


def new_item(code):
    return RecordChange("Items", (code,), None, {"code": f"{code[:2]}-{code[2:]}", "state": "taken"})


def test_numbers_that_an_unfinished_job_has_given_are_not_given_again(bench):
    unfinished(bench, new_item("0003"), new_item("0004"))
    assert bench.do(take_next("x")).value == "0005"
    assert set(bench.items()) == {"00-01", "00-02", "00-05"}


def test_those_of_another_system_do_not_count(bench):
    unfinished(bench, new_item("0003"), system="another")
    assert bench.do(take_next("x")).value == "0003"


@pytest.mark.parametrize("code", ["0001", "0003"])
def test_a_record_that_an_unfinished_job_changes_is_left_to_it(bench, code):
    changed = RecordChange("Items", ("0001",), {"title": "one"}, {"title": "by the job"})
    run = unfinished(bench, changed, new_item("0003"))
    state = bench.book.read_bytes()
    with pytest.raises(CannotSave, match=f"changed by run {run}.*--resume-auto") as caught:
        bench.do(change(code, count=9))
    assert caught.value.exit_code == 6
    assert bench.book.read_bytes() == state
    bench.do(change("0002", count=9))


def test_an_undo_leaves_the_records_of_an_unfinished_job(bench):
    first = bench.do(take("0001", "new")).run
    run = unfinished(bench, RecordChange("Items", ("0001",), {"title": "new"}, {"title": "by the job"}))
    (kept,) = bench.undo(first).kept
    assert f"run {run} changes it" in kept
    assert bench.items()["00-01"] == ["taken", "new"]


# --- records that were lost -------------------------------------------------------------------------------------------


def test_a_number_whose_row_a_person_deleted_is_never_given_again(bench):
    bench.do(take_next("third"))
    bench.edit(lambda sheet: sheet.delete_rows(4))
    for expected in ("0004", "0005", "0006"):
        assert bench.do(take_next("x")).value == expected
    assert list(bench.look().lost(ITEMS)) == [("0003",)]


def test_a_number_that_an_older_copy_took_back_is_never_given_again(bench):
    old = bench.book.read_bytes()
    bench.do(take_next("third"))
    bench.do(take_next("fourth"))
    bench.book.write_bytes(old)
    assert bench.do(take_next("x")).value == "0005"
    assert list(bench.look().lost(ITEMS)) == [("0003",), ("0004",)]


def test_a_row_whose_key_is_written_in_another_way_or_is_unsound_is_not_lost(bench):
    bench.do(take_next("third"))
    bench.do(take_next("fourth"))
    bench.edit(lambda sheet: (sheet.__setitem__("A4", "0003"), sheet.__setitem__("B5", "lent")))
    assert list(bench.look().lost(ITEMS)) == []


def test_what_people_entered_and_deleted_is_lost_only_if_the_machine_wrote_into_it(bench):
    bench.do(change("0002", title="changed by a command"))
    bench.edit(lambda sheet: sheet.delete_rows(2, 2))
    assert list(bench.look().lost(ITEMS)) == [("0002",)]
    assert [bench.do(take_next("x")).value for _ in range(2)] == ["0001", "0003"]


def test_a_number_that_was_undone_entered_by_hand_and_given_again_is_lost_when_its_row_is_deleted(bench):
    bench.undo(bench.do(take_next("third")).run)
    assert list(bench.look().lost(ITEMS)) == []
    bench.edit(lambda sheet: sheet.append(["00-03", "free", "by hand"]))
    bench.do(take("0003"))
    bench.edit(lambda sheet: sheet.delete_rows(5))
    assert list(bench.look().lost(ITEMS)) == [("0003",)]


def test_a_lost_record_that_is_entered_again_is_no_longer_lost(bench):
    bench.do(take_next("third"))
    bench.edit(lambda sheet: sheet.delete_rows(4))
    bench.do(take_next("x"))
    bench.do(take("0003"))
    assert list(bench.look().lost(ITEMS)) == []
    bench.do(take_next("y"))
    assert list(bench.look().lost(ITEMS)) == []


def test_what_was_found_lost_is_kept_for_the_state_that_a_command_left(bench, monkeypatch):
    from batchbook.batch.lostkeys import LostRecords

    bench.do(take_next("third"))
    bench.edit(lambda sheet: sheet.delete_rows(4))
    bench.do(take_next("x"))
    with monkeypatch.context() as patch:
        patch.setattr(LostRecords, "_look", lambda *_: pytest.fail("it was looked for again"))
        assert bench.do(take_next("y")).value == "0005"
        assert list(bench.look().lost(ITEMS)) == [("0003",)]
    bench.edit(lambda sheet: sheet.delete_rows(4))
    assert list(bench.look().lost(ITEMS)) == [("0003",), ("0004",)]


def test_where_the_record_of_what_was_written_is_damaged_a_number_counts_as_lost(bench):
    bench.do(take_next("third"))
    bench.edit(lambda sheet: sheet.delete_rows(4))
    with bench.ledger() as ledger:
        ledger.execute("UPDATE written SET cells = replace(cells, 'third', 'other')")
    assert list(bench.look().lost(ITEMS)) == [("0003",)]


def test_a_system_without_types_of_its_own_can_be_looked_at(bench):
    class Nothing(System):
        name = "nothing"
        types = ()

    assert list(bench.look(Nothing()).findings) == []
