"""What is shared by the verbs of all systems, seen with one that is not installed: a shelf of items and its log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer

from batchbook.cli import options
from batchbook.cli.listing import headers_of, line_of
from batchbook.cli.options import Changing, Shown, spread
from batchbook.cli.output import manner
from batchbook.cli.systems import JOBS, SYSTEMS, Installed, installed_jobs, systems_of, tell
from batchbook.config import load_base
from batchbook.errors import UsageError
from tests.batch.shelf import ITEMS, Bench, Item, Shelf

SHELF: Installed[Any] = Installed("shelf", "shelf", lambda base: Shelf())
HOW = Changing(user="ann", shown=Shown())
TRIED = Changing(user="ann", dry_run=True, shown=Shown())


@pytest.fixture(autouse=True)
def manner_of_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """How a call prints is set for the process, and must not be left to other tests."""
    for name in ("json", "csv", "verbose", "runs"):
        monkeypatch.setattr(manner, name, False)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The shelf of a folder that names its workbook."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "batchbook.yaml").write_text("workbooks: {shelf: shelf.xlsx}\n")
    Bench(tmp_path, [["00-01", "free"]])
    monkeypatch.chdir(tmp_path)
    return SHELF.desk(None)


def enter(workspace: Any, system: Any, actor: Any) -> Item:
    assert system.name == "shelf"
    found: Item = workspace.table(ITEMS).insert(Item(code="0002", state="free", title=f"of {actor.user}"))
    return found


def test_a_workbook_that_nobody_names_is_asked_for_in_the_words_of_its_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        SHELF.desk(None)
    assert caught.value.what == "No shelf workbook is named."
    assert "`workbooks: {shelf: data/shelf.xlsx}`" in caught.value.advice
    assert "`batchbook shelf new FILE`" in caught.value.advice


def test_the_workbook_given_counts_before_the_one_that_is_configured(desk: Any, tmp_path: Path) -> None:
    assert desk.workbook == tmp_path / "shelf.xlsx"
    assert SHELF.desk(Path("other.xlsx")).workbook == tmp_path / "other.xlsx"


def test_the_option_for_a_workbook_is_in_the_words_of_its_system(capsys: pytest.CaptureFixture[str]) -> None:
    def look(*, workbook: Annotated[Path | None, options.workbook("shelf", "shelf")] = None) -> None: ...

    app = typer.Typer(rich_markup_mode=None)
    app.command()(spread(look))
    app(["--help"], standalone_mode=False)
    shown = " ".join(capsys.readouterr().out.split())
    assert "The shelf workbook; left out: `workbooks: {shelf: ...}` of config/batchbook.yaml." in shown


def test_a_change_is_a_run_that_is_told_and_can_be_taken_back(desk: Any, capsys: pytest.CaptureFixture[str]) -> None:
    done = desk.change(HOW, "enter", enter, note="one more")
    tell(HOW, "enter", done, said="entered 00-02", record=line_of(ITEMS, done.value), more={})
    assert capsys.readouterr().out == (
        f"entered 00-02 (run {done.run}; `batchbook runs undo {done.run}` takes it back)\n"
    )
    assert desk.look().table(ITEMS).get("0002").title == "of ann"


def test_a_change_that_is_only_tried_says_so_and_leaves_the_workbook(
    desk: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    before = desk.workbook.read_bytes()
    done = desk.change(TRIED, "enter", enter)
    tell(TRIED, "enter", done, said="entered 00-02", record={}, more={})
    assert capsys.readouterr().out == "would be done: entered 00-02 (dry run; nothing was written)\n"
    assert desk.workbook.read_bytes() == before


def test_what_was_done_is_one_object_with_its_warnings(
    desk: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manner, "json", True)
    done = desk.change(HOW, "enter", enter)
    tell(HOW, "enter", done, said="", record={}, more={"item": line_of(ITEMS, done.value)}, warnings=["mind this"])
    out, err = capsys.readouterr()
    shown = json.loads(out)
    assert list(shown) == ["command", "run_id", "dry_run", "item", "warnings", "error"]
    assert shown["item"] == {"code": "00-02", "state": "free", "title": "of ann", "count": None, "notes": None}
    assert shown["warnings"] == ["mind this"] and err == "warning: mind this\n"


def test_rows_that_break_a_rule_are_counted_and_the_check_of_the_system_is_named(
    desk: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert desk.unsound(desk.look(), ITEMS) == 0 and capsys.readouterr().err == ""
    Bench(desk.workbook.parent, [["00-01", "free"], ["00-02", "lost"], ["x", "free"]])
    assert desk.unsound(desk.look(), ITEMS) == 2
    assert capsys.readouterr().err == (
        "warning: 2 rows break a rule and are not listed; `batchbook shelf check` names each\n"
    )


def test_the_columns_of_a_list_are_those_of_the_sheet() -> None:
    assert headers_of(ITEMS) == {
        "code": "Code", "state": "State", "title": "Title", "count": "Count", "notes": "Notes",
    }  # fmt: skip


def test_every_system_and_every_job_that_comes_along_is_found_by_its_name(tmp_path: Path) -> None:
    find = systems_of(load_base(tmp_path))
    for name in SYSTEMS:
        found = find(name)
        assert found is not None and found.name == name
    assert find("shelf") is None
    assert all(file.is_file() for file in installed_jobs().values())
    assert {job.partition("-")[0] for job in JOBS} <= set(SYSTEMS)
