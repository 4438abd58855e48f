"""Somebody who edits the sample workbook in a process of its own, at random moments, while a run is going.

Called as: person.py WORKBOOK HOW SEED STOP; it ends when there is a file STOP. HOW is "replace" (a new file is put in
the place of the old one) or "rude" (the file is truncated and written anew where it is, as openpyxl does). Prints, as
JSON, what was done to which package; a workbook that changed between being read and being written is read again, as
careful people would do.
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
import time
from pathlib import Path
from typing import Any

import openpyxl

HEADER = 3


def places(sheet: Any) -> tuple[dict[str, int], dict[str, int]]:
    """Columns by header and rows by package."""
    columns = {cell.value: cell.column for cell in sheet[HEADER] if cell.value is not None}
    rows = {}
    for row in range(HEADER + 1, sheet.max_row + 1):
        name = sheet.cell(row, columns["Package Name"]).value
        if name is not None:
            rows[name] = row
    return columns, rows


def edit(sheet: Any, choose: random.Random, done: dict[str, Any]) -> None:
    """One edit of one row, noted in `done`."""
    done["edits"] += 1
    number = done["edits"]
    columns, rows = places(sheet)
    name = choose.choice([one for one in rows if one not in done["deleted"]])
    what = choose.choice(["note", "note", "result", "delete", "insert", "column"])
    if what == "note":
        sheet.cell(rows[name], columns["Notes"], f"note {number}")
        done["notes"][name] = f"note {number}"
    elif what == "result":
        sheet.cell(rows[name], columns["Recommendation"], f"mine {number}")
        done["results"][name] = f"mine {number}"
    elif what == "delete":
        sheet.delete_rows(rows[name])
        done["deleted"].append(name)
        for kind in ("notes", "results"):
            done[kind].pop(name, None)
    elif what == "insert":
        sheet.insert_rows(rows[name])
        sheet.cell(rows[name], columns["Package Name"], f"new-package-{number}")
        done["inserted"].append(f"new-package-{number}")
    else:
        place = sheet.max_column + 1
        sheet.cell(HEADER, place, f"Theirs {number}")
        sheet.cell(rows[name], place, f"theirs {number}")
        done["columns"][f"Theirs {number}"] = (name, f"theirs {number}")


def digest(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


def attempt(path: Path, how: str, choose: random.Random, done: dict[str, Any]) -> bool:
    """Open, edit, save; gives whether the edit is in the file."""
    tried = json.loads(json.dumps(done))
    before = digest(path)
    book = openpyxl.load_workbook(path)
    for _ in range(choose.randint(1, 3)):
        edit(book["Packages"], choose, tried)
    aside = path.with_name("person.xlsx")
    book.save(aside)
    content = aside.read_bytes()
    if how == "replace":
        if digest(path) != before:
            return False
        aside.replace(path)
    else:
        aside.unlink()
        with path.open("r+b") as file:
            if hashlib.sha256(file.read()).digest() != before:
                return False
            file.seek(0)
            file.truncate()
            for start in range(0, len(content), 20_000):
                file.write(content[start : start + 20_000])
                file.flush()
                time.sleep(0.01)
    done.update(tried)
    return True


def main() -> None:
    path, how, seed, stop = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])
    choose = random.Random(seed)
    done: dict[str, Any] = {
        "edits": 0,
        "notes": {},
        "results": {},
        "deleted": [],
        "inserted": [],
        "columns": {},
        "saves": 0,
    }
    first = digest(path)
    while digest(path) == first and not stop.exists():
        time.sleep(0.01)  # the run has its rows once it has saved for the first time
    while not stop.exists():
        if attempt(path, how, choose, done):
            done["saves"] += 1
            time.sleep(choose.uniform(0.0, 0.3))
    print(json.dumps(done))


if __name__ == "__main__":
    main()
