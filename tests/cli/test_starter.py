from io import BytesIO
from pathlib import Path

import openpyxl
import pytest
import yaml

from batchbook.cli import starter
from batchbook.config import load_base, load_job
from batchbook.errors import ConfigurationError


def lay_down(folder: Path) -> None:
    for name, content in starter.starter_files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def test_the_base_configuration_laid_down_is_right(tmp_path: Path) -> None:
    lay_down(tmp_path)
    assert load_base(tmp_path, {}).file == tmp_path / "config" / "batchbook.yaml"


def test_the_job_laid_down_is_right_and_its_workbook_is_there(tmp_path: Path) -> None:
    lay_down(tmp_path)
    job = load_job(tmp_path / "config" / "jobs" / "example.yaml", None, {})
    assert job.workbook.is_file()
    assert (tmp_path / "config" / "jobs" / f"{job.processor.split(':')[0]}.py").is_file()
    sheet = openpyxl.load_workbook(job.workbook)[job.sheet or ""]
    headers = [cell.value for cell in sheet[1]]
    assert {*job.key, *(job.reads or ()), *(job.writes or ())} <= set(headers)
    assert sheet.max_row == 13


def test_the_processor_laid_down_is_about_ten_lines() -> None:
    code = starter.STEPS
    compile(code, "example_steps.py", "exec")
    assert len(code.splitlines()) <= 14


def test_the_job_says_everything_in_yaml_that_reads_as_meant() -> None:
    assert yaml.safe_load(starter.JOB)["batch"] == {"strategy": "fixed", "size": 5}


def test_the_sample_is_laid_down_by_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "osv").mkdir()
    for name in (
        "packages.xlsx",
        "isbn.xlsx",
        "osv/one.yaml",
        "package-review.yaml",
        ".hidden",
        "README.md",
        "facts.csv",
    ):
        (tmp_path / name).write_bytes(b"x")
    monkeypatch.setattr(starter, "samples_folder", lambda: tmp_path)
    assert set(starter.sample_files()) == {
        "config/batchbook.yaml",
        "data/packages.xlsx",
        "data/isbn.xlsx",
        "data/osv/one.yaml",
        "config/jobs/package-review.yaml",
    }


@pytest.mark.parametrize("there", ["packages.xlsx", "isbn.xlsx"])
def test_a_sample_without_one_of_its_workbooks_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: str
) -> None:
    (tmp_path / there).write_bytes(b"x")
    monkeypatch.setattr(starter, "samples_folder", lambda: tmp_path)
    missing = {"packages.xlsx", "isbn.xlsx"} - {there}
    with pytest.raises(ConfigurationError, match=rf"has no data/{missing.pop()}\."):
        starter.sample_files()


def test_the_base_configuration_of_the_sample_names_the_isbn_workbook_that_is_laid_down(tmp_path: Path) -> None:
    for name, content in {**starter.starter_files(), **starter.sample_files()}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    named = load_base(tmp_path, {}).workbooks["isbn"]
    assert named == tmp_path / "data" / "isbn.xlsx"
    assert "ISBN Assignments" in openpyxl.load_workbook(named).sheetnames


def test_the_link_base_stands_right_of_its_name(tmp_path: Path) -> None:
    pytest.importorskip("batchbook.xlsx.book")
    book = openpyxl.Workbook()
    book.create_sheet("Settings").append(["Setting", "Value"])
    book["Settings"].append(["Link base", None])
    stream = BytesIO()
    book.save(stream)
    path = tmp_path / "a.xlsx"
    path.write_bytes(stream.getvalue())
    assert starter.link_base_cell(path) == ("Settings", "B2")
