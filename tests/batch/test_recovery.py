import openpyxl
import pytest

from batchbook.batch.controller import local_now
from batchbook.batch.recovery import restore_backup, sound_or_backup
from batchbook.batch.undo import undo_run
from batchbook.errors import CannotResume, WorkbookDamaged
from batchbook.storage import files
from batchbook.storage.backups import BackupStore
from batchbook.storage.lock import LockInfo
from batchbook.storage.savelog import SaveLog, open_intents, saves_of
from batchbook.storage.settling import settle_dead_holder, settle_intents
from batchbook.xlsx import digest_of
from tests.batch.helpers import Site, counted, shout


def intent(site, old, new):
    """A save of which nobody recorded how it ended."""
    with site.ledger() as ledger:
        (run,) = ledger.runs()
        return SaveLog(ledger, run.id, ledger.name_of(site.book), lambda: run.started).intend(
            old, new, ".x.batchbook-tmp"
        )


@pytest.mark.parametrize(("kind", "state"), [("new", "saved"), ("old", "abandoned"), ("neither", "unsure")])
def test_an_open_save_is_settled_by_what_the_file_is(site, kind, state):
    site.died(3)
    now = digest_of(site.book)
    save = intent(site, now if kind == "old" else "a", now if kind == "new" else "b")
    with site.ledger() as ledger:
        assert settle_intents(ledger, site.book) == 1
        assert open_intents(ledger, ledger.name_of(site.book)) == []
        assert {one.id: one.state for one in saves_of(ledger, ledger.runs()[0].id)}[save] == state
        assert settle_intents(ledger, site.book) == 0


def info(ledger):
    """What a dead holder's lock file said, as far as it matters here."""
    plain = dict.fromkeys(LockInfo.__dataclass_fields__)
    return LockInfo(**{**plain, "ledger": None if ledger is None else str(ledger)})


def test_the_open_saves_of_a_dead_holder_are_settled_in_its_own_ledger(site):
    site.died(3)
    intent(site, digest_of(site.book), "b")
    warnings = []
    settle_dead_holder(site.book, info(site.ledger_path), warn=warnings.append)
    with site.ledger() as ledger:
        assert open_intents(ledger, ledger.name_of(site.book)) == []
    assert warnings == []


@pytest.mark.parametrize("there", [None, "none.db", "damaged.db"])
def test_a_dead_holders_ledger_that_cannot_be_read_stops_nobody(site, there):
    (site.path / "damaged.db").write_bytes(b"no ledger" * 1000)
    warnings = []
    settle_dead_holder(site.book, info(there and site.path / there), warn=warnings.append)
    assert len(warnings) == (there == "damaged.db")


def test_a_damaged_workbook_names_its_newest_backup_and_is_left_alone(site):
    site.run()
    site.book.write_bytes(b"PK\x03\x04" + b"x" * 500)
    with pytest.raises(WorkbookDamaged, match=r"backups restore .*\.xlsx"):
        site.run()
    assert site.book.read_bytes() == b"PK\x03\x04" + b"x" * 500


def test_a_damaged_workbook_is_replaced_where_the_configuration_says_so(site):
    site.run()
    (site.path / "config").mkdir()
    (site.path / "config" / "batchbook.yaml").write_text("backups: {auto_restore: true}\n")
    site.book.write_bytes(b"PK\x03\x04" + b"x" * 500)
    assert site.run().status == "completed"
    assert site.results()["K6"] == "name 6!"
    assert any("newest valid backup" in said for said in site.warnings())


def test_a_damaged_workbook_without_a_backup_is_damaged(site):
    site.book.write_bytes(b"PK\x03\x04" + b"x" * 500)
    base = site.job().base
    with pytest.raises(WorkbookDamaged):
        sound_or_backup(site.book, BackupStore(base.backups_folder, site.book), base, print)


def test_the_checkpoints_side_puts_the_runs_state_back_and_keeps_the_persons_file(site):
    site.run()
    site.use(lambda row: {"Result": "second"})
    site.interrupted(4, processor=lambda row: {"Result": "second"})
    site.cell("D2", "a note")
    result = site.run("auto", on_change="checkpoint")
    assert result.status == "completed"
    assert set(site.results().values()) == {"second"}
    assert result.conflicts == 0
    assert site.rows()[0][3] == "note 1"
    backups = [openpyxl.load_workbook(path)["Data"]["D2"].value for path in site.path.glob("data/backups/*/*.xlsx")]
    assert "a note" in backups


def test_without_a_backup_of_the_run_the_checkpoints_side_cannot_be_taken(site):
    site.died(3)
    site.cell("D2", "a note")
    with pytest.raises(CannotResume, match="--on-change merge"):
        site.run("auto", on_change="checkpoint")
    assert site.run("auto").rows.done == 6
    assert site.rows()[0] == ["K1", "name 1", "name 1!", "a note"]


def test_a_file_that_was_saved_but_not_recorded_is_not_saved_twice(site, monkeypatch):
    def lost(self, save, backup):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(SaveLog, "saved", lost)
        with pytest.raises(KeyboardInterrupt):
            site.run()
    assert site.results()["K3"] == "name 3!"
    work, seen = counted(shout)
    site.use(work)
    result = site.run("auto")
    assert (result.status, result.conflicts, seen) == ("completed", 0, ["K4", "K5", "K6"])


def test_old_copies_of_the_workbook_that_nobody_finished_are_swept(tmp_path):
    site = Site(tmp_path / "w")
    (site.path / ".book.xlsx.20260101-000000-abcd.batchbook-tmp").write_bytes(b"half")
    site.run()
    assert {path.name for path in site.path.iterdir()} == {"book.xlsx", "data", "job.yaml"}


# --- put back on purpose -------------------------------------------------------------------------------------------


def restored(site):
    """Put the state before the latest run back, as `backups restore` does."""
    base = site.job().base
    store = BackupStore(base.backups_folder, site.book)
    restore_backup(base, store, next(one for one in store.list() if one.kind == "before"), print)


def test_after_a_restore_the_values_put_back_are_the_machines_and_not_a_persons(site):
    site.run()
    site.cell("C3", "mine")
    site.use(lambda row: {"Result": "second"})
    site.run()
    restored(site)
    assert site.results()["K1"] == "name 1!"
    site.cell("C4", "mine too")
    site.use(lambda row: {"Result": "third"})
    result = site.run()
    assert site.results() == {**dict.fromkeys(site.results(), "third"), "K2": "mine", "K3": "mine too"}
    assert (result.conflicts, "vanished" in result.as_dict()) == (2, False)


def backups(site):
    return BackupStore(site.job().base.backups_folder, site.book)


def put_back(site, backup):
    """As `backups restore` does it; gives what it said."""
    said = []
    restore_backup(site.job().base, backups(site), backup, said.append)
    return said


def says(text):
    return lambda row: {"Result": text}


def test_a_state_put_back_and_forward_again_holds_the_machines_values_and_not_a_persons(site):
    site.run()
    said = put_back(site, backups(site).list()[-1])
    assert any("are no longer in book.xlsx" in line and "runs reapply" in line for line in said)
    put_back(site, next(one for one in backups(site).list() if one.run == "restore"))
    assert site.results()["K1"] == "name 1!"
    site.use(says("second"))
    assert (site.run().conflicts, set(site.results().values())) == (0, {"second"})


def test_only_what_the_saves_taken_back_wrote_counts_as_lost(site):
    run = site.run().run_id
    with site.ledger() as ledger:
        saves = [save for save in saves_of(ledger, run) if save.state == "saved"]
    assert len(saves) == 2
    middle = next(one for one in backups(site).list() if saves[1].old.startswith(one.digest))
    said = []
    (lost,) = restore_backup(site.job().base, backups(site), middle, said.append)
    assert lost.as_dict() == {"run_id": run, "job": "small", "cells": 3}
    assert any(f"3 cells that run {run} of small wrote are no longer in book.xlsx" in line for line in said)


def test_of_an_undo_that_a_restore_takes_back_it_is_said_what_it_undid(site):
    run = site.run().run_id
    with site.ledger() as ledger:
        undone = undo_run(site.job().base, ledger, run, wait=0, clock=local_now, warn=print)
        before = next(save for save in saves_of(ledger, undone.undo_run)).old
    said = put_back(site, next(one for one in backups(site).list() if before.startswith(one.digest)))
    (line,) = [line for line in said if undone.undo_run in line]
    assert line.startswith(f"what the undo (run {undone.undo_run}) of run {run} did is taken back: 6 cells")
    assert not [one for one in said if "of undo of" in one]


def test_a_damaged_workbook_replaced_by_an_earlier_state_holds_the_machines_values_of_then(site):
    (site.path / "config").mkdir()
    (site.path / "config" / "batchbook.yaml").write_text("backups: {auto_restore: true}\n")
    site.run()
    site.use(says("second"))
    second = site.run().run_id
    site.book.write_bytes(b"PK\x03\x04" + b"x" * 500)
    site.use(says("third"))
    assert (site.run().conflicts, set(site.results().values())) == (0, {"third"})
    assert any(second in line and "runs reapply" in line for line in site.warnings())


def test_after_the_checkpoints_side_of_a_restored_workbook_nothing_passes_for_a_persons(site):
    site.run()
    site.use(says("second"))
    site.interrupted(5, processor=says("second"))
    put_back(site, backups(site).list()[-1])
    assert site.run("auto", on_change="checkpoint").conflicts == 0
    assert set(site.results().values()) == {"second"}
    site.use(says("third"))
    assert (site.run().conflicts, set(site.results().values())) == (0, {"third"})


def test_the_checkpoints_side_names_what_it_takes_back_of_other_runs_and_their_next_run_writes_there(tmp_path):
    batch = {"strategy": "fixed", "size": 1, "checkpoint_frequency": 1, "concurrency": 1, "max_retry_attempts": 1}
    site = Site(tmp_path / "w", batch=batch)
    site.interrupted(2)
    job = (site.path / "job.yaml").read_text()
    site.make_job(lambda row: {"Note": f"of {row['Name']}"}, job="other", writes=["Note"], batch=batch)
    other = site.run().run_id
    others = (site.path / "job.yaml").read_text()
    (site.path / "job.yaml").write_text(job)
    site.cell("D7", "a person's")
    assert site.run("auto", on_change="checkpoint").rows.done == 6
    assert site.results(3) == {f"K{n}": f"note {n}" for n in range(1, 7)}
    said = " ".join(site.warnings())
    assert f"`batchbook runs reapply {other}`" in said
    assert "as it was until now is kept as the backup" in said
    (site.path / "job.yaml").write_text(others)
    assert site.run().conflicts == 0
    assert site.results(3) == {f"K{n}": f"of name {n}" for n in range(1, 7)}


def test_a_ledger_from_before_is_noticed_by_the_backups_of_runs_that_it_does_not_know(site):
    site.run()
    older = site.ledger_path.read_bytes()
    site.use(says("second"))
    site.run()
    site.use(says("third"))
    later = site.run().run_id
    assert not any("does not know run" in line for line in site.warnings())
    site.ledger_path.write_bytes(older)
    site.run()
    assert any("does not know run" in line and later in line for line in site.warnings())


def test_a_restore_works_where_the_ledger_is_damaged(site):
    state = site.book.read_bytes()
    site.run()
    site.ledger_path.write_bytes(b"nothing of the kind" * 100)
    restored(site)
    assert site.book.read_bytes() == state


def test_an_output_made_anew_holds_nothing_of_the_machine(tmp_path):
    site = Site(tmp_path / "w", [[f"K{n}", f"name {n}", "original", None] for n in range(1, 7)])
    output = {"output": str(site.path / "out.xlsx")}
    site.run(overrides=output)
    site.use(lambda row: {"Result": "second"})
    result = site.run(overrides=output)
    assert (result.conflicts, "vanished" in result.as_dict()) == (0, False)
    assert {row[2] for row in site.rows(name="out.xlsx")} == {"second"}


def test_what_somebody_saved_in_the_last_moment_of_a_run_that_died_is_put_back_and_that_is_said(site, monkeypatch):
    class LastMoment(files.Operations):
        def exchange(self, one, other):
            site.cell("D2", "a note")
            super().exchange(one, other)
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(files, "ops", LastMoment())
        patch.setattr("batchbook.storage.saver.put_old_away", lambda *_: None)
        with pytest.raises(KeyboardInterrupt):
            site.run()
    assert site.rows()[0][3] == "note 1"
    assert site.run("auto").rows.done == 6
    assert site.rows()[0] == ["K1", "name 1", "name 1!", "a note"]
    assert any("is put back in its place" in line for line in site.warnings())
