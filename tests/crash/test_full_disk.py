"""A disk that is really full, and files that may not grow: a clean stop with advice, and a resume when there is room.

The first needs the right to mount a small tmpfs; where there is none, only the second runs (RLIMIT_FSIZE, EFBIG).
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.crash.isbns import ISBNS
from tests.crash.scenarios import HELD, ROWS, RUN, Scenario, cells, filled, make_folder
from tests.crash.sweep import CLEAN_CODES, Sweep, Tally, strays
from tests.crash.tracing import Ended, Runner

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs tmpfs and limits")
PAGE = 4096
PAGES = 160
"""More than a run needs."""
ROOM = 0, 1, 2, 3, 5, 8, 20, 40, 60, 80, 100, PAGES
LIMITS = 0, 400, 2000, 5800, 6200, 20_000, 32_768, 60_000, 90_000, 120_000


@pytest.fixture(scope="session")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file system of one mebibyte."""
    place = tmp_path_factory.mktemp("disk")
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place]
    mounted = subprocess.run(mount, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def fill(disk: Path, pages: int) -> Path:
    """Take all room but some pages."""
    ballast = disk / "ballast"
    room = os.statvfs(disk)
    ballast.write_bytes(bytes((room.f_bavail - pages) * PAGE))
    return ballast


class Project:
    """A folder with an earlier run, whose values a person has emptied since: there are backups to lose."""

    def __init__(self, runner: Runner, folder: Path, scratch: Path) -> None:
        self.runner = runner
        self.folder = folder
        self.scratch = scratch
        self.plain = make_folder(scratch / f"plain-{folder.name}")
        make_folder(folder)
        run = self.start().json["run_id"]
        assert runner.run(folder, "runs", "undo", run, "--json").code == 0
        assert cells(self.book) == filled(0)
        self.before = self.backups()
        assert len(self.before) >= 2
        self.old = self.book.read_bytes()

    @property
    def book(self) -> Path:
        return self.folder / "book.xlsx"

    def start(self, largest: int | None = None) -> Ended:
        return self.runner.run(self.folder, *RUN, largest=largest)

    def backups(self) -> set[str]:
        return {path.name for path in self.folder.glob("data/backups/*/*") if "_checkpoint_" not in path.name}

    def check_stopped(self, ended: Ended) -> str:
        """After a run with too little room; gives how it ended."""
        assert ended.code in CLEAN_CODES, ended
        assert "Traceback" not in ended.err
        assert cells(self.book) in HELD
        assert self.before <= self.backups(), "a backup that the rule keeps was dropped"
        if ended.code == 0:
            return "went on"
        error = ended.json["error"]
        assert error["code"] != "unexpected"
        assert any(word in error["advice"] for word in ("room", "limit", "Check", "permissions", "written")), error
        return "stopped with advice"

    def check_resumed(self, ended: Ended) -> None:
        """With room again the run ends as if nothing had been; what was committed is not done again."""
        blank = sum(row[2] is None for row in cells(self.book)[1:])
        again = self.start()
        assert again.code == 0, again
        resumed = again.json["resumed"]
        wanted = ROWS - resumed["rows_kept"] if resumed else blank
        assert len(again.keys) == wanted, "a committed row was done again, or one was left out"
        assert wanted >= ROWS - len(ended.keys)
        assert cells(self.book) == filled(ROWS)
        assert self.before <= self.backups()
        assert strays(self.folder, self.plain) == []
        assert not self.start().keys


def full(runner: Runner, disk: Path, scratch: Path, pages: int) -> str:
    """One run with so much room, then one with enough."""
    folder = disk / "project"
    subprocess.run(["rm", "-rf", folder, disk / "ballast", scratch / "plain-project"], check=True)
    project = Project(runner, folder, scratch)
    ballast = fill(disk, pages)
    ended = project.start()
    how = project.check_stopped(ended)
    ballast.unlink()
    project.check_resumed(ended)
    return how


@pytest.mark.parametrize("pages", ROOM)
def test_a_full_disk_stops_a_run_cleanly_and_it_goes_on_when_there_is_room(
    runner: Runner, small_disk: Path, scratch: Path, pages: int
) -> None:
    how = full(runner, small_disk, scratch, pages)
    if pages in (0, PAGES):
        assert how == ("went on" if pages else "stopped with advice")


@pytest.mark.crash
@pytest.mark.timeout(3600)
def test_a_disk_that_is_full_at_any_page_loses_nothing(
    runner: Runner, small_disk: Path, scratch: Path, counted: Callable[[Tally], None]
) -> None:
    tally = Tally("full disk", "ENOSPC", by_call=Counter(), faults=PAGES)
    for pages in range(PAGES):
        tally.ended[full(runner, small_disk, scratch, pages)] += 1
    counted(tally)
    assert len(tally.ended) == 2


@pytest.mark.parametrize("largest", LIMITS)
def test_a_limit_on_the_size_of_files_stops_a_run_cleanly(
    runner: Runner, scratch: Path, tmp_path: Path, largest: int
) -> None:
    project = Project(runner, tmp_path / "project", tmp_path)
    ended = project.start(largest)
    how = project.check_stopped(ended)
    if largest < len(project.old):
        assert how == "stopped with advice"
        assert project.book.read_bytes() == project.old
    project.check_resumed(ended)


@pytest.mark.parametrize("name", ISBNS)
def test_a_limit_on_the_size_of_files_stops_a_command_on_isbns_cleanly(
    scenario: Callable[[str], Scenario], runner: Runner, scratch: Path, case: Path, name: str
) -> None:
    sweep = Sweep(runner, scenario(name), scratch, case, "limit")
    size = (scenario(name).template / "book.xlsx").stat().st_size
    for largest in (0, 2000, size - 1, 20_000, 60_000, 120_000):
        how = sweep.limited(largest)
        assert sweep.tally.problems == [], largest
        assert how == "stopped with advice" or largest >= size, largest
