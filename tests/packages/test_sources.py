from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from batchbook.errors import ConfigurationError
from batchbook.packages.sources import FileAdvisories

Make = Callable[..., dict[str, Any]]


def write(path: Path, *records: dict[str, Any]) -> Path:
    path.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    return path


def test_records_are_found_by_the_normal_form_of_the_name(tmp_path: Path, record: Make) -> None:
    source = FileAdvisories(write(tmp_path / "a.jsonl", record(package="Jw.Util"), record(id="B", package="other")))
    assert [one.id for one in source.lookup("jw-util").records] == ["PYSEC-2024-1"]
    assert source.lookup("nothing").records == ()


def test_without_a_date_given_the_newest_record_says_it(tmp_path: Path, record: Make) -> None:
    older, newer = record(modified="2024-01-01T00:00:00Z"), record(id="B", modified="2024-03-01T23:30:00-02:00")
    source = FileAdvisories(write(tmp_path / "a.jsonl", older, newer))
    assert (source.name, source.date) == ("advisories", "2024-03-02")


def test_a_sidecar_says_name_and_date(tmp_path: Path, record: Make) -> None:
    path = write(tmp_path / "a.jsonl", record())
    (tmp_path / "a.jsonl.source.yaml").write_text("name: PyPA advisories\ndate: 2024-10-10\nlicence: CC BY 4.0\n")
    source = FileAdvisories(path)
    assert (source.name, source.date) == ("PyPA advisories", "2024-10-10")
    source = FileAdvisories(path, "Mine", "2025-01-01")
    assert (source.name, source.date) == ("Mine", "2025-01-01")


def test_a_folder_has_its_sidecar_inside(tmp_path: Path, record: Make) -> None:
    write(tmp_path / "a.jsonl", record())
    (tmp_path / "source.yaml").write_text("name: Ours\ndate: 2024-10-10\n")
    assert FileAdvisories(tmp_path).date == "2024-10-10"


@pytest.mark.parametrize("content", ["date: yesterday", "- a", "date: ["])
def test_a_sidecar_that_cannot_be_used_is_an_error(tmp_path: Path, record: Make, content: str) -> None:
    path = write(tmp_path / "a.jsonl", record())
    (tmp_path / "a.jsonl.source.yaml").write_text(content)
    with pytest.raises(ConfigurationError) as error:
        FileAdvisories(path)
    assert "a.jsonl.source.yaml" in str(error.value.findings[0])


def test_one_unreadable_file_stops_everything_and_all_are_named(tmp_path: Path, record: Make) -> None:
    write(tmp_path / "good.jsonl", record())
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "other.json").write_text('{"title": "no record"}')
    with pytest.raises(ConfigurationError) as error:
        FileAdvisories(tmp_path)
    named = " ".join(map(str, error.value.findings))
    assert "bad.json" in named and "other.json" in named and "good.jsonl" not in named


@pytest.mark.parametrize("content", ["", '{"id": "A", "affected": []}'])
def test_an_empty_source_is_an_error_not_a_clean_bill(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.jsonl").write_text(content)
    with pytest.raises(ConfigurationError):
        FileAdvisories(tmp_path / "a.jsonl")


def test_an_empty_folder_and_a_missing_file_are_errors(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.json"):
        with pytest.raises(ConfigurationError):
            FileAdvisories(path)


def test_a_source_without_any_date_is_an_error(tmp_path: Path, record: Make) -> None:
    with pytest.raises(ConfigurationError):
        FileAdvisories(write(tmp_path / "a.jsonl", record(modified="")))


def test_a_record_of_other_packages_says_nothing_of_how_new_the_source_is(tmp_path: Path, record: Make) -> None:
    other = record(id="B", modified="2024-11-01T00:00:00Z")
    other["affected"][0]["package"]["ecosystem"] = "npm"
    assert FileAdvisories(write(tmp_path / "a.jsonl", record(), other)).date == "2024-10-01"


def test_a_date_after_today_does_not_make_a_source_newer(tmp_path: Path, record: Make) -> None:
    now = dt.datetime(2024, 10, 12, 23, tzinfo=dt.UTC)
    late = record(id="B", modified="2024-10-13T00:00:00Z")
    path = write(tmp_path / "a.jsonl", record(), late, record(id="C", modified="9999-12-31T23:59:59-23:00"))
    assert FileAdvisories(path, now=now).date == "2024-10-01"
    with pytest.raises(ConfigurationError):
        FileAdvisories(write(tmp_path / "b.jsonl", late), now=now)


@pytest.mark.parametrize("content", ["date: [2024-10-10]", "name: {a: b}", f"date: {'9' * 10_000}"])
def test_a_sidecar_that_says_something_else_than_text_is_named_in_few_words(
    tmp_path: Path, record: Make, content: str
) -> None:
    path = write(tmp_path / "a.jsonl", record())
    (tmp_path / "a.jsonl.source.yaml").write_text(content)
    with pytest.raises(ConfigurationError) as error:
        FileAdvisories(path)
    assert len(error.value.findings[0].message) < 200
