"""What the other documents show, run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import openpyxl

from tests.integration.helpers import Folder

DOCS = Path(__file__).parents[2] / "docs"
RECORD = {
    "id": "PYSEC-2018-28",
    "modified": "2024-01-01T00:00:00Z",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "requests"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.20.0"}]}],
        }
    ],
}


def test_the_job_for_an_own_workbook_reviews_it(new_folder: Callable[[str], Folder]) -> None:
    folder = new_folder("tools")
    found = re.search(
        r"<!-- example: tools.yaml -->\n```yaml\n(.*?)```", (DOCS / "package-review.md").read_text(), re.S
    )
    assert found
    (folder.path / "tools.yaml").write_text(found[1])
    (folder.path / "advisories.json").write_text(json.dumps(RECORD))
    book = openpyxl.Workbook()
    for row in (
        ["Owner", "In use", "Library", "Verdict", "Fixed in", "State", "Why", "Checked"],
        ["Ann", "2.19.0", "requests"],
        ["Bob", "1.0", "other"],
        ["Bob", 1.26, "urllib3"],
    ):
        book.worksheets[0].append(row)
    book.save(folder.path / "tools.xlsx")
    called = folder.run("run", "tools.yaml", "--resume-auto", "--json")
    assert called.code == 0, called.err
    sheets = openpyxl.load_workbook(folder.path / "tools.xlsx")
    _, *rows = sheets.worksheets[0].iter_rows(values_only=True)
    assert [row[:3] for row in rows] == [
        ("Ann", "2.19.0", "requests"),
        ("Bob", "1.0", "other"),
        ("Bob", 1.26, "urllib3"),
    ]
    assert [str(row[3]).partition(":")[0] for row in rows] == [
        "SECURITY RISK (1)",
        "PROCEED (latest not checked)",
        "UNKNOWN",
    ]
    assert [row[4:6] for row in rows] == [("2.20.0", "done"), ("not affected", "done"), ("unknown", "unknown")]
    assert "is a number" in str(rows[2][6])
    assert len(list(sheets["Advisories"].iter_rows())) == 2
