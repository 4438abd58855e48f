"""Charts of reports: read back, and drawn by LibreOffice."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from batchbook.tables import reportbook
from batchbook.tables.reportbook import Chart, Formatted, ReportFile, ReportSheet, write_report
from batchbook.xlsx import SheetColumn

SOFFICE = shutil.which("soffice") or shutil.which("libreoffice")
COLUMNS = (SheetColumn("Status", 16), SheetColumn("Numbers", 12), SheetColumn("Share", 10))
ROWS = [["open", 3, Formatted(0.3, "0.0%")], ["=paid", 7, Formatted(0.7, "0.0%", "good")]]
KINDS = ("bar", "column", "stacked", "line", "pie")


def write(path: Path, rows: Any, *charts: Chart, title: str = "It's so", **more: Any) -> Any:
    write_report(ReportFile(path, "run-1", "R"), [ReportSheet(title, COLUMNS, rows, charts=charts, **more)])
    return openpyxl.load_workbook(path)[title]


def drawn(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return [archive.read(name).decode() for name in archive.namelist() if name.startswith("xl/charts/")]


@pytest.mark.parametrize("kind", KINDS)
def test_a_chart_is_of_the_rows_of_its_columns(tmp_path: Path, kind: Any) -> None:
    sheet = write(tmp_path / "a.xlsx", ROWS, Chart(kind, "By status", "Status", ["Numbers"]))
    (chart,) = sheet._charts
    assert chart.tagname == {"line": "lineChart", "pie": "pieChart"}.get(kind, "barChart")
    (series,) = chart.series
    assert series.cat.strRef.f == "'It''s so'!$A$2:$A$3"
    assert series.val.numRef.f == "'It''s so'!$B$2:$B$3"
    assert series.tx.strRef.f == "'It''s so'!$B$1:$B$1"
    assert chart.title.tx.rich.p[0].r[0].t == "By status"
    assert chart.title.overlay is False
    if kind != "pie":
        assert (chart.x_axis.delete, chart.y_axis.delete) == (False, False)
        assert chart.legend is None


def test_several_columns_of_values_stand_on_each_other_and_have_a_legend(tmp_path: Path) -> None:
    chart = Chart("stacked", "Both", "Status", ["Numbers", "Share"], "State", "Count", "0%", ["112233"])
    (found,) = write(tmp_path / "a.xlsx", ROWS, chart)._charts
    assert (found.grouping, found.overlap, found.legend.position) == ("stacked", 100, "b")
    assert [one.val.numRef.f[-9:] for one in found.series] == ["$B$2:$B$3", "$C$2:$C$3"]
    assert [one.graphicalProperties.solidFill.srgbClr for one in found.series] == ["112233"] * 2
    assert [axis.title.tx.rich.p[0].r[0].t for axis in (found.x_axis, found.y_axis)] == ["State", "Count"]
    assert found.y_axis.numFmt.formatCode == "0%"


def test_charts_lie_right_of_the_table_and_not_on_each_other(tmp_path: Path) -> None:
    tall = [["long " * 40, n, 1] for n in range(5)]
    sheet = write(tmp_path / "a.xlsx", tall, *(Chart(kind, kind, "Status", ["Numbers"]) for kind in KINDS))
    edges = []
    for chart in sheet._charts:
        start = chart.anchor._from
        assert start.col == len(COLUMNS)
        above = sum(sheet.row_dimensions[row + 1].height or 15.0 for row in range(start.row)) * 12_700 + start.rowOff
        edges.append((above, above + chart.anchor.ext.height))
    assert len(edges) == len(KINDS)
    assert all(below > above for (_, above), (below, _) in pairwise(edges))
    assert sheet.page_setup.fitToHeight == 1


def test_a_table_without_rows_has_no_chart_and_says_its_words(tmp_path: Path) -> None:
    sheet = write(tmp_path / "a.xlsx", [], Chart("bar", "x", "Status", ["Numbers"]), none="Nothing.")
    assert (sheet._charts, sheet["A2"].value) == ([], "Nothing.")
    assert not drawn(tmp_path / "a.xlsx")


def test_a_chart_of_a_table_that_goes_on_in_further_sheets_is_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reportbook, "EXCEL_ROWS", 3)
    sheet = write(tmp_path / "a.xlsx", ROWS * 3, Chart("bar", "x", "Status", ["Numbers"]))
    assert [one.val.numRef.f for one in sheet._charts[0].series] == ["'It''s so'!$B$2:$B$3"]
    assert len(drawn(tmp_path / "a.xlsx")) == 1


@pytest.mark.parametrize(
    ("kind", "category", "values"),
    [
        ("bar", "Nowhere", ["Numbers"]),
        ("bar", "Status", ["numbers"]),
        ("bar", "Status", []),
        ("pie", "Status", ["Numbers", "Share"]),
        ("bar", "", ["Numbers"]),
    ],
)
def test_a_chart_of_what_is_not_there_is_refused_before_anything_is_written(
    kind: Any, category: str, values: list[str]
) -> None:
    with pytest.raises(ValueError, match="chart 'x'"):
        ReportSheet("S", COLUMNS, ROWS, charts=[Chart(kind, "x", category, values)])


def test_a_number_with_a_format_is_shown_by_it_and_may_have_a_tone(tmp_path: Path) -> None:
    sheet = write(tmp_path / "a.xlsx", [*ROWS, ["odd", Formatted(float("nan"), "0%"), None]])
    assert (sheet["C2"].value, sheet["C2"].number_format, sheet["C3"].number_format) == (0.3, "0.0%", "0.0%")
    assert sheet["C3"].fill.start_color.rgb != sheet["C2"].fill.start_color.rgb
    assert sheet["B4"].value == "nan"


@pytest.mark.libreoffice
@pytest.mark.skipif(SOFFICE is None, reason="LibreOffice is not installed")
def test_libreoffice_takes_every_kind_of_chart_with_its_values(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    write(path, ROWS, *(Chart(kind, f"Title {kind}", "Status", ["Numbers"]) for kind in KINDS))
    subprocess.run(
        [str(SOFFICE), "--headless", f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}",
         "--convert-to", "ods", "--outdir", str(tmp_path), str(path)],
        check=True, capture_output=True, timeout=240,
    )  # fmt: skip
    with zipfile.ZipFile(tmp_path / "a.ods") as archive:
        charts = [archive.read(name).decode() for name in archive.namelist() if name.endswith("/content.xml")]
    assert len(charts) == len(KINDS)
    for kind in KINDS:
        (found,) = (chart for chart in charts if f"Title {kind}<" in chart)
        for shown in ("=paid", 'office:value="7"', 'office:value="3"'):
            assert shown in found
