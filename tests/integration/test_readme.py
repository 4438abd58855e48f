"""What the README shows, run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import openpyxl

from tests.integration.helpers import Folder, command

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


def test_the_isbn_commands_of_the_readme_run_as_written(tmp_path: Path) -> None:
    script = f'set -eu\nbatchbook() {{ {shlex.join(command())} "$@"; }}\n{example("isbn.sh")}'
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BATCHBOOK_")}
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "scheduled 978-1-60889-000-2 for The River (paperback)" in done.stdout
    assert "reserved 978-1-60889-001-9" in done.stdout
    assert re.search(r"^run \S+ undone: ", done.stdout, re.MULTILINE)
    assert done.stdout.rstrip().endswith("isbn.xlsx: sound, 0 warnings")
    numbers = openpyxl.load_workbook(tmp_path / "press" / "data" / "isbn.xlsx")["ISBN Assignments"]
    found = {row[0]: row[1] for row in numbers.iter_rows(min_row=2, values_only=True) if row[0]}
    assert found["978-1-60889-000-2"] == "assigned"
    assert "978-1-60889-001-9" not in found
    assert (tmp_path / "press" / "isbn-report.xlsx").exists()


def test_the_first_two_commands_of_the_readme_are_demo_and_test() -> None:
    commands = re.findall(r"^    (\S.*?)\s*(?:#.*)?$", README, re.MULTILINE)
    assert commands[:2] == ["make demo", "make test"]
