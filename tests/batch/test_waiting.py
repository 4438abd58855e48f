"""A workbook that somebody is just writing, or putting another file in the place of, when a run starts."""

import io
import sys
import threading
import time

import openpyxl
import pytest

from batchbook.batch import waiting
from batchbook.batch.interrupt import StopToken
from batchbook.batch.waiting import check_settled, is_there
from batchbook.errors import WorkbookDamaged, WorkbookInUse, WorkbookMissing
from batchbook.storage.backups import BackupStore
from tests.batch.helpers import Site, people


@pytest.fixture
def site(tmp_path):
    """A workbook over which a run has gone, so that there is a backup."""
    made = Site(tmp_path / "site")
    made.run()
    return made


def auto_restore(site):
    (site.path / "config").mkdir()
    (site.path / "config" / "batchbook.yaml").write_text("backups: {auto_restore: true}\n")


def with_note(site, text):
    """The bytes of the workbook as a person would save it, with a note in the first row."""
    book = openpyxl.load_workbook(site.book)
    book["Data"]["D2"] = text
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def in_a_thread(work):
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def until(asked):
    """Wait until something is so; the run that is waited for is over long before."""
    end = time.monotonic() + 60
    while not asked() and time.monotonic() < end:
        time.sleep(0.01)


def writing(site, content, pauses, *, close=False):
    """Begin to write the workbook where it is; a thread goes on, piece by piece, when the run says that it waits."""
    half = len(content) // 2
    opened = site.book.open("wb", buffering=0)
    opened.write(content[:half])
    site.events = []

    def go_on():
        until(lambda: any("somebody may just be writing it" in said for said in site.warnings()))
        step = -(-(len(content) - half) // len(pauses))
        for place, pause in enumerate(pauses):
            time.sleep(pause)
            file = site.book.open("ab", buffering=0) if close else opened
            file.write(content[half + place * step : half + (place + 1) * step])
            if close:
                file.close()
        opened.close()

    if close:
        opened.close()
    return in_a_thread(go_on)


@pytest.mark.parametrize("restoring", [False, True])
@pytest.mark.parametrize("close", [False, True])
def test_a_save_that_is_going_on_when_the_run_starts_is_waited_for_and_not_lost(site, restoring, close):
    if restoring:
        auto_restore(site)
    writer = writing(site, with_note(site, "a person's"), [0.2] * 8, close=close)
    try:
        result = site.run()
    finally:
        writer.join()
    assert result.status == "completed"
    assert site.rows()[0][3] == "a person's"
    assert not any("replaced by" in said for said in site.warnings())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="who has a file open is asked on Linux alone")
def test_a_program_that_pauses_in_its_save_is_waited_for_while_it_has_the_file_open(site, monkeypatch):
    monkeypatch.setattr(waiting, "QUIET_SECONDS", 0.1)
    monkeypatch.setattr("batchbook.batch.recovery.QUIET_SECONDS", 0.1)
    monkeypatch.setattr("batchbook.batch.recovery.REPLACE_QUIET_SECONDS", 0.1)
    auto_restore(site)
    writer = writing(site, with_note(site, "a person's"), [1.5])
    try:
        result = site.run()
    finally:
        writer.join()
    assert result.status == "completed"
    assert site.rows()[0][3] == "a person's"


def test_a_file_that_stays_as_it_is_is_damaged(site):
    site.book.write_bytes(site.book.read_bytes()[:3000])
    said = []
    with pytest.raises(WorkbookDamaged):
        check_settled(site.book, StopToken(), said.append, quiet=0.2)
    assert len(said) == 1


class Busy(StopToken):
    """While the run waits, the file is written again and again; a number of times may be given."""

    def __init__(self, file, times=None):
        super().__init__()
        self.file, self.times, self.count = file, times, 0

    def wait(self, seconds):
        self.count += 1
        if self.times is None or self.count <= self.times:
            self.file.write_bytes(b"PK\x03\x04" + b"x" * self.count)
        return super().wait(seconds)


@pytest.mark.parametrize("restoring", [False, True])
def test_a_file_that_never_rests_is_in_use_and_not_replaced(site, monkeypatch, restoring):
    if restoring:
        auto_restore(site)
    monkeypatch.setattr(waiting, "MOST_SECONDS", 0.5)
    site.book.write_bytes(b"PK\x03\x04")
    with pytest.raises(WorkbookInUse, match="somebody is just writing it"):
        site.run(stop=Busy(site.book))
    assert set(site.book.read_bytes()[4:]) == {ord("x")}


def test_a_run_that_is_asked_to_stop_while_it_waits_replaces_nothing(site):
    auto_restore(site)
    site.book.write_bytes(b"PK\x03\x04half")
    stop = StopToken()
    stopper = in_a_thread(lambda: (until(lambda: bool(site.warnings())), stop.stop()))
    site.events = []
    result = site.run(stop=stop)
    stopper.join()
    assert (result.run_id, result.status, result.exit_code) == (None, "interrupted", 130)
    assert "Nothing was begun" in site.warnings()[-1]
    assert site.book.read_bytes() == b"PK\x03\x04half"


def test_what_is_begun_while_the_backups_are_read_is_waited_for_too(site, monkeypatch):
    auto_restore(site)
    monkeypatch.setattr("batchbook.batch.recovery.REPLACE_QUIET_SECONDS", 0.1)
    content = with_note(site, "a person's")
    newest = BackupStore.newest_valid

    def saving(store):
        found = newest(store)
        if site.book.read_bytes() == b"PK\x03\x04damaged":
            site.book.write_bytes(content)
        return found

    monkeypatch.setattr(BackupStore, "newest_valid", saving)
    site.book.write_bytes(b"PK\x03\x04damaged")
    assert site.run().status == "completed"
    assert site.rows()[0][3] == "a person's"


# --- a workbook that is not there for an instant ----------------------------------------------------------------------


class PutsBack(StopToken):
    """While the run waits for the file, the person's program renames the new one to its name."""

    def __init__(self, new, name):
        super().__init__()
        self.new, self.name, self.count = new, name, 0

    def wait(self, seconds):
        self.count += 1
        if self.count == 3:
            self.new.rename(self.name)
        return super().wait(seconds)


@pytest.mark.parametrize("mode", ["fresh", "auto"])
def test_a_workbook_that_is_deleted_and_renamed_to_is_waited_for(site, mode):
    new = site.path / "new.xlsx"
    new.write_bytes(with_note(site, "a person's"))
    site.book.unlink()
    assert site.run(mode, stop=PutsBack(new, site.book)).status == "completed"
    assert site.rows()[0][3] == "a person's"


def test_an_output_that_is_renamed_to_is_not_made_anew(site):
    out = site.path / "out.xlsx"
    overrides = {"output": str(out)}
    site.interrupted(4, overrides=overrides)
    book = openpyxl.load_workbook(out)
    book["Data"]["D2"] = "a person's"
    book.save(site.path / "new.xlsx")
    out.unlink()
    result = site.run("auto", overrides=overrides, stop=PutsBack(site.path / "new.xlsx", out))
    assert (result.status, result.resumed is None) == ("completed", False)
    assert site.rows(name="out.xlsx")[0][3] == "a person's"


def test_a_workbook_that_nobody_knows_is_missing_at_once(tmp_path):
    site = Site(tmp_path / "site", people(2))
    site.book.unlink()
    waited = PutsBack(site.path / "none", site.book)
    with pytest.raises(WorkbookMissing):
        site.run(stop=waited)
    assert waited.count == 0
    assert not is_there(site.book, False, waited)


def test_a_workbook_that_stays_away_is_missing(site):
    site.book.unlink()
    with pytest.raises(WorkbookMissing):
        site.run()
