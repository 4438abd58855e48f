"""What the README shows, run."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import openpyxl

from tests.integration.helpers import Folder

README = (Path(__file__).parents[2] / "README.md").read_text()


def example(name: str) -> str:
    found = re.search(rf"<!-- example: {re.escape(name)} -->\n```\w+\n(.*?)```", README, re.DOTALL)
    assert found, name
    return found[1]


def test_the_ten_line_processor_of_the_readme_runs(tmp_path: Path, new_folder: Callable[[str], Folder]) -> None:
    folder = new_folder("readme")
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for row in (["Order", "Amount", "Price", "Total"], ["A1", 3, 2.5], ["A2", "many", 1], ["A3", 4, None]):
        sheet.append(row)
    book.save(folder.path / "orders.xlsx")
    for name in ("orders_job.py", "orders.yaml"):
        (folder.path / name).write_text(example(name))
    called = folder.run("run", "orders.yaml", "--resume-auto", "--json")
    assert called.code == 3, called.err
    assert called.json["rows"] == {
        "selected": 3, "done": 1, "unchanged": 0, "rejected": 1, "unknown": 1, "failed": 0, "gone": 0,
    }  # fmt: skip
    found = openpyxl.load_workbook(folder.path / "orders.xlsx").worksheets[0]
    assert [cell.value for cell in found["D"]] == ["Total", 7.5, None, "?"]


def test_the_first_two_commands_of_the_readme_are_demo_and_test() -> None:
    commands = re.findall(r"^    (\S.*?)\s*(?:#.*)?$", README, re.MULTILINE)
    assert commands[:2] == ["make demo", "make test"]
