"""The benchmark of the workbook engine, run for real on tiny workbooks: that it measures, not how fast anything is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from batchbook.xlsx import Book, inspect
from tests.integration.benches import FOLDER, measured_by, python

ENGINE = FOLDER / "engine.py"


def run_engine(folder: Path, *options: str) -> tuple[str, dict[str, Any]]:
    return measured_by(ENGINE.name, folder, "--cache", str(folder / "cache"), *options)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any], Path]:
    folder = tmp_path_factory.mktemp("bench")
    printed, figures = run_engine(folder, "--rows", "40,90", "--huge", "30", "--repeat", "2", "--saves", "3")
    return printed, figures, folder


def test_every_case_is_measured_at_every_size_against_its_floor_and_the_other_engines(
    measured: tuple[str, dict[str, Any], Path],
) -> None:
    _, figures, _ = measured
    found = {(one["case"], one["engine"], one["rows"]) for one in figures["cases"]}
    calamine = {"python-calamine, to_python", "python-calamine, iterating"}
    engines = {
        "update 6 of 24": {"floor", "making the edits alone", "openpyxl", "batchbook"},
        "save one batch": {"floor", "openpyxl, its save alone", "batchbook, first of a run", "batchbook"},
        "read 3 of 24": {"floor", "openpyxl, read-only", "batchbook", *calamine},
        "read 24 of 24": {"floor", "openpyxl, read-only", "batchbook", *calamine},
    }
    wanted = {(case, engine, rows) for case, those in engines.items() for engine in those for rows in (40, 90)}
    assert found == wanted | {("run", "floor", 30), ("run", "batchbook", 30)}


def test_the_figures_are_there_and_the_ratios_are_those_of_the_medians(
    measured: tuple[str, dict[str, Any], Path],
) -> None:
    printed, figures, _ = measured
    about = figures["about"]
    assert about["cores"] >= 1 and 1 < about["interpreter_mib"] < 200
    medians = {(one["case"], one["engine"], one["rows"]): one["median"] for one in figures["cases"]}
    for one in figures["cases"]:
        assert min(one["seconds"]) <= one["median"] <= one["p95"] <= max(one["seconds"])
        assert len(one["cpu"]) == len(one["seconds"]) and min(one["cpu"]) <= one["median_cpu"] <= max(one["cpu"])
        assert one["peak_mib"] == pytest.approx(one["over_interpreter_mib"] + about["interpreter_mib"])
        if one["engine"] == "batchbook":
            floor = medians[one["case"], "floor", one["rows"]]
            assert one["times_floor"] == pytest.approx(one["median"] / floor)
    update = next(one for one in figures["cases"] if (one["case"], one["engine"]) == ("update 6 of 24", "batchbook"))
    assert update["times_openpyxl"] == pytest.approx(medians["update 6 of 24", "openpyxl", 40] / update["median"])
    openpyxl_cpu = next(one["median_cpu"] for one in figures["cases"] if one["engine"] == "openpyxl")
    assert update["cpu_times_openpyxl"] == pytest.approx(openpyxl_cpu / update["median_cpu"])
    saves = [one for one in figures["cases"] if (one["case"], one["engine"]) == ("save one batch", "batchbook")]
    assert [(len(one["seconds"]), one["batch"]) for one in saves] == [(3, 10), (3, 22)]
    run = next(one for one in figures["cases"] if (one["case"], one["engine"]) == ("run", "batchbook"))
    assert run["rows_per_second"] == pytest.approx(30 / run["median"])
    assert f"{run['rows_per_second']:,.0f} rows/s" in printed


def test_goals_for_sizes_that_were_not_measured_are_named_as_such(measured: tuple[str, dict[str, Any], Path]) -> None:
    printed, figures, _ = measured
    assert figures["goals"] == []
    assert printed.count("not measured: ") == 11
    assert "not measured: update 6 of 24, 50,000 rows: 40 x openpyxl" in printed


def test_the_workbook_that_is_measured_is_sound_and_reads_alike_in_openpyxl(
    measured: tuple[str, dict[str, Any], Path],
) -> None:
    _, _, folder = measured
    path = next((folder / "cache").glob("orders-90-*.xlsx"))
    assert inspect(path) == []
    workbook = openpyxl.load_workbook(path, data_only=True)
    sheet = workbook["Data"]
    assert list(sheet.tables) == ["Orders"] and sheet.tables["Orders"].ref == "A1:X91"
    assert len(sheet.conditional_formatting) == 2 and len(sheet._charts) == 1
    with Book.open(path) as book:
        ours = [[cells[column].value for column in range(1, 25)] for _, cells in book.rows("Data")]
        parts = {entry.name for entry in book.container.entries}
    assert ours == [list(row) for row in sheet.iter_rows(values_only=True)]
    assert {"xl/calcChain.xml", "xl/media/image1.png", "xl/charts/chart1.xml", "xl/sharedStrings.xml"} <= parts


def test_trials_leave_nothing_but_the_workbooks_in_the_cache(measured: tuple[str, dict[str, Any], Path]) -> None:
    _, _, folder = measured
    left = sorted(path.name.rpartition("-")[0] for path in (folder / "cache").iterdir())
    assert left == ["orders-40", "orders-90", "run-30-10000"]


def test_a_goal_that_is_missed_is_printed_and_is_no_failure(tmp_path: Path) -> None:
    # The first size a goal speaks of is made small; its figures are then those of a tiny workbook.
    script = (
        "import sys, runpy; sys.argv = ['engine.py', *sys.argv[1:]]\n"
        f"sys.path.insert(0, {str(ENGINE.parent)!r})\n"
        "from measures import goals\n"
        "goals.GOALS = (goals.Goal(goals.UPDATE, 40, 'times_floor', 0.0, False, 'no time at all'),\n"
        "               goals.Goal(goals.UPDATE, 40, 'times_floor', 1e9, False, 'some time'))\n"
        f"runpy.run_path({str(ENGINE)!r}, run_name='__main__')\n"
    )
    figures = tmp_path / "figures.json"
    options = ("--rows", "40", "--only", "update", "--no-others", "--repeat", "1", "--cache", str(tmp_path / "cache"))
    done = python("-c", script, *options, "--json", str(figures))
    assert done.returncode == 0, done.stderr
    assert "no time at all: MISSED" in done.stdout and "some time: met" in done.stdout
    assert [one["met"] for one in json.loads(figures.read_text())["goals"]] == [False, True]


def test_an_unknown_case_is_refused_with_the_names_of_those_there_are(tmp_path: Path) -> None:
    done = python(str(ENGINE), "--only", "nonsense", "--json", str(tmp_path / "x"))
    assert done.returncode == 2 and "update, save, read, run" in done.stderr
