"""Make the sample workbook and its job from `data/samples/packages-486.csv`; the same bytes at every run.

The workbook looks like one that an analyst has kept for a while: a title, colours, notes, comments, links by formula,
a summary with a chart, a gap in the rows, and a few versions that are wrong. Run from anywhere:

    python tools/make_sample.py [FOLDER]      FOLDER instead of data/samples
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.chart import BarChart, Reference
from openpyxl.chart.label import DataLabelList
from openpyxl.comments import Comment
from openpyxl.formatting.rule import FormulaRule
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "data" / "samples"
JOB = ROOT / "config" / "jobs" / "package-review.yaml"
MADE = dt.datetime(2026, 4, 30, 9, 0, 0)

HEADER_ROW, FIRST_ROW = 3, 4
COLUMNS = (  # header, width, kind of column
    ("Index", 7, "people"),
    ("Package Name", 30, "people"),
    ("Version in Use", 14, "people"),
    ("PyPI Link", 18, "people"),
    ("Date Published", 14, "index"),
    ("Latest Version", 14, "index"),
    ("Latest Version Link", 16, "index"),
    ("Latest Release Date", 14, "index"),
    ("Requires", 16, "index"),
    ("Development Status", 14, "index"),
    ("GitHub URL", 16, "index"),
    ("GitHub Advisory URL", 24, "advisories"),
    ("GitHub Advisory Result", 62, "advisories"),
    ("Notes", 40, "people"),
    ("NVD URL", 22, "advisories"),
    ("NVD Result", 30, "advisories"),
    ("MITRE CVE URL", 22, "advisories"),
    ("MITRE CVE Result", 58, "advisories"),
    ("Snyk URL", 22, "advisories"),
    ("Snyk Result", 13, "advisories"),
    ("Exploit-DB URL", 24, "advisories"),
    ("Exploit-DB Result", 13, "advisories"),
    ("Recommendation", 96, "verdict"),
    ("Review Status", 13, "marks"),
    ("Reason", 40, "marks"),
    ("Checked At", 26, "marks"),
    ("Security Status", 13, "verdict"),
    ("Advisory IDs", 58, "verdict"),
    ("Highest Severity", 26, "verdict"),
    ("Known Exploited", 20, "verdict"),
    ("First Fixed Version", 14, "verdict"),
    ("Latest Affected", 26, "verdict"),
    ("Behind By", 18, "index"),
    ("Yanked", 18, "index"),
    ("Python Fits", 18, "index"),
    ("Data Dates", 32, "verdict"),
    ("Decision", 12, "people"),
    ("Justification", 46, "people"),
)
LAST = get_column_letter(len(COLUMNS))
PLACES = {header: number for number, (header, _, _) in enumerate(COLUMNS, 1)}
HEADER_FILLS = {
    "people": "44546A",
    "index": "2F75B5",
    "advisories": "7B3F61",
    "verdict": "833C0B",
    "marks": "595959",
}

# What went wrong when people typed versions: value, number format.
BAD_VERSIONS = {
    "websockets": (9.1, "General"),
    "pyxdg": (0.2, "0.00"),
    "pip": ("23.0.", "General"),
    "embedchain": ("NEW", "General"),
    "kallithea": (None, "General"),
}
AFTER_GAP = ("leo",)
NOTES = {
    "requests": "pinned for the old billing client, see ticket 1182",
    "cryptography": "update planned with the next base image",
    "numpy": "kept for the report scripts only",
    "django": "owner: web team",
    "pillow": "thumbnails only, no uploads from outside",
    "pip": "version to be checked on the build host",
    "embedchain": "being tried out since April",
    "websockets": "ask Mira which patch level",
    "tensorflow": "model archive; must not be updated before it is moved",
    "jinja2": "used in mail templates",
    "ansible": "admin machines only",
    "kallithea": "to be retired",
    "leo": "came in with the survey tool, not confirmed yet",
}
DECISIONS = {  # what people decided about a package, and why
    "requests": ("wait", "until the billing client takes a newer one, see ticket 1182"),
    "cryptography": ("update", "with the next base image"),
    "numpy": ("accept", "report scripts only, no data from outside"),
    "tensorflow": ("wait", "the model archive has to be moved first"),
    "jinja2": ("accept", "templates are written by us alone"),
    "kallithea": ("replace", "its successor is in use since March"),
}
CHOICES = ("accept", "update", "replace", "wait")
COLOURED = {
    "requests": "FFF2CC",
    "cryptography": "FFF2CC",
    "numpy": "E2EFDA",
    "tensorflow": "FCE4D6",
    "kallithea": "D9D9D9",
    "leo": "DDEBF7",
}
COMMENTS = {
    "requests": "Two services still need this release. Talk to the billing team before touching it.",
    "pyxdg": "Somebody typed this as a number. It was 0.20, I think.",
}
WRAPPED = (
    *("Requires", "GitHub Advisory Result", "Notes", "NVD Result", "MITRE CVE Result", "Recommendation", "Reason"),
    *("Advisory IDs", "Highest Severity", "Known Exploited", "Latest Affected", "Yanked", "Python Fits", "Data Dates"),
    "Justification",
)
SUMMARY = (  # label, criterion over the column Recommendation, colour
    ("Security risk", "SECURITY RISK*", "C00000"),
    ("Manual review", "MANUAL REVIEW*", "ED7D31"),
    ("Update", "UPDATE*", "2F75B5"),
    ("Proceed", "PROCEED*", "548235"),
    ("Unknown", "UNKNOWN*", "7F7F7F"),
)
THIN = Side(style="thin", color="D9D9D9")


def _font(size: float = 11, **look: Any) -> Font:
    return Font(name="Calibri", size=size, **look)


GREY = _font(italic=True, color="7F7F7F")


def main(folder: Path = SAMPLES) -> None:
    """Write the workbook and the job into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (SAMPLES / "packages-486.csv").open(encoding="utf-8", newline="") as file:
        facts = [(row["package_name"], row["version_in_use"]) for row in csv.DictReader(file)]
    (folder / "packages.xlsx").write_bytes(_frozen(_workbook(facts)))
    job = JOB.read_text(encoding="utf-8").replace("data/samples/", "data/")
    (folder / "package-review.yaml").write_text(
        job.replace("# a working copy of data/packages.xlsx", "# the workbook, changed in place"), encoding="utf-8"
    )


def _workbook(facts: list[tuple[str, str]]) -> Workbook:
    book = Workbook()
    book.properties.creator = book.properties.lastModifiedBy = "Analysis"
    book.properties.title = "Python packages in use"
    book.properties.created = MADE
    summary = book.worksheets[0]
    summary.title = "Summary"
    packages = book.create_sheet("Packages")
    settings = book.create_sheet("Settings")
    last = _fill_packages(packages, facts)
    _fill_summary(summary, last)
    _fill_settings(settings)
    book.active = 1
    summary.sheet_view.tabSelected = False
    return book


def _fill_packages(sheet: Worksheet, facts: list[tuple[str, str]]) -> int:
    """The sheet of packages; the number of its last row."""
    sheet["A1"] = "Python packages in use"
    sheet["A1"].font = _font(size=16, bold=True, color="44546A")
    sheet["A2"] = (
        "One row per package. Index to link, notes, decision and justification are kept by hand; "
        "the rest is filled each night."
    )
    sheet["A2"].font = GREY
    _fill_headers(sheet)
    before = [fact for fact in facts if fact[0] not in AFTER_GAP]
    after = [fact for fact in facts if fact[0] in AFTER_GAP]
    number = FIRST_ROW
    for index, (name, version) in enumerate(before, 1):
        _fill_row(sheet, number, index, name, version)
        number += 1
    for index, (name, version) in enumerate(after, len(before) + 1):
        number += 1  # the gap
        _fill_row(sheet, number, index, name, version)
    _look_after(sheet, number)
    return number


def _fill_headers(sheet: Worksheet) -> None:
    sheet.row_dimensions[HEADER_ROW].height = 32
    for column, (header, width, kind) in enumerate(COLUMNS, 1):
        cell = sheet.cell(HEADER_ROW, column, header)
        cell.font = _font(bold=True, color="FFFFFF")
        cell.fill = PatternFill("solid", fgColor=HEADER_FILLS[kind])
        cell.alignment = Alignment(wrap_text=True, vertical="center")
        sheet.column_dimensions[get_column_letter(column)].width = width


def _fill_row(sheet: Worksheet, number: int, index: int, name: str, version: str) -> None:
    sheet.row_dimensions[number].height = 30  # two lines, so that what is filled in later has room
    for column, (header, _, _) in enumerate(COLUMNS, 1):
        cell = sheet.cell(number, column)
        cell.alignment = Alignment(vertical="top", wrap_text=header in WRAPPED)
        cell.border = Border(bottom=THIN)
        if header.endswith(("URL", "Link")) and header != "GitHub URL":
            cell.font = _font(color="0563C1", underline="single")
        if header in ("Date Published", "Latest Release Date"):
            cell.number_format = "yyyy-mm-dd"
    value, number_format = BAD_VERSIONS.get(name, (version, "@"))
    sheet.cell(number, 1, index).alignment = Alignment(vertical="top", horizontal="center")
    sheet.cell(number, 2, name).font = _font(bold=True)
    sheet.cell(number, 3, value).number_format = number_format
    sheet.cell(number, 3).alignment = Alignment(vertical="top", horizontal="left" if isinstance(value, str) else None)
    sheet.cell(number, 4, f'=IF(Settings!$B$4="","",HYPERLINK(Settings!$B$4&B{number},B{number}))')
    if name in NOTES:
        sheet.cell(number, 14, NOTES[name])
    for header, value in zip(("Decision", "Justification"), DECISIONS.get(name, ()), strict=False):
        sheet.cell(number, PLACES[header], value)
    if name in COLOURED:
        for column in (1, 2, 3, 14):
            sheet.cell(number, column).fill = PatternFill("solid", fgColor=COLOURED[name])
    if name in COMMENTS:
        comment = Comment(COMMENTS[name], "Analysis", height=70, width=220)
        sheet.cell(number, 3).comment = comment


def _look_after(sheet: Worksheet, last: int) -> None:
    """Filter, panes, validation, conditional formats and the printed page."""
    sheet.auto_filter.ref = f"A{HEADER_ROW}:{LAST}{last}"
    sheet.freeze_panes = f"C{FIRST_ROW}"
    length = DataValidation(type="textLength", operator="lessThanOrEqual", formula1="40", allow_blank=True)
    length.errorTitle, length.error = "Version", "A version has at most 40 characters."
    length.add(f"C{FIRST_ROW}:C{last}")
    sheet.add_data_validation(length)
    decision = get_column_letter(PLACES["Decision"])
    choice = DataValidation(type="list", formula1=f'"{",".join(CHOICES)}"', allow_blank=True)
    choice.errorTitle, choice.error = "Decision", f"A decision is one of: {', '.join(CHOICES)}."
    choice.add(f"{decision}{FIRST_ROW}:{decision}{last}")
    sheet.add_data_validation(choice)
    result = f"W{FIRST_ROW}:W{last}"
    for (_, criterion, _), fill in zip(SUMMARY, ("F8CBAD", "FCE4D6", "DDEBF7", "E2EFDA", "FFE699"), strict=True):
        head = criterion.rstrip("*")
        formula = f'LEFT($W{FIRST_ROW},{len(head)})="{head}"'
        sheet.conditional_formatting.add(result, FormulaRule([formula], fill=PatternFill("solid", bgColor=fill)))
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.paperSize = sheet.PAPERSIZE_A3
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 3, 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.print_title_rows, sheet.print_title_cols = f"{HEADER_ROW}:{HEADER_ROW}", "A:C"
    sheet.sheet_properties.tabColor = "2F75B5"


def _fill_summary(sheet: Worksheet, last: int) -> None:
    sheet["A1"] = "Summary of the review"
    sheet["A1"].font = _font(size=16, bold=True, color="44546A")
    sheet["A2"] = "Counted over the sheet Packages; it fills as the review runs."
    sheet["A2"].font = GREY
    names, results = f"Packages!$B${FIRST_ROW}:$B${last}", f"Packages!$W${FIRST_ROW}:$W${last}"
    for column, header in enumerate(("Recommendation", "Packages", "Share"), 1):
        cell = sheet.cell(4, column, header)
        cell.font, cell.fill = _font(bold=True, color="FFFFFF"), PatternFill("solid", fgColor="44546A")
        cell.alignment = Alignment(horizontal="left" if column == 1 else "right")
    for row, (label, criterion, colour) in enumerate(SUMMARY, 5):
        sheet.cell(row, 1, label).font = _font(bold=True, color=colour)
        sheet.cell(row, 2, f'=COUNTIF({results},"{criterion}")')
        sheet.cell(row, 3, f"=IF($B$11=0,0,B{row}/$B$11)").number_format = "0.0%"
    sheet["A10"], sheet["B10"] = "Not reviewed yet", "=B11-SUM(B5:B9)"
    sheet["A11"], sheet["B11"] = "All packages", f"=COUNTA({names})"
    for cell in (sheet["A11"], sheet["B11"]):
        cell.font, cell.border = _font(bold=True), Border(top=Side(style="thin"))
    sheet["A13"], sheet["B13"] = (
        "Last checked",
        f'=IF(COUNTA(Packages!$Z${FIRST_ROW}:$Z${last})=0,"",'
        f'LOOKUP(2,1/(Packages!$Z${FIRST_ROW}:$Z${last}<>""),Packages!$Z${FIRST_ROW}:$Z${last}))',
    )
    for column, width in zip("ABC", (22, 14, 14), strict=True):
        sheet.column_dimensions[column].width = width
    sheet.sheet_view.showGridLines = False
    sheet.page_setup.orientation = "landscape"
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.add_chart(_chart(sheet), "E4")


def _chart(sheet: Worksheet) -> BarChart:
    chart = BarChart()
    chart.type, chart.style, chart.legend = "bar", 10, None
    chart.title = "Packages by recommendation"
    chart.add_data(Reference(sheet, min_col=2, min_row=5, max_row=9), titles_from_data=False)
    chart.set_categories(Reference(sheet, min_col=1, min_row=5, max_row=9))
    chart.x_axis.scaling.orientation = "maxMin"
    chart.x_axis.delete = chart.y_axis.delete = False
    chart.y_axis.majorGridlines = None
    chart.dataLabels = DataLabelList(showVal=True, showSerName=False, showCatName=False, showLegendKey=False)
    chart.gapWidth, chart.height, chart.width = 50, 8, 16
    return chart


def _fill_settings(sheet: Worksheet) -> None:
    sheet["A1"] = "Settings"
    sheet["A1"].font = _font(size=16, bold=True, color="44546A")
    sheet["A2"] = "The column PyPI Link of the sheet Packages is built from the package link base; blank: no links."
    sheet["A2"].font = GREY
    for row, (label, value, remark) in enumerate(
        (
            ("Package link base", None, "the address that the package's name is put behind"),
            ("Review rhythm", "nightly", "nightly, weekly or monthly"),
            ("Owner", "Analysis", "whom to ask"),
        ),
        4,
    ):
        sheet.cell(row, 1, label).font = _font(bold=True)
        sheet.cell(row, 2, value).fill = PatternFill("solid", fgColor="FFF2CC")
        sheet.cell(row, 3, remark).font = GREY
    rhythm = DataValidation(type="list", formula1='"nightly,weekly,monthly"', allow_blank=False)
    rhythm.add("B5")
    sheet.add_data_validation(rhythm)
    for column, width in zip("ABC", (22, 44, 50), strict=True):
        sheet.column_dimensions[column].width = width


def _frozen(book: Workbook) -> bytes:
    """The workbook's bytes with every time set to the same moment."""
    saved, frozen = io.BytesIO(), io.BytesIO()
    book.save(saved)
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(frozen, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "docProps/core.xml":
                stamp = f"{MADE.isoformat()}Z".encode()
                content = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>" + stamp, content)
            info = zipfile.ZipInfo(name, MADE.timetuple()[:6])
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            new.writestr(info, content)
    return frozen.getvalue()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
