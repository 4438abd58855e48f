from __future__ import annotations

import csv
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import yaml

from batchbook.packages import PackageReview

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "data" / "samples"


@pytest.fixture(scope="module")
def make() -> Callable[[Path], None]:
    main: Callable[[Path], None] = runpy.run_path(str(ROOT / "tools" / "make_sample.py"))["main"]
    return main


@pytest.fixture(scope="module")
def book() -> Any:
    return openpyxl.load_workbook(SAMPLES / "packages.xlsx")


def content(path: Path) -> list[Any]:
    book = openpyxl.load_workbook(path)
    return [[cell.value for cell in row] for sheet in book.worksheets for row in sheet.iter_rows()]


def test_the_sample_in_the_repository_is_what_the_tool_makes(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path)
    assert content(tmp_path / "packages.xlsx") == content(SAMPLES / "packages.xlsx")
    assert (tmp_path / "package-review.yaml").read_text() == (SAMPLES / "package-review.yaml").read_text()


def test_the_tool_makes_the_same_bytes_every_time(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "a")
    make(tmp_path / "b")
    assert (tmp_path / "a" / "packages.xlsx").read_bytes() == (tmp_path / "b" / "packages.xlsx").read_bytes()


def test_the_sample_has_every_package_once_and_a_gap(book: Any) -> None:
    sheet = book["Packages"]
    names = [sheet.cell(row, 2).value for row in range(4, sheet.max_row + 1)]
    with (SAMPLES / "packages-486.csv").open(encoding="utf-8") as file:
        facts = {row["package_name"] for row in csv.DictReader(file)}
    assert len([name for name in names if name]) == len(facts) == 486
    assert set(filter(None, names)) == facts
    assert names[-2:] == [None, "leo"]


def test_the_sample_looks_like_a_workbook_of_people(book: Any) -> None:
    sheet = book["Packages"]
    assert sheet.freeze_panes == "C4"
    assert sheet.auto_filter.ref == f"A3:AL{sheet.max_row}"
    assert str(sheet["D4"].value).startswith("=IF(Settings!")
    assert sum(cell.comment is not None for cell in sheet["C"]) == 2
    assert sheet.conditional_formatting and sheet.data_validations.dataValidation
    assert len(book["Summary"]._charts) == 1
    assert book["Settings"]["A4"].value == "Package link base" and book["Settings"]["B4"].value is None


def test_people_have_decided_about_some_packages_and_choose_from_a_list(book: Any) -> None:
    sheet = book["Packages"]
    lists = [one for one in sheet.data_validations.dataValidation if one.type == "list"]
    assert [(one.formula1, str(one.sqref)) for one in lists] == [
        ('"accept,update,replace,wait"', f"AK4:AK{sheet.max_row}")
    ]
    decided = [(row[36].value, row[37].value) for row in sheet.iter_rows(min_row=4) if row[36].value]
    assert {decision for decision, _ in decided} == {"accept", "update", "replace", "wait"}
    assert all(why for _, why in decided)


def test_the_headers_of_the_sample_are_those_of_job_and_processor(book: Any) -> None:
    job = yaml.safe_load((ROOT / "config" / "jobs" / "package-review.yaml").read_text(encoding="utf-8"))
    headers = [cell.value for cell in book["Packages"][3]]
    first = [header[0] if isinstance(header, list) else header for header in job["columns"].values()]
    assert first == headers
    assert job["writes"] == [*PackageReview.writes, *PackageReview.may_write]
    assert {name: header for name, header in job["columns"].items() if name not in job["marks"]} == dict(
        PackageReview.columns
    )


def test_the_snapshot_is_the_file_it_was_taken_from() -> None:
    shared = ROOT.parent / "shared" / "data"
    if not shared.is_dir():
        pytest.skip("the folder with the originals is not here")
    for name in ("packages-486.csv", "advisories/pypa-advisories-2024-10-10.jsonl.gz"):
        assert (SAMPLES / name).read_bytes() == (shared / name).read_bytes()
