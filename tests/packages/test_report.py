"""The report for analysts, over a small workbook that is reviewed by the engine itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from pydantic import ValidationError

from batchbook.batch import BatchController, ReportWish, RunResult, StartRequest
from batchbook.batch.history import open_ledger
from batchbook.batch.runreport import MadeReport, report_run
from batchbook.config import load_base, load_job
from batchbook.packages import PackageReviewOptions
from batchbook.packages.options import ReportOptions
from batchbook.packages.report import wished
from tests.packages.conftest import make_record

BEFORE_2 = [{"introduced": "0"}, {"fixed": "2.0"}]
CRITICAL = [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]
LOW = [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N"}]
HEADERS = ("Package", "Version", "Latest Version", "Recommendation", "Review Status", "Reason", "Checked At", "Notes",
           "Decision", "Justification")  # fmt: skip
NAMES = ("alpha", "beta", "gamma", "delta")


class Desk:
    """A folder with a small review."""

    def __init__(self, path: Path, rows: Sequence[Sequence[Any]] | None = None) -> None:
        self.path = path
        book = openpyxl.Workbook()
        sheet = book.worksheets[0]
        sheet.title = "Packages"
        for row in [HEADERS, *(rows if rows is not None else [[name, "1.0"] for name in NAMES])]:
            sheet.append(row)
        book.save(path / "book.xlsx")
        job = {
            "job": "review", "workbook": "book.xlsx", "sheet": "Packages", "key": ["package_name"],
            "processor": "batchbook.packages:PackageReview", "writes": ["latest_version", "recommendation"],
            "columns": {"package_name": "Package", "version": "Version", "decision": "Decision",
                        "justification": "Justification", "status": "Review Status", "reason": "Reason",
                        "checked_at": "Checked At"},
            "marks": {"status": "status", "reason": "reason", "checked_at": "checked_at"},
            "options": {"advisories": "advisories.jsonl", "advisories_name": "db", "kev": "kev.json"},
        }  # fmt: skip
        (path / "job.yaml").write_text(json.dumps(job))
        self.exploited()

    def exploited(self, *ids: str) -> None:
        """The catalogue of known exploited vulnerabilities."""
        found = {
            "dateReleased": "2024-10-10T00:00:00Z",
            "vulnerabilities": [{"cveID": one} for one in ("CVE-1999-0001", *ids)],
        }
        (self.path / "kev.json").write_text(json.dumps(found))

    def night(self, *records: Mapping[str, Any], **request: Any) -> RunResult:
        """Advisories as they are that night, and a run over them."""
        # A source without a record would stop the run.
        every = [make_record("PYSEC-0", "other", BEFORE_2), *records]
        (self.path / "advisories.jsonl").write_text("\n".join(map(json.dumps, every)))
        result = BatchController(load_job(self.path / "job.yaml"), StartRequest(mode="fresh", **request)).run()
        assert result.error is None
        return result

    def edit(self, **cells: Any) -> None:
        book = openpyxl.load_workbook(self.path / "book.xlsx")
        for place, value in cells.items():
            book["Packages"][place] = value
        book.save(self.path / "book.xlsx")

    def report(self, run: str = "last", *, changes_only: bool = True) -> Report:
        base = load_base(self.path)
        with open_ledger(base, reading=True) as ledger:
            return Report(report_run(base, ledger, run, self.path / "out.xlsx", changes_only=changes_only))


class Report:
    """What a report holds."""

    def __init__(self, made: MadeReport) -> None:
        self.made = made
        self.book = openpyxl.load_workbook(made.path)

    def table(self, name: str) -> list[dict[str, Any]]:
        headers, *rows = self.book[name].iter_rows(values_only=True)
        return [dict(zip(headers, row, strict=True)) for row in rows]

    def changes(self) -> list[tuple[str, str]]:
        return [(row["Package"], row["What Changed"]) for row in self.table("Changes")]

    def summary(self) -> dict[str, Any]:
        return {row[0]: row[1] for row in self.book["Summary"].iter_rows(values_only=True) if row[0]}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def record(id: str, package: str, severity: Any = None, **more: Any) -> dict[str, Any]:
    return make_record(id, package, BEFORE_2, severity=severity or [], **more)


def test_the_report_of_a_first_run_has_every_advisory_as_new_and_says_that_it_is_the_first(desk: Desk) -> None:
    desk.night(record("A-1", "alpha"))
    found = desk.report()
    assert found.made.kind == "batchbook.packages.review:PackageReview"
    assert "this is the first run" in found.summary()["Compared with"]
    assert found.summary()["new advisories"] == 1
    assert found.changes() == [
        ("alpha", "1 new advisory: A-1"),
        *((name, "reviewed for the first time: PROCEED (latest not checked)") for name in NAMES[1:]),
    ]


def test_new_advisories_come_first_known_exploited_before_severe_ones_then_the_rest_by_weight(desk: Desk) -> None:
    desk.night(record("D-1", "delta", LOW))
    desk.exploited("CVE-2024-0003")
    desk.edit(A6="epsilon", B6="1.0", A7="zeta", B7="1.0")
    desk.night(record("D-1", "delta", LOW))
    desk.edit(B7="soon")
    desk.night(
        record("A-1", "alpha", LOW), record("B-1", "beta", CRITICAL),
        record("C-1", "gamma", LOW, aliases=["CVE-2024-0003"]),
    )  # fmt: skip
    found = desk.report()
    assert [name for name, _ in found.changes()] == ["gamma", "beta", "alpha", "zeta", "delta"]
    first = found.table("Changes")[0]
    assert first["What Changed"] == "1 new advisory: C-1; known exploited among them: C-1"
    assert (first["Severity"], first["Known Exploited"], first["First Fixed"]) == ("LOW 1.8 (CVSS 3.1)", "yes", "2.0")
    assert (first["Recommendation Before"], first["Recommendation Now"]) == (
        "PROCEED (latest not checked)", "SECURITY RISK (1)",
    )  # fmt: skip
    assert found.table("Changes")[-1]["No Longer Listed"] == "D-1"
    told = found.summary()
    assert (told["new advisories"], told["known exploited among what is new"]) == (3, 1)
    assert (told["advisories no longer listed"], told["packages that are not as they were"]) == (1, 5)
    assert [row["Advisory"] for row in found.table("Advisories")] == ["C-1", "B-1", "A-1"]


def test_another_date_of_the_sources_is_no_change_and_an_unchanged_night_says_so_in_words(desk: Desk) -> None:
    desk.night(record("A-1", "alpha"))
    desk.night({**record("A-1", "alpha"), "modified": "2024-10-09T00:00:00Z"})
    found = desk.report()
    assert found.changes() == [("Nothing that matters changed since run " + _before(desk) + ".", None)]
    assert found.table("Advisories")[0]["New"] == "No new advisory."
    assert found.summary()["in words"].startswith("Nothing that matters changed since run ")
    assert found.table("Unknown")[0]["Package"] == "No package is unknown, rejected or failed."


def _before(desk: Desk) -> str:
    with open_ledger(load_base(desk.path), reading=True) as ledger:
        return ledger.runs()[1].id


def test_peoples_columns_are_there_as_the_workbook_has_them_now(desk: Desk) -> None:
    desk.night()
    desk.night(record("A-1", "alpha"))
    desk.edit(H2="ask Mira", I2="accept", J2="behind a firewall")
    (row,) = desk.report().table("Changes")
    assert [row[name] for name in ("Notes", "Decision", "Justification")] == ["ask Mira", "accept", "behind a firewall"]


def test_texts_from_outside_are_texts(desk: Desk) -> None:
    desk.night()
    desk.night(record("=A-1", "alpha", summary='=HYPERLINK("http://evil.example","x")'))
    found = desk.report()
    for sheet in found.book:
        assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "n", "d"}
    assert found.table("Advisories")[0]["Summary"] == '=HYPERLINK("http://evil.example","x")'


def test_what_is_unknown_is_always_there_with_the_reason(desk: Desk) -> None:
    desk.edit(B3="NEW", H3="ask Mira")
    desk.night()
    desk.night()
    for changes_only in (True, False):
        (row,) = desk.report(changes_only=changes_only).table("Unknown")
        assert (row["Package"], row["Version"], row["Status"]) == ("beta", "NEW", "unknown")
        assert "'NEW' cannot be read" in row["Reason"]
        assert row["Notes"] == "ask Mira"
    desk.night(keys=("alpha",))
    assert desk.report().table("Unknown")[0]["Package"] == "beta"
    assert desk.report().summary()["of them not taken by this run"] == 3


def test_without_changes_only_everything_else_is_there_too(desk: Desk) -> None:
    desk.night(record("A-1", "alpha"), record("B-1", "beta"))
    desk.night(record("A-1", "alpha"), record("B-1", "beta"), record("B-2", "beta"))
    found = desk.report(changes_only=False)
    assert [(row["New"], row["Advisory"]) for row in found.table("Advisories")] == [
        ("yes", "B-2"), (None, "A-1"), (None, "B-1"),
    ]  # fmt: skip
    rows = found.table("Packages")
    assert [row["Package"] for row in rows] == list(NAMES)
    assert list(rows[0]) == list(HEADERS)
    told = found.summary()
    assert (told["all"], told["affected"], told["not affected"], told["unknown"]) == (4, 2, 2, 0)
    assert (told["SECURITY RISK"], told["PROCEED"]) == (2, 2)


def test_a_version_in_use_that_was_changed_is_told(desk: Desk) -> None:
    records = [record("A-1", "alpha"), make_record("A-2", "alpha", [{"introduced": "0"}, {"fixed": "9"}])]
    desk.night(*records)
    desk.edit(B2="2.0", B3="1.1")
    desk.night(*records)
    assert desk.report().changes() == [
        ("alpha", "1 advisory no longer listed: A-1; version in use 1.0 -> 2.0"),
        ("beta", "the version in use was changed"),
    ]


def test_a_persons_text_over_a_recommendation_is_not_counted_as_one_and_is_among_the_conflicts(desk: Desk) -> None:
    desk.night()
    desk.edit(D2="we accept this")
    desk.night(record("A-1", "alpha"))
    found = desk.report()
    assert found.changes()[0] == ("alpha", "1 new advisory: A-1")
    assert "1 cell that people changed" in " ".join(_notes(found))
    assert found.table("Conflicts")[0]["Theirs"] == "we accept this"
    assert found.summary()["with a text of a person's in its place"] == 1
    assert found.summary()["not told"] == 1


def _notes(found: Report) -> list[str]:
    return [row[1] for row in found.book["Summary"].iter_rows(values_only=True) if row[0] == "Please note"]


def test_a_row_that_was_changed_since_the_run_read_it_is_said_to_be(desk: Desk) -> None:
    desk.night()
    desk.edit(B2="7.0")
    assert any(
        "1 package was changed in the workbook since the run read them" in said for said in _notes(desk.report())
    )


def test_results_that_wait_for_a_closed_workbook_are_reported_as_if_they_were_there(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.night(record("A-1", "alpha"))
    job = json.loads((tmp_path / "job.yaml").read_text())
    (tmp_path / "job.yaml").write_text(json.dumps({**job, "on_open": "later"}))
    (tmp_path / ".~lock.book.xlsx#").write_text(",ann,desk,01.03.2026 12:00,file:///home/ann;")
    assert desk.night(record("A-1", "alpha"), record("B-1", "beta")).pending is not None
    found = desk.report(changes_only=False)
    assert found.changes() == [("beta", "1 new advisory: B-1")]
    assert [(row["New"], row["Advisory"]) for row in found.table("Advisories")] == [("yes", "B-1"), (None, "A-1")]
    assert found.table("Packages")[1]["Recommendation"].startswith("SECURITY RISK (1)")
    assert any("waits in" in said for said in _notes(found))


def test_advisories_under_other_headers_than_the_jobs_are_not_read_by_place_and_that_is_said(desk: Desk) -> None:
    desk.night(record("A-1", "alpha"), record("B-1", "beta"))
    desk.night(record("A-1", "alpha"), record("B-1", "beta"), record("B-2", "beta"))
    book = openpyxl.load_workbook(desk.path / "book.xlsx")
    book["Advisories"]["E1"] = "Renamed"
    book.save(desk.path / "book.xlsx")
    found = desk.report(changes_only=False)
    assert found.changes() == [("beta", "1 new advisory: B-2")]
    assert [row["Advisory"] for row in found.table("Advisories")] == ["B-2"]
    assert any("'Renamed'" in said for said in _notes(found))


def test_a_run_of_nothing_over_an_empty_sheet_is_told_in_words(tmp_path: Path) -> None:
    desk = Desk(tmp_path, rows=[])
    desk.night()
    found = desk.report(changes_only=False)
    assert found.changes() == [("Nothing that matters changed in this run.", None)]
    assert found.table("Packages") == [{"Package": "The sheet has no rows.", **dict.fromkeys(HEADERS[1:])}]


# --- the option -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("to", ["report.xls", "", "{day}.xlsx", "{job.xlsx"])
def test_the_name_of_a_report_that_cannot_be_one_is_refused_at_the_start(to: str) -> None:
    with pytest.raises(ValidationError):
        ReportOptions(to=to)


def test_a_review_asks_for_the_report_that_its_options_name() -> None:
    given = {"advisories": "a", "report": {"to": "data/reports/{job}-{run}.xlsx", "changes_only": True}}
    wish = ReportWish("data/reports/{job}-{run}.xlsx", changes_only=True)
    assert wished(PackageReviewOptions.model_validate(given)) == wish
    assert wished(PackageReviewOptions.model_validate({"advisories": "a"})) is None
