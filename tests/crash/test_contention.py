"""Many processes at one workbook, some of them killed: no two at once, and no update lost.

A sample runs with the other tests; a thousand rounds of eight processes with `make crash`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import openpyxl
import pytest

from batchbook.storage.lock import WorkbookLock

WORKER = Path(__file__).with_name("counting.py")

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kills processes")


class Crowd:
    """Processes that count in one workbook; those that die are replaced."""

    def __init__(self, folder: Path, processes: int, rounds: int, chance: float, most_deaths: int) -> None:
        self.book = folder / "book.xlsx"
        workbook = openpyxl.Workbook()
        sheet = workbook.worksheets[0]
        sheet.title = "Data"
        for row in range(1, processes + 1):
            for column, value in enumerate((f"K{row}", 0, None), 1):
                sheet.cell(row, column, value)
        workbook.save(self.book)
        (folder / "log").touch()
        self.rounds = rounds
        self.chance = chance
        self.most_deaths = most_deaths
        self.deaths: list[int] = []
        self._seed = 0
        self._running: dict[int, subprocess.Popen[str]] = {}
        for number in range(1, processes + 1):
            self._start(number)

    def _start(self, number: int) -> None:
        self._seed += 1
        chance = self.chance if len(self.deaths) < self.most_deaths else 0
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        arguments = [str(self.book), str(number), str(self.rounds), str(self._seed), str(chance)]
        self._running[number] = subprocess.Popen(
            [sys.executable, str(WORKER), *arguments], env=environment, stderr=subprocess.PIPE, text=True
        )

    def wait(self) -> None:
        """Until all have done their rounds; any other end than a kill fails."""
        try:
            while self._running:
                for number, process in list(self._running.items()):
                    if process.poll() is None:
                        continue
                    _, said = process.communicate()
                    assert process.returncode in (0, -signal.SIGKILL), said
                    del self._running[number]
                    if process.returncode:
                        self.deaths.append(process.pid)
                        self._start(number)
                time.sleep(0.02)
        finally:
            for process in self._running.values():
                process.kill()
                process.wait()


def check(folder: Path, crowd: Crowd, processes: int, rounds: int) -> int:
    """Check the log and the workbook; gives how many rounds were completed."""
    with WorkbookLock(crowd.book, run=None, ledger=None, wait=10):
        pass
    ended: list[int] = []
    inside: str | None = None
    for line in (folder / "log").read_text().splitlines():
        what, *value, process = line.split()
        if what == "begin":
            assert inside is None or int(inside) in crowd.deaths, f"{process} came in while {inside} was there"
            inside = process
        elif what == "end":
            assert inside == process, f"{process} ended while {inside} was there"
            ended.append(int(value[0]))
            inside = None
    sheet = openpyxl.load_workbook(crowd.book)["Data"]
    total = sheet["B1"].value
    assert ended == sorted(set(ended)), "an update was lost"
    assert len(ended) <= total <= len(ended) + len(crowd.deaths)
    assert [sheet.cell(row, 3).value for row in range(1, processes + 1)] == [rounds // 5 * 5] * processes
    left = {path.name for path in folder.iterdir()} - {"book.xlsx", "log"}
    left = {name for name in left if not name.startswith("inside")}
    assert not {name for name in left if "lock" in name}, left
    assert len(left) <= len(crowd.deaths), "only what the killed were writing may be left"
    return len(ended)


def test_processes_that_count_in_one_workbook_lose_no_update(tmp_path: Path) -> None:
    crowd = Crowd(tmp_path, processes=4, rounds=10, chance=0, most_deaths=0)
    crowd.wait()
    assert check(tmp_path, crowd, 4, 10) == 4 * 8
    assert crowd.deaths == []


def test_processes_that_are_killed_in_mid_count_neither_stop_the_others_nor_lose_their_updates(tmp_path: Path) -> None:
    crowd = Crowd(tmp_path, processes=4, rounds=10, chance=0.2, most_deaths=6)
    crowd.wait()
    assert crowd.deaths, "none was killed: the test shows nothing"
    assert check(tmp_path, crowd, 4, 10) >= 4 * 8


@pytest.mark.crash
@pytest.mark.timeout(3600)
def test_a_thousand_rounds_of_eight_processes_show_no_overlap_and_no_lost_update(tmp_path: Path) -> None:
    crowd = Crowd(tmp_path, processes=8, rounds=160, chance=0.02, most_deaths=60)
    crowd.wait()
    assert len(crowd.deaths) > 20
    assert check(tmp_path, crowd, 8, 160) >= 8 * 128
