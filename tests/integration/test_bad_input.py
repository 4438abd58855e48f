"""Bad input: a clear error with its exit code, no traceback, nothing written, nothing lost."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest

from tests.integration.helpers import Folder, command

OLE = bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 504 + "EncryptedPackage".encode("utf-16-le") + b"\0" * 2000


def remove(folder: Folder) -> None:
    folder.book.unlink()


def text(folder: Folder) -> None:
    folder.book.write_text("no workbook")


def encrypted(folder: Folder) -> None:
    folder.book.write_bytes(OLE)


def cut(folder: Folder) -> None:
    folder.book.write_bytes(folder.book.read_bytes()[:-100])


def other_zip(folder: Folder) -> None:
    with zipfile.ZipFile(folder.book, "w") as archive:
        archive.writestr("readme.txt", "no workbook either")


def folder_instead(folder: Folder) -> None:
    folder.book.unlink()
    folder.book.mkdir()


def no_sheet(folder: Folder) -> None:
    folder.make_job(sheet="Dta")


def no_header(folder: Folder) -> None:
    folder.make_job(writes=["Reslt", "Checked"])


def doubled_header(folder: Folder) -> None:
    book = openpyxl.load_workbook(folder.book)
    book["Data"]["H1"] = "Result"
    book.save(folder.book)


def unknown_key(folder: Folder) -> None:
    folder.make_job(wirtes=["Result"])


def wrong_value(folder: Folder) -> None:
    folder.make_job(on_problem="explode")


def no_yaml(folder: Folder) -> None:
    (folder.path / "job.yaml").write_text("job: [small\nworkbook: book.xlsx\n")


def no_module(folder: Folder) -> None:
    folder.make_job(processor="nowhere:work")


def no_function(folder: Folder) -> None:
    folder.make_job(processor="small_steps:wrok")


def broken_module(folder: Folder) -> None:
    (folder.path / "small_steps.py").write_text("def work(row:\n")


def raising_module(folder: Folder) -> None:
    (folder.path / "small_steps.py").write_text("1 / 0\n")


def bad_keys(folder: Folder) -> None:
    folder.make_job(on_bad_key="refuse")
    book = openpyxl.load_workbook(folder.book)
    book["Data"]["A4"] = "K001"
    book["Data"]["A6"] = None
    book.save(folder.book)


CASES: list[tuple[Callable[[Folder], None], int, list[str]]] = [
    (remove, 2, ["book.xlsx"]),
    (text, 5, ["book.xlsx"]),
    (encrypted, 5, ["book.xlsx", "encrypted"]),
    (cut, 5, ["book.xlsx"]),
    (other_zip, 5, ["book.xlsx"]),
    (folder_instead, 5, ["book.xlsx"]),
    (no_sheet, 2, ["'Dta'", "Data"]),
    (no_header, 2, ["'Reslt'", "'Result'", "row 1", "sheet Data"]),
    (doubled_header, 2, ["'Result'", "D, H"]),
    (unknown_key, 2, ["wirtes", "writes", "job.yaml"]),
    (wrong_value, 2, ["on_problem", "clear", "keep", "job.yaml"]),
    (no_yaml, 2, ["job.yaml", "line"]),
    (no_module, 2, ["nowhere"]),
    (no_function, 2, ["wrok", "work"]),
    (broken_module, 2, ["small_steps", "SyntaxError", ":1"]),
    (raising_module, 2, ["small_steps", "ZeroDivisionError", ":1"]),
]


def everything(folder: Path) -> dict[str, bytes | None]:
    """Every file and folder below, with content; what a run may always make (its log, Python's caches) left out."""
    skipped = ("__pycache__", "logs")
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
        if not any(part in skipped for part in path.parts) and path.name != "data"
    }


@pytest.mark.parametrize(("spoil", "code", "words"), CASES, ids=[case[0].__name__ for case in CASES])
def test_bad_input_is_named_and_nothing_is_written(
    folder: Folder, spoil: Callable[[Folder], None], code: int, words: list[str]
) -> None:
    spoil(folder)
    before = everything(folder.path)
    called = folder.run("run", "job.yaml", "--start-fresh", "--json")
    assert called.code == code, called.err
    assert "Traceback" not in called.err
    assert called.json["error"]["what"]
    assert called.json["error"]["advice"]
    said = called.out + called.err
    assert not [word for word in words if word not in said], said
    assert everything(folder.path) == before


def test_all_places_of_empty_and_doubled_keys_are_named(folder: Folder) -> None:
    bad_keys(folder)
    said = folder.run("run", "job.yaml", "--start-fresh").err
    assert "stands in 2 rows: 2, 4" in said
    assert "row 6" in said
    assert "empty" in said


def test_rows_with_bad_keys_are_rejected_alone_where_the_job_says_so(folder: Folder) -> None:
    bad_keys(folder)
    folder.make_job(on_bad_key="reject")
    called = folder.run("run", "job.yaml", "--json")
    assert called.code == 3, called.err
    assert called.json["rows"]["rejected"] == 3
    assert called.json["rows"]["done"] == called.json["rows"]["selected"] - 3


def test_a_folder_that_cannot_be_written_is_an_error_with_advice(folder: Folder) -> None:
    line = [*command(), "run", "job.yaml", "--start-fresh", "--json"]
    if os.getuid() == 0:  # root may write everywhere, unless it gives up that right
        if shutil.which("setpriv") is None:
            pytest.skip("root without setpriv can write everywhere")
        line = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *line]
    before = everything(folder.path)
    folder.path.chmod(0o500)
    try:
        ended = subprocess.run(
            line, cwd=folder.path, env=folder._environment({}), capture_output=True, text=True, timeout=60, check=False
        )
    finally:
        folder.path.chmod(0o700)
    assert ended.returncode in (1, 4), ended.stderr
    assert "writ" in json.loads(ended.stdout)["error"]["advice"]
    assert "Traceback" not in ended.stderr
    assert everything(folder.path) == before


def test_wrong_types_in_rows_fail_those_rows_only(folder: Folder) -> None:
    folder.make_book([1, "two", 3])
    called = folder.run("run", "job.yaml", "--json")
    assert called.code == 3
    assert (called.json["rows"]["done"], called.json["rows"]["failed"]) == (2, 1)


def test_a_workbook_that_is_missing_is_named_with_its_newest_backup(folder: Folder) -> None:
    remove(folder)
    called = folder.run("run", "job.yaml", "--start-fresh")
    assert (called.code, "backup" in called.err) == (2, False)
    folder.make_book(range(1, 13))
    assert folder.run("run", "job.yaml", "--start-fresh").code == 0
    remove(folder)
    called = folder.run("run", "job.yaml", "--resume-auto")
    assert called.code == 2, called.err
    assert "There is no workbook" in called.err
    restore = re.search("`batchbook (backups restore [^`]*)`", called.err)
    assert restore is not None, called.err
    assert folder.run(*restore[1].split()).code == 0
    assert folder.run("run", "job.yaml", "--resume-auto").code == 0
