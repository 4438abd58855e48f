"""Text that comes from outside stays text: in the job's cells, added rows, own sheets and reports."""

from __future__ import annotations

import csv
import json
import re
import zipfile
from pathlib import Path

import openpyxl
import pytest
from openpyxl.utils.escape import unescape

from tests.integration.helpers import Folder

TEXTS = (
    "=cmd|' /C calc'!A0", "=1+1", '=HYPERLINK("http://x","y")', "+1+1", "-1+1", "@SUM(1)", "\t=1+1", "\r=1+1",
    "\n=1+1", " =1+1", "'=1+1", "{=1+1}", "=DDE(\"a\";\"b\";\"c\")", "_x003D_1+1", "<f>1+1</f>", "]]><f>1</f>",
)  # fmt: skip

PROCESSOR = f"""
import batchbook
from batchbook import Processor

TEXTS = {TEXTS!r}

class Echo(Processor):
    writes = ("Result",)
    details = {{"Facts": batchbook.DetailSheet((batchbook.SheetColumn("Key"), batchbook.SheetColumn("Fact")))}}

    def process(self, row):
        text = TEXTS[int(row["Amount"]) - 1]
        return batchbook.RowResult({{"Result": text}}, {{"Facts": [[row.key[0], text]]}})

def named(row):
    return {{"Result": row["Name"] + " has " + row["Amount"]}}

def reject(row):
    raise batchbook.Rejected(TEXTS[int(row["Amount"]) - 1])
"""


@pytest.fixture
def echoing(folder: Folder) -> Folder:
    (folder.path / "echo.py").write_text(PROCESSOR)
    folder.make_book(range(1, len(TEXTS) + 1))
    return folder


def formulas(path: Path) -> list[str]:
    """Every formula of every sheet, as it stands in the file."""
    with zipfile.ZipFile(path) as archive:
        sheets = [name for name in archive.namelist() if name.startswith("xl/worksheets/")]
        return [found for name in sheets for found in re.findall(r"<f[ >/].*?>", archive.read(name).decode())]


def test_results_and_rows_of_an_own_sheet_are_text_as_it_was_given(echoing: Folder) -> None:
    echoing.make_job(processor="echo:Echo", writes=["Result"])
    called = echoing.run("run", "job.yaml", "--json")
    assert called.code == 0, called.err
    assert called.json["rows"]["done"] == len(TEXTS)
    assert formulas(echoing.book) == []
    book = openpyxl.load_workbook(echoing.book)
    for sheet, column in (("Data", "D"), ("Facts", "B")):
        cells = [book[sheet][f"{column}{row}"] for row in range(2, len(TEXTS) + 2)]
        assert {cell.data_type for cell in cells} <= {"s", "inlineStr"}
        assert [unescape(cell.value) for cell in cells] == list(TEXTS)
    # Read back as what was written: nothing differs on the next night.
    again = echoing.run("run", "job.yaml", "--json").json
    assert (again["rows"]["unchanged"], again["conflicts"], again["saves"]) == (len(TEXTS), 0, 0)


def test_reasons_are_text_in_cells_and_in_the_report(echoing: Folder) -> None:
    echoing.make_job(processor="echo:reject", writes=["Result"], marks={"reason": "Note", "status": "Checked"})
    called = echoing.run("run", "job.yaml", "--json")
    assert called.json["rows"]["rejected"] == len(TEXTS), called.err
    assert formulas(echoing.book) == []
    problems = json.loads(Path(called.json["report"]).read_text())["problems"]
    assert [one["reason"] for one in problems] == [" ".join(text.split()) for text in TEXTS]
    assert [unescape(row[5]) for row in echoing.cells()] == [" ".join(text.split()) for text in TEXTS]


def test_keys_of_an_input_and_conflicts_are_text_too(echoing: Folder) -> None:
    lines = [f'"=cmd|A{n}","=1+{n}",{n}' for n in range(1, 4)]
    (echoing.path / "in.csv").write_text("Key,Name,Amount\n" + "\n".join(lines) + "\n")
    echoing.make_job(input="in.csv", conflicts_sheet=True, processor="echo:named", writes=["Result"])
    called = echoing.run("run", "job.yaml", "--json")
    assert called.code == 0, called.err
    assert echoing.cells()[-1][0] == "=cmd|A3"
    assert echoing.cells()[-1][3] == "=1+3 has 3"
    book = openpyxl.load_workbook(echoing.book)
    book["Data"].cell(book["Data"].max_row, 4).value = "@mine"
    book.save(echoing.book)
    (echoing.path / "in.csv").write_text('Key,Name,Amount\n"=cmd|A3","=2+2",3\n')
    called = echoing.run("run", "job.yaml", "--json")
    assert called.json["conflicts"] == 1, called.err
    conflicts = echoing.cells("Conflicts")
    assert [conflicts[0][place] for place in (1, 4, 5)] == ["=cmd|A3", "@mine", "=2+2 has 3"]
    with zipfile.ZipFile(echoing.book) as archive:
        assert not [n for n in archive.namelist() if n.startswith("xl/worksheets/") and b"<f>" in archive.read(n)]


def test_what_a_run_changed_is_a_csv_file_in_which_no_text_begins_like_a_formula(echoing: Folder) -> None:
    echoing.make_job(processor="echo:Echo", writes=["Result"])
    book = openpyxl.load_workbook(echoing.book)
    book["Data"]["A2"].value, book["Data"]["A2"].data_type = "=K001", "s"
    book["Data"]["D3"] = -7
    book.save(echoing.book)
    assert echoing.run("run", "job.yaml").code == 0
    called = echoing.run("runs", "diff", "last", "--csv", "changes.csv")
    assert called.code == 0, called.err
    changes = echoing.run("runs", "diff", "last", "--json").json["changes"]
    assert f"{len(changes)} changes are in changes.csv" in called.out
    assert (echoing.path / "changes.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    with (echoing.path / "changes.csv").open(encoding="utf-8-sig", newline="") as opened:
        rows = list(csv.reader(opened))
    assert rows[0] == ["sheet", "row", "key", "column", "before", "after"]
    assert len(rows) == len(changes) + 1
    data, facts = ([row for row in rows if row[0] == sheet] for sheet in ("Data", "Facts"))
    assert data[0][:4] == ["Data", "2", "'=K001", "Result"]
    assert data[1][4] == "-7"
    assert [row[5].removeprefix("'") for row in data] == [text.removeprefix("'") for text in TEXTS]
    assert sorted(row[3] for row in facts) == ["rows"] * len(TEXTS)
    assert "K002 | '=1+1" in [row[5] for row in facts]
    for row in rows:
        assert not any(text.lstrip(" ").startswith(tuple("=+-@\t\r\n")) for text in (*row[:4], row[5]))
