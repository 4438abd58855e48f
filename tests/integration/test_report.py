"""Reports on runs, by the real command: over the sample, night after night, and of any other job."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tests.integration.helpers import Folder

JOB = "config/jobs/package-review.yaml"
SOFFICE = shutil.which("soffice") or shutil.which("libreoffice")
CRITICAL = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
EVIL = '=HYPERLINK("http://evil.example","x")'


@pytest.fixture
def review(new_folder: Callable[[str], Folder], tmp_path: Path) -> Folder:
    """The sample, reviewed once."""
    called = new_folder("start").run("init", "--sample", str(tmp_path / "review"))
    assert called.code == 0, called.err
    folder = Folder(tmp_path / "review")
    assert folder.run("run", JOB, "--resume-auto", "--quiet").code == 0
    return folder


def advisories_of_the_next_night(folder: Folder) -> None:
    """One is withdrawn, one is new; the source has another date."""
    (path,) = (folder.path / "data" / "advisories").glob("*.jsonl.gz")
    with gzip.open(path, "rt", encoding="utf-8") as packed:
        records = [json.loads(line) for line in packed]
    for record in records:
        if record["id"] == "PYSEC-2024-25":
            record["withdrawn"] = "2024-10-11T00:00:00Z"
    ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2099.1"}]}]
    records.append(
        {
            "id": "GHSA-aaaa-bbbb-cccc", "modified": "2024-10-12T00:00:00Z", "summary": EVIL,
            "aliases": ["CVE-2024-99999"], "severity": [{"type": "CVSS_V3", "score": CRITICAL}],
            "affected": [{"package": {"ecosystem": "PyPI", "name": "certifi"}, "ranges": ranges}],
        }
    )  # fmt: skip
    with gzip.open(path, "wt", encoding="utf-8") as packed:
        packed.writelines(json.dumps(record) + "\n" for record in records)
    about = path.with_name(f"{path.name}.source.yaml")
    about.write_text(about.read_text().replace("2024-10-10", "2024-10-12"))


def tables(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All sheets of a report."""
    return {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in openpyxl.load_workbook(path)}


def column(rows: Iterable[tuple[Any, ...]], header: str) -> list[Any]:
    headers, *below = rows
    return [row[headers.index(header)] for row in below]


def test_the_second_night_tells_what_is_new_and_nothing_of_what_only_got_another_date(review: Folder) -> None:
    advisories_of_the_next_night(review)
    second = review.run("run", JOB, "--resume-auto", "--json").json
    assert second["rows"]["done"] > 400, "nearly every text has the source's new date"
    called = review.run("runs", "report", "last", "--to", "out.xlsx", "--changes-only", "--json")
    assert called.code == 0, called.err
    assert called.json["run_id"] == second["run_id"]
    assert called.json["path"] == str(review.path / "out.xlsx")
    assert (called.json["kind"], called.json["note"]) == ("batchbook.packages.review:PackageReview", "")
    found = tables(review.path / "out.xlsx")
    assert list(found) == list(called.json["sheets"]) == ["Summary", "Changes", "Unknown", "Advisories"]
    assert column(found["Changes"], "Package") == ["certifi", "duckdb"]
    assert column(found["Changes"], "What Changed") == [
        "1 new advisory: GHSA-aaaa-bbbb-cccc",
        "no longer affected; 1 advisory no longer listed: PYSEC-2024-25",
    ]
    assert column(found["Advisories"], "Summary") == [EVIL]
    assert len(found["Unknown"]) == 6
    told = {row[0]: row[1] for row in found["Summary"] if row[0]}
    assert told["Compared with"].endswith("which was completed")
    assert (told["new advisories"], told["all"]) == (1, 486)


def test_a_report_is_replaced_by_the_next_and_a_workbook_never(review: Folder) -> None:
    book = (review.path / "data" / "packages.xlsx").read_bytes()
    assert review.run("runs", "report", "last", "--to", "out.xlsx").code == 0
    assert review.run("runs", "report", "last", "--to", "out.xlsx", "--changes-only").code == 0
    assert "Packages" not in tables(review.path / "out.xlsx")
    refused = review.run("runs", "report", "last", "--to", "data/packages.xlsx", "--json")
    assert (refused.code, refused.json["error"]["code"]) == (2, "usage")
    assert "is no report made by batchbook" in refused.json["error"]["what"]
    assert (review.path / "data" / "packages.xlsx").read_bytes() == book


def test_a_nightly_job_leaves_a_report_of_each_run(review: Folder) -> None:
    job = review.path / JOB
    wish = '  report: {to: "data/reports/{job}-{run}.xlsx", changes_only: true}\n'
    job.write_text(job.read_text().replace("\noptions:\n", f"\noptions:\n{wish}"))
    advisories_of_the_next_night(review)
    result = review.run("run", JOB, "--resume-auto", "--json").json
    path = review.path / "data" / "reports" / f"package-review-{result['run_id']}.xlsx"
    assert result["report_workbook"] == str(path)
    assert column(tables(path)["Changes"], "Package") == ["certifi", "duckdb"]
    again = review.run("run", JOB, "--resume-auto")
    assert (again.code, "report workbook: " in again.out) == (0, True)
    assert "warning" not in again.err


def test_any_job_has_a_report(folder: Folder) -> None:
    folder.make_book([1, -1, 17, 4])
    assert folder.run("run", "job.yaml", "--start-fresh").code == 3
    called = folder.run("runs", "report", "last", "--to", "out.xlsx")
    assert called.code == 0, called.err
    assert "report on run " in called.out
    found = tables(folder.path / "out.xlsx")
    assert [row[3:] for row in found["Changes"][1:3]] == [("Result", None, "name 1 has 1"), ("Checked", None, 2)]
    assert column(found["Problems"], "Outcome") == ["rejected", "unknown"]


@pytest.mark.libreoffice
@pytest.mark.skipif(SOFFICE is None, reason="LibreOffice is not installed")
def test_libreoffice_opens_it_and_calculates_nothing_in_it(review: Folder) -> None:
    advisories_of_the_next_night(review)
    assert review.run("run", JOB, "--resume-auto", "--quiet").code == 0
    assert review.run("runs", "report", "last", "--to", "out.xlsx").code == 0
    subprocess.run(
        [SOFFICE, "--headless", f"-env:UserInstallation={(review.path / 'profile').as_uri()}", "--convert-to", "fods",
         "--outdir", str(review.path / "odf"), str(review.path / "out.xlsx")],
        check=True, capture_output=True, timeout=240,
    )  # fmt: skip
    content = (review.path / "odf" / "out.fods").read_text(encoding="utf-8")
    assert "table:formula=" not in content
    assert "<text:p>=HYPERLINK(" in content
    assert 'xlink:href="https://osv.dev/vulnerability/PYSEC-2023-11"' in content
    assert content.count("<table:table ") == 5
