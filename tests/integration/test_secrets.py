"""A secret from the environment reaches the processor and nothing else: no file, no output, on no path."""

from __future__ import annotations

import signal
import sqlite3
import zipfile
from pathlib import Path

import pytest

from tests.integration.helpers import Called, Folder

KEY = 'k3y-"Zx/9+marker'
TOKEN = "t0ken-marker-8812"
MARKS = ("Zx/9+marker", "Zx%2F9", "t0ken-marker", "8812")

PROCESSOR = """
import logging, os, signal
import batchbook
from pydantic import BaseModel

class Options(BaseModel):
    model_config = {"extra": "forbid"}
    api_key: str
    header: list[str] = []
    limit: int = 0

class Ask(batchbook.Processor):
    Options = Options
    writes = ("Result",)

    def __init__(self, options, context):
        super().__init__(options, context)
        logging.getLogger("batchbook.ask").error("asking with %s and %r", options.api_key, options.header)
        if os.environ.get("TEST_BREAK") == "making":
            raise RuntimeError(f"no route with {options.api_key}")

    def process(self, row):
        key, how = self.options.api_key, row["Name"]
        token = os.environ["BATCHBOOK_SECRET_TOKEN"]
        assert self.options.header == [f"Bearer {token}", "${plain}"]
        if os.environ.get("TEST_BREAK") == "dying":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "raise":
            raise OSError(f"https://host/?key={key} said no to {token}")
        if how == "reject":
            raise batchbook.Rejected(f"rejected with {key!r}")
        if how == "unknown":
            raise batchbook.Unknown(f"unknown with {token}", Result="?")
        if how == "write":
            return {"Result": f"asked with {key}"}
        if how == "link":
            return {"Result": batchbook.Link(f"https://host/?key={token}", "here")}
        return {"Result": f"{len(key)} letters"}
"""


@pytest.fixture
def asking(folder: Folder) -> Folder:
    (folder.path / "asking.py").write_text(PROCESSOR)
    folder.make_job(
        processor="asking:Ask", writes=["Result"], marks={"reason": "Note"},
        options={"api_key": "${MY_KEY}", "header": ["Bearer ${BATCHBOOK_SECRET_TOKEN}", "$${plain}"]},
    )  # fmt: skip
    folder.environment = {"MY_KEY": KEY, "BATCHBOOK_SECRET_TOKEN": TOKEN}
    named(folder, ["fine", "raise", "reject", "unknown", "write", "link"])
    return folder


def named(folder: Folder, names: list[str]) -> None:
    import openpyxl

    folder.make_book(range(1, len(names) + 1))
    book = openpyxl.load_workbook(folder.book)
    for row, name in enumerate(names, 2):
        book["Data"].cell(row, 2, name)
    book.save(folder.book)


def leaks(folder: Folder, *calls: Called) -> list[str]:
    """Every place that holds a part of a secret, the content of archives and of the ledger included."""
    texts = {f"output {n}": (call.out + call.err).encode() for n, call in enumerate(calls)}
    for path in folder.path.rglob("*"):
        if path.is_file() and path.name != "asking.py" and path.suffix != ".pyc":
            texts[str(path)] = path.read_bytes()
            if path.suffix == ".xlsx":
                with zipfile.ZipFile(path) as archive:
                    texts |= {f"{path}/{name}": archive.read(name) for name in archive.namelist()}
    ledger = folder.path / "data" / "checkpoints" / "ledger.db"
    if ledger.exists():
        connection = sqlite3.connect(ledger)
        texts["ledger"] = "\n".join(connection.iterdump()).encode()
        connection.close()
    return [f"{mark} in {place}" for place, text in texts.items() for mark in MARKS if mark.encode() in text]


def test_the_processor_gets_it_and_rows_that_would_show_it_say_that_they_failed(asking: Folder) -> None:
    called = asking.run("run", "job.yaml", "--json", "--verbose")
    assert called.code == 3, called.err
    rows = called.json["rows"]
    assert (rows["done"], rows["rejected"], rows["unknown"], rows["failed"]) == (1, 1, 1, 3)
    cells = {row[1]: row for row in asking.cells()}
    assert cells["fine"][3] == f"{len(KEY)} letters"
    assert cells["raise"][5] == "OSError: https://host/?key=*** said no to ***"
    assert cells["write"][5] == "the value for 'Result' holds a secret from the environment; it is not written"
    assert cells["link"][5] == cells["write"][5]
    assert leaks(asking, called) == []


@pytest.mark.parametrize("more", [[], ["--verbose"], ["--json"], ["--dry-run", "--json"], ["--dry-run"]])
def test_no_manner_of_output_shows_it(asking: Folder, more: list[str]) -> None:
    calls = [asking.run("run", "job.yaml", *more)]
    if "--dry-run" not in more:
        calls += [asking.run("runs", verb, "last", "--json") for verb in ("show", "diff", "undo")]
        calls += [asking.run("runs", "diff", "last", "--csv", "changes.csv")]
        calls += [asking.run("runs", "list"), asking.run("status"), asking.run("backups", "list", "book.xlsx")]
    shown = [call.out + call.err for call in calls]
    assert any("***" in text for text in shown)
    assert leaks(asking, *calls) == []


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"options": {"api_key": "${MY_KEY}", "limit": "${MY_KEY}"}}, 2, "options.limit"),
        ({"options": {"api_key": "${MY_KEY}", "unknown": "x ${BATCHBOOK_SECRET_TOKEN}"}}, 2, "options.unknown"),
        ({"options": {"api_key": "${NOT_SET_ANYWHERE}"}}, 2, "'NOT_SET_ANYWHERE', which is not set"),
    ],
)
def test_options_that_do_not_fit_are_named_without_it(
    asking: Folder, changes: dict[str, object], code: int, said: str
) -> None:
    asking.make_job(processor="asking:Ask", writes=["Result"], **changes)
    called = asking.run("run", "job.yaml", "--verbose")
    assert called.code == code, called.err
    assert said in called.err
    assert leaks(asking, called) == []


def test_a_processor_that_cannot_be_made_says_why_without_it(asking: Folder) -> None:
    for more in ([], ["--verbose"], ["--json"]):
        called = asking.run("run", "job.yaml", *more, TEST_BREAK="making")
        assert called.code == 2
        assert "no route with ***" in called.err
        assert leaks(asking, called) == []


def test_a_killed_run_and_its_resume_leave_no_trace_of_it(asking: Folder) -> None:
    called = asking.run("run", "job.yaml", TEST_BREAK="dying")
    assert called.code == -signal.SIGKILL
    assert leaks(asking, called) == []
    # Another secret is no other job: the run goes on.
    resumed = asking.run("run", "job.yaml", "--resume-auto", "--json", MY_KEY="another-" + KEY)
    assert resumed.json["resumed"] is not None
    assert leaks(asking, resumed) == []


def test_the_log_has_what_the_processor_logged_without_it(asking: Folder) -> None:
    asking.run("run", "job.yaml")
    assert "asking with *** and ['Bearer ***', '${plain}']" in (asking.path / "data/logs/batchbook.log").read_text()


def test_a_setting_that_cannot_be_read_does_not_show_it(asking: Folder) -> None:
    called = asking.run("run", "job.yaml", "--verbose", BATCHBOOK_OPTIONS=f"{{a: {TOKEN}, a: [}}")
    assert called.code == 2
    assert "BATCHBOOK_OPTIONS" in called.err
    assert leaks(asking, called) == []


def test_processes_and_files_that_are_not_ours_are_where_it_is(asking: Folder) -> None:
    """That the search finds what is there to be found."""
    Path(asking.path / "found.txt").write_text(TOKEN)
    assert len(leaks(asking)) == 2
