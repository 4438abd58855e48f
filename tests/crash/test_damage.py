"""The files of an interrupted run are damaged one region after the other: never a wrong resume, never a wrong value.

A sample runs with the other tests; all regions with `make crash`.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.crash.damaged import LEDGER, ROWS, Forker, Interrupted, check_resumed, cut, expected, flip, forker, interrupt
from tests.integration.helpers import Folder, make_folder

WAL = LEDGER.with_name("ledger.db-wal")
BOOK = Path("book.xlsx")


@pytest.fixture(scope="module")
def call() -> Iterator[Forker]:
    with forker() as made:
        yield made


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory, call: Forker) -> Interrupted:
    """A killed run; nearly all of its ledger is still in the log beside it."""
    return interrupt(make_folder(tmp_path_factory.mktemp("killed") / "work"), call)


@pytest.fixture(scope="module")
def folded(killed: Interrupted, tmp_path_factory: pytest.TempPathFactory) -> Interrupted:
    """The same with the log folded into the main file."""
    folder = killed.copy(tmp_path_factory.mktemp("folded") / "work")
    connection = sqlite3.connect(folder.path / LEDGER)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return Interrupted(folder, killed.before, killed.end)


def regions(made: Interrupted, file: Path, step: int) -> Iterator[int]:
    return iter(range(0, (made.state.path / file).stat().st_size, step))


def try_all(
    made: Interrupted,
    tmp_path: Path,
    call: Forker,
    file: Path,
    places: Iterator[int],
    damage: Callable[[Path, int], None],
) -> Counter[str]:
    """Damage a copy at each place and resume it; gives how often it ended how."""
    ends: Counter[str] = Counter()
    for place in places:
        folder = made.copy(tmp_path / f"at-{place}")
        damage(folder.path / file, place)
        try:
            ends[check_resumed(made, folder, call)] += 1
        except AssertionError as error:
            raise AssertionError(f"{file} damaged at {place}: {error}") from error
        shutil.rmtree(folder.path)
    return ends


def sampled(places: Iterator[int], count: int) -> Iterator[int]:
    found = list(places)
    return iter(found[:: max(1, len(found) // count)])


# --- a sample --------------------------------------------------------------------------------------------------------


def test_the_undisturbed_resume_keeps_what_was_done(killed: Interrupted, tmp_path: Path, call: Forker) -> None:
    folder = killed.copy(tmp_path / "copy")
    assert check_resumed(killed, folder, call) == "resumed"
    assert len(folder.processed()) < ROWS


@pytest.mark.parametrize("file", [LEDGER, WAL, BOOK])
def test_bytes_turned_over_never_lead_to_a_wrong_value(
    killed: Interrupted, folded: Interrupted, tmp_path: Path, call: Forker, file: Path
) -> None:
    made = folded if file == LEDGER else killed
    ends = try_all(
        made, tmp_path, call, file, sampled(regions(made, file, 509), 12), lambda path, at: flip(path, at, 8)
    )
    assert ends["refused" if file != WAL else "resumed"] > 0


@pytest.mark.parametrize("file", [LEDGER, WAL, BOOK])
def test_a_file_cut_off_never_leads_to_a_wrong_value(
    killed: Interrupted, folded: Interrupted, tmp_path: Path, call: Forker, file: Path
) -> None:
    made = folded if file == LEDGER else killed
    try_all(made, tmp_path, call, file, sampled(regions(made, file, 1024), 6), cut)


# --- all of them -----------------------------------------------------------------------------------------------------


@pytest.mark.crash
@pytest.mark.timeout(7200)
@pytest.mark.parametrize(("file", "step", "length"), [(LEDGER, 128, 1), (LEDGER, 256, 16), (WAL, 512, 8), (BOOK, 7, 1)])
def test_bytes_turned_over_in_any_region_never_lead_to_a_wrong_value(
    killed: Interrupted, folded: Interrupted, tmp_path: Path, call: Forker, file: Path, step: int, length: int
) -> None:
    made = folded if file == LEDGER else killed
    try_all(made, tmp_path, call, file, regions(made, file, step), lambda path, at: flip(path, at, length))


@pytest.mark.crash
@pytest.mark.timeout(7200)
@pytest.mark.parametrize(("file", "step"), [(LEDGER, 512), (WAL, 1024), (BOOK, 64)])
def test_a_file_cut_off_anywhere_never_leads_to_a_wrong_value(
    killed: Interrupted, folded: Interrupted, tmp_path: Path, call: Forker, file: Path, step: int
) -> None:
    try_all(folded if file == LEDGER else killed, tmp_path, call, file, regions(killed, file, step), cut)


# --- rows of the ledger edited ---------------------------------------------------------------------------------------

LAST = "(SELECT id FROM runs ORDER BY started DESC LIMIT 1)"
EDITS = {
    "a result": f'UPDATE outcomes SET writes = \'{{"Result":"forged"}}\' WHERE run = {LAST} AND ordinal = 14',
    "what a row held": f'UPDATE outcomes SET taken = \'{{"Result":"forged"}}\' WHERE run = {LAST} AND save IS NULL',
    "no text": f"UPDATE outcomes SET writes = x'00ff' WHERE run = {LAST} AND ordinal = 3",
    "a key": f"UPDATE outcomes SET key = '[\"K001\"]' WHERE run = {LAST} AND ordinal = 15",
    "unsaved called saved": f"""UPDATE outcomes SET save = (SELECT max(id) FROM saves WHERE state = 'saved')
                                WHERE run = {LAST} AND save IS NULL""",
    "saved by an unknown save": f"UPDATE outcomes SET save = 999 WHERE run = {LAST} AND save IS NULL",
    "saved called unsaved": f"UPDATE outcomes SET save = NULL WHERE run = {LAST} AND ordinal < 4",
    "results dropped": f"DELETE FROM outcomes WHERE run = {LAST} AND ordinal > 9",
    "results and their commits dropped": f"""DELETE FROM commits WHERE run = {LAST} AND seq > 2;
                                             DELETE FROM outcomes WHERE run = {LAST} AND seq > 2""",
    "the rows dropped": f"DELETE FROM selection WHERE run = {LAST} AND ordinal > 12",
    "a save's changes": "UPDATE changes SET after = replace(after, 'name', 'forged'), before = '{}'",
    "a save called off": f"UPDATE saves SET state = 'abandoned' WHERE run = {LAST}",
    "a save called open": f"UPDATE saves SET state = 'intent' WHERE run = {LAST}",
    "another save's digest": f"UPDATE saves SET new = old WHERE run = {LAST}",
    "saves dropped": f"PRAGMA foreign_keys = OFF; DELETE FROM saves WHERE run = {LAST}",
    "seals dropped": "DELETE FROM seals",
    "written values": "UPDATE written SET cells = replace(cells, 'name', 'forged')",
    "written values like a person's": 'UPDATE written SET cells = \'{"Result":"by hand","Checked":1}\'',
    "the run's digest": f"UPDATE runs SET digest = 'forged' WHERE id = {LAST}",
    "the run's settings": f"UPDATE runs SET settings = '{{' WHERE id = {LAST}",
    "the run's time": f"UPDATE runs SET active = 'yesterday' WHERE id = {LAST}",
    "the run's end": f"UPDATE runs SET status = 'completed' WHERE id = {LAST}",
    "checkpoints": f"UPDATE checkpoints SET chain = 'forged', counts = '{{}}' WHERE run = {LAST}",
    "the index of the blocks": "UPDATE blocks SET content = x'00'",
}


@pytest.mark.parametrize("what", EDITS)
def test_rows_of_the_ledger_that_were_edited_are_never_believed(
    killed: Interrupted, tmp_path: Path, call: Forker, what: str
) -> None:
    folder = killed.copy(tmp_path / "edited")
    connection = sqlite3.connect(folder.path / LEDGER)
    connection.executescript(EDITS[what])
    connection.close()
    check_resumed(killed, folder, call)


def test_a_ledger_moved_aside_as_advised_lets_a_fresh_run_do_every_row(
    folded: Interrupted, tmp_path: Path, call: Forker
) -> None:
    folder = folded.copy(tmp_path / "copy")
    flip(folder.path / LEDGER, 0, 16)
    refused = call.run(folder, "run", "job.yaml", "--resume-auto")
    assert refused.code == 6
    assert "is damaged" in refused.err
    assert "--start-fresh" in refused.err
    (folder.path / LEDGER).rename(folder.path / "aside.db")
    called = call.run(folder, "run", "job.yaml", "--start-fresh", "--json")
    assert called.code == 0, called.err
    assert "the ledger knows of no run over book.xlsx" in called.err
    people = (2, 19)
    rows = [row[3] for row in folder.cells()]
    assert [text for place, text in enumerate(rows, 1) if place not in people] == [
        expected(place) for place in range(1, ROWS + 1) if place not in people
    ]


def test_a_run_whose_record_is_damaged_is_not_undone(folded: Interrupted, tmp_path: Path, call: Forker) -> None:
    folder = folded.copy(tmp_path / "copy")
    assert call.run(folder, "run", "job.yaml", "--resume-auto").code == 0
    before = folder.cells()
    connection = sqlite3.connect(folder.path / LEDGER)
    connection.executescript("UPDATE changes SET before = replace(before, 'name', 'forged')")
    connection.close()
    for command in ("undo", "diff"):
        called = call.run(folder, "runs", command, "last")
        assert called.code == 6, called.err
        assert "batchbook backups" in called.err
    assert folder.cells() == before


# --- the workbook and its backups ------------------------------------------------------------------------------------


def damaged_inside(folder: Folder) -> None:
    """Damage that only shows when the content of a part is read."""
    content = folder.book.read_bytes()
    flip(folder.book, content.index(b"xl/styles.xml") + 60, 4)


def test_damage_within_a_part_is_found_before_the_run_and_a_backup_is_offered(
    killed: Interrupted, tmp_path: Path, call: Forker
) -> None:
    folder = killed.copy(tmp_path / "copy")
    damaged_inside(folder)
    called = call.run(folder, "run", "job.yaml", "--resume-auto")
    assert called.code == 5
    assert "batchbook backups restore" in called.err
    assert not folder.processed(), "nothing is computed for a workbook that cannot be saved"
    checked = call.run(folder, "check", "book.xlsx")
    assert checked.code == 5
    assert "styles.xml" in checked.err
    assert "batchbook backups restore" in checked.out


@pytest.mark.parametrize("how", ["restored", "configured"])
def test_results_that_a_restored_backup_does_not_have_go_in_again(
    killed: Interrupted, tmp_path: Path, call: Forker, how: str
) -> None:
    folder = killed.copy(tmp_path / "copy")
    damaged_inside(folder)
    if how == "restored":
        assert call.run(folder, "backups", "restore", "book.xlsx").code == 0
    else:
        (folder.path / "config").mkdir()
        (folder.path / "config" / "batchbook.yaml").write_text("backups: {auto_restore: true}\n")
    assert check_resumed(killed, folder, call) == "resumed"
    assert len(folder.processed()) < ROWS, "what was done is not computed again"


def test_damaged_backups_are_named_and_never_put_back(killed: Interrupted, tmp_path: Path, call: Forker) -> None:
    folder = killed.copy(tmp_path / "copy")
    kept = sorted((folder.path / "data" / "backups").rglob("*.xlsx"), reverse=True)
    flip(kept[0], 900, 3)
    cut(kept[1], 2000)
    verified = call.run(folder, "backups", "verify", "book.xlsx")
    assert verified.code == 5
    assert f"The newest sound one is {kept[2].name}" in verified.err
    refused = call.run(folder, "backups", "restore", "book.xlsx", kept[0].name)
    assert refused.code == 5
    assert "backups verify" in refused.err
    taken = call.run(folder, "backups", "restore", "book.xlsx", "--json")
    assert taken.json["restored"]["name"] == kept[2].name
    for path in kept[2:]:
        cut(path, 1000)
    assert call.run(folder, "backups", "restore", "book.xlsx").code in (0, 5)
