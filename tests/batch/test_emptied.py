"""A ledger that was cut to nothing, and one that was only just made."""

import shutil

import pytest

from batchbook.batch import emptied
from batchbook.batch.history import list_runs, open_ledger
from batchbook.batch.overview import overview
from batchbook.errors import LedgerDamaged
from tests.batch.helpers import Site


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path / "site")


def cut(site):
    """The ledger as a fault of the disk, or somebody's `>`, leaves it."""
    site.ledger_path.write_bytes(b"")
    for what in ("wal", "shm"):
        site.ledger_path.with_name(f"{site.ledger_path.name}-{what}").unlink(missing_ok=True)


@pytest.mark.parametrize("left", ["backups", "reports", "both"])
def test_an_empty_ledger_is_damage_where_runs_left_something(site, monkeypatch, left):
    monkeypatch.setattr(emptied, "PATIENCE_SECONDS", 0.1)
    site.run()
    cut(site)
    base = site.job().base
    if left != "both":
        shutil.rmtree(base.reports if left == "backups" else base.backups_folder)
    before = site.book.read_bytes()
    for ask in (site.run, lambda: site.run(dry_run=True), lambda: open_ledger(base), lambda: overview(base)):
        with pytest.raises(LedgerDamaged, match="it is empty") as caught:
            ask()
        assert caught.value.exit_code == 6
    assert "--start-fresh" in caught.value.advice
    assert site.book.read_bytes() == before
    assert site.ledger_path.stat().st_size == 0, "it is left to be looked at"
    site.ledger_path.rename(site.path / "aside")
    assert site.run().rows.selected == 6, "the way out leads out"


def test_an_empty_ledger_of_a_first_run_that_died_is_a_new_one(site):
    site.ledger_path.parent.mkdir(parents=True)
    site.ledger_path.touch()
    assert site.run().rows.done == 6


def test_a_ledger_that_is_just_being_made_is_waited_for(site, monkeypatch):
    site.run()
    content = site.ledger_path.read_bytes()
    cut(site)
    waited = []

    def make(seconds):
        waited.append(seconds)
        site.ledger_path.write_bytes(content)

    monkeypatch.setattr(emptied.time, "sleep", make)
    with open_ledger(site.job().base) as ledger:
        assert len(list_runs(ledger)) == 1
    assert len(waited) == 1
