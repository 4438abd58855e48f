"""The sample is reviewed while somebody else edits it in a process of its own: nothing is lost on either side."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tests.integration.helpers import Called, Folder

JOB = "config/jobs/package-review.yaml"
SLOW = """
import time

from batchbook.packages import PackageReview


class SlowReview(PackageReview):
    def process(self, row):
        time.sleep(0.06)  # an answer from a network takes longer
        return super().process(row)
"""
PERSON = Path(__file__).with_name("person.py")


@pytest.fixture
def review(new_folder: Callable[[str], Folder], tmp_path: Path) -> Folder:
    """The sample, laid down, with a review that leaves people time; each checkpoint saves."""
    called = new_folder("start").run("init", "--sample", str(tmp_path / "review"))
    assert called.code == 0, called.err
    path = tmp_path / "review" / JOB
    (tmp_path / "review" / "slow_review.py").write_text(SLOW)
    text = path.read_text().replace("batchbook.packages:PackageReview", "slow_review:SlowReview")
    text = text.replace("checkpoint_frequency: 5", "checkpoint_frequency: 15")
    path.write_text(text + "\nsave: {max_overhead: 1.0}\nconflicts_sheet: true\n")
    return Folder(tmp_path / "review")


def book(folder: Folder) -> Path:
    return folder.path / "data" / "packages.xlsx"


def at_once(folder: Folder, how: str, seed: int) -> tuple[Called, dict[str, Any]]:
    """A run, taken up again where it has to be, while a person edits; gives its end and what the person did."""
    stop = folder.path / "stop"
    person = subprocess.Popen(
        [sys.executable, str(PERSON), str(book(folder)), how, str(seed), str(stop)], stdout=subprocess.PIPE, text=True
    )
    try:
        called = folder.run("run", JOB, "--start-fresh", "--json")
        stop.touch()
        out, _ = person.communicate(timeout=60)
    finally:
        person.kill()
        person.wait()
    assert person.returncode == 0
    return called, json.loads(out)


def rows(folder: Folder) -> list[dict[str, Any]]:
    sheet = openpyxl.load_workbook(book(folder))["Packages"]
    headers = [cell.value for cell in sheet[3]]
    found = [dict(zip(headers, line, strict=True)) for line in sheet.iter_rows(4, values_only=True)]
    return [row for row in found if row["Package Name"] is not None]


def in_a_backup(folder: Folder, text: str) -> bool:
    """Whether a text that a person typed is in a state that was kept."""
    for path in folder.path.glob("data/backups/**/*.xlsx"):
        sheet = openpyxl.load_workbook(path)["Packages"]
        if any(text in line for line in sheet.iter_rows(values_only=True)):
            return True
    return False


def judge(folder: Folder, called: Called, done: dict[str, Any], packages: list[str]) -> None:
    assert called.code in (0, 3), called.out + called.err
    result, found = called.json, rows(folder)
    report = json.loads(Path(result["report"]).read_text())
    counts = dict(result["rows"])
    assert counts.pop("selected") == sum(counts.values()) == len(packages)
    names = [row["Package Name"] for row in found]
    by_name = dict(zip(names, found, strict=True))
    assert len(by_name) == len(names)
    assert by_name.keys() == {*packages, *done["inserted"]} - set(done["deleted"])
    for column, kept in (("Notes", done["notes"]), ("Recommendation", done["results"])):
        for name, text in kept.items():
            if by_name[name][column] != text:
                # Opened before the file was replaced and written after it: the gap that is known of.
                assert in_a_backup(folder, text), f"{column} of {name}: a person's edit was lost"
                print(f"written into the replaced file, kept as a backup: {text}")
    for header, (name, text) in done["columns"].items():
        if name in by_name:
            assert by_name[name][header] == text
    gone = {one["key"] for one in report["problems"] if one["outcome"] == "gone"}
    listed = {(one["key"], one["column"]) for one in report["conflict_list"]}
    shown = openpyxl.load_workbook(book(folder))["Conflicts"].iter_rows(2, values_only=True)
    assert {(row[1], row[2]) for row in shown if row[0] is not None} == listed
    late = set(done["deleted"]) - gone
    for name in packages:
        if name in by_name:
            row = by_name[name]
            assert row["Review Status"] or (name, "Review Status") in listed, f"the result of {name} was lost"
            assert row["Recommendation"] or (name, "Recommendation") in listed, f"the result of {name} was lost"
        else:
            assert name in gone or name in late
    assert counts["gone"] == len(gone)
    left = [path.name for path in book(folder).parent.iterdir() if "batchbook-" in path.name or path.name[0] == "."]
    assert not left, left


@pytest.mark.parametrize("how", ["replace", "rude"])
def test_nothing_is_lost_on_either_side_while_a_person_edits_during_the_run(review: Folder, how: str) -> None:
    packages = [row["Package Name"] for row in rows(review)]
    saves = 0
    for _ in range(5):  # on a busy machine a run can be over before the person has got to save once
        called, done = at_once(review, how, 1)
        judge(review, called, done, packages)
        saves += done["saves"]
        if saves:
            break
    assert saves >= 1


@pytest.mark.crash
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("how", ["replace", "rude"])
@pytest.mark.parametrize("seed", range(2, 12))
def test_nothing_is_lost_while_other_people_edit_during_the_run(review: Folder, how: str, seed: int) -> None:
    packages = [row["Package Name"] for row in rows(review)]
    called, done = at_once(review, how, seed)
    print(f"{how} {seed}: {done['saves']} saves of the person, {called.json['saves']} of the run")
    judge(review, called, done, packages)


SAVING = """
import sys, time

path, new = sys.argv[1:]
content = open(new, "rb").read()
with open(path, "wb", buffering=0) as file:
    for place in range(0, len(content), len(content) // 10):
        file.write(content[place : place + len(content) // 10])
        print(place, flush=True)
        time.sleep(0.3)
"""


@pytest.mark.parametrize("configured", ["", "backups: {auto_restore: true}\n"])
def test_a_save_in_place_that_is_going_on_when_the_run_starts_is_not_lost(folder: Folder, configured: str) -> None:
    assert folder.run("run", "job.yaml").code == 0
    if configured:
        (folder.path / "config").mkdir()
        (folder.path / "config" / "batchbook.yaml").write_text(configured)
    opened = openpyxl.load_workbook(folder.book)
    opened["Data"]["F2"], opened["Data"]["C3"] = "typed by a person", 200
    opened.save(folder.path / "new.xlsx")
    person = subprocess.Popen(
        [sys.executable, "-c", SAVING, str(folder.book), str(folder.path / "new.xlsx")],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert person.stdout is not None
        person.stdout.readline()
        called = folder.run("run", "job.yaml", "--start-fresh", "--json")
        assert person.wait(timeout=60) == 0
    finally:
        person.kill()
        person.communicate()
    assert called.code == 0, called.out + called.err
    cells = folder.cells()
    assert cells[0][5] == "typed by a person"
    assert cells[1][2:5] == (200, "name 2 has 200", 400)
    assert "replaced by" not in called.err
