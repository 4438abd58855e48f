"""`batchbook isbn`: its verbs, their help, and what is refused before anything is read."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from batchbook.cli.app import app, call
from batchbook.cli.output import manner
from batchbook.cli.places import who
from batchbook.errors import UsageError

VERBS = (
    "new", "add-block", "blocks", "schedule", "assign", "reserve", "release", "update", "cancel", "publish", "list",
    "show", "search", "upcoming", "report", "bulk", "adopt", "assign-due", "check",
)  # fmt: skip
CHANGING = ("add-block", "schedule", "assign", "reserve", "release", "update", "cancel", "publish", "adopt")


@pytest.fixture(autouse=True)
def manner_of_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """How a call prints is set for the process, and must not be left to other tests."""
    for name in ("json", "csv", "verbose", "runs"):
        monkeypatch.setattr(manner, name, False)


def shown_help(*words: str) -> str:
    result = CliRunner().invoke(app, ["isbn", *words, "--help"])
    assert result.exit_code == 0, words
    return result.output


def examples(text: str) -> list[str]:
    """The commands below the word Examples."""
    return re.findall(r"^    (batchbook isbn .*)$", text.partition("Examples:")[2], re.MULTILINE)


def test_the_group_lists_every_verb() -> None:
    listed = re.findall(r"^  ([a-z-]+)  ", shown_help(), re.MULTILINE)
    assert sorted(listed) == sorted(VERBS)


def test_the_verbs_of_the_group_are_in_the_list_of_all() -> None:
    assert re.search(r"^  isbn  +\S", CliRunner().invoke(app, ["--help"]).output, re.MULTILINE)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_examples_that_its_parser_takes(verb: str) -> None:
    found = examples(shown_help(verb))
    assert found
    group = typer.main.get_command(app).get_command(None, "isbn")  # type: ignore[arg-type,attr-defined]
    for line in found:
        for part in line.split("&&"):
            words = shlex.split(part.partition(">")[0])
            assert words[:2] == ["batchbook", "isbn"]
            group.get_command(None, words[2]).make_context(words[2], words[3:])


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "new"])
def test_every_verb_takes_a_workbook_and_prints_in_three_formats(verb: str) -> None:
    shown = shown_help(verb)
    assert "--workbook" in shown
    assert "--format <table|json|csv>" in shown
    assert "--json" in shown


@pytest.mark.parametrize("verb", CHANGING)
def test_every_verb_that_changes_something_says_who_waits_and_can_be_tried(verb: str) -> None:
    shown = shown_help(verb)
    assert all(option in shown for option in ("--user", "--wait", "--dry-run"))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("isbn", "Usage"),
        ("isbn asign", "assign"),
        ("isbn list", "No ISBN workbook is named"),
        ("isbn list --workbook nowhere.xlsx", "nowhere.xlsx"),
        ("isbn list --format paper", "table"),
        ("isbn list --format csv --json", "do not go together"),
        ("isbn list --limit 0", "--limit"),
        ("isbn schedule --title T", "--book-id"),
        ("isbn reserve --reason R 978-1-60888-000-3 --block B", "do not go together"),
        ("isbn reserve", "--reason"),
        ("isbn cancel 978-1-60888-000-3", "--reason"),
        ("isbn update 978-1-60888-000-3", "Nothing to change"),
        ("isbn assign", "ISBN"),
        ("isbn assign 978-1-60888-000-3 --user ''", "--workbook"),
        ("isbn report --to r.xlsx --format csv", "do not go together"),
        ("isbn upcoming --days -1", "--days"),
        ("isbn new book.xls", ".xlsx"),
        ("isbn new /dev/null/book.xlsx", "cannot be made"),
        ("isbn bulk rows.csv", "No ISBN workbook is named"),
        ("isbn bulk rows.csv --workbook nowhere.xlsx", "rows.csv"),
        ("isbn bulk rows.csv --quiet --verbose --workbook nowhere.xlsx", "do not go together"),
        ("isbn assign-due --workbook nowhere.xlsx", "nowhere.xlsx"),
        ("isbn adopt list.csv --workbook nowhere.xlsx", "nowhere.xlsx"),
    ],
)
def test_bad_usage_is_exit_code_2_and_a_sentence(
    line: str, words: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(shlex.split(line)) == 2
    out, err = capsys.readouterr()
    assert words in out + err
    assert "Traceback" not in err
    # A job has a log of its own, as `run` has.
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] in ([], ["batchbook.log"])


@pytest.mark.parametrize("line", ["isbn list", "isbn assign", "isbn assign x --workbook nowhere.xlsx"])
@pytest.mark.parametrize("option", ["--json", "--format json", "--format=json"])
def test_an_error_is_one_object_where_json_is_asked_for(
    line: str, option: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(shlex.split(f"{line} {option}")) == 2
    shown = json.loads(capsys.readouterr().out)
    assert set(shown) == {"error"}
    assert set(shown["error"]) >= {"code", "what", "advice"}


@pytest.mark.parametrize("verb", ["bulk rows.csv", "assign-due"])
def test_an_error_of_a_job_has_the_fields_of_a_run(
    verb: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(shlex.split(f"isbn {verb} --json")) == 2
    shown = json.loads(capsys.readouterr().out)
    assert shown["status"] == "failed"
    assert shown["rows"]["selected"] == 0
    assert shown["error"]["what"] == "No ISBN workbook is named."


def test_a_name_is_the_one_given_or_the_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    assert who(" ann ") == "ann"
    monkeypatch.setattr("getpass.getuser", lambda: "bob")
    assert who(None) == "bob"
    with pytest.raises(UsageError, match="--user is empty"):
        who(" ")


def test_a_user_without_a_name_is_called_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert who(None) == "unknown"


def loaded_by(*words: str) -> list[str]:
    """The modules that a call loads."""
    code = "import sys; from batchbook.cli.app import call; call(sys.argv[1:]); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    modules = done.stdout.splitlines()[-1].split()
    assert "batchbook.cli.app" in modules
    return modules


def test_other_verbs_do_not_load_what_the_group_needs() -> None:
    assert [name for name in loaded_by("status", "--help") if "isbn" in name or name == "openpyxl"] == []


def test_help_of_a_verb_loads_neither_the_engine_nor_the_reader() -> None:
    heavy = ("batchbook.batch", "batchbook.xlsx", "openpyxl")
    assert [name for name in loaded_by("isbn", "schedule", "--help") if name.startswith(heavy)] == []


@pytest.mark.parametrize("words", [("isbn", "list"), ("isbn", "assign", "9781608880003")])
def test_an_interrupted_command_says_so_and_that_nothing_was_changed(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for name in ("look", "run_command"):
        monkeypatch.setattr(f"batchbook.batch.command.{name}", interrupted)
    assert call([*words, "--workbook", str(tmp_path / "isbn.xlsx")]) == 130
    assert capsys.readouterr().err == "batchbook: interrupted; nothing was changed\n"


def test_a_command_interrupted_after_it_decided_does_not_say_that_nothing_was_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_base: object, _workbook: object, _system: object, _verb: str, act: object, **__: object) -> None:
        act("workspace", "actor")  # type: ignore[operator]
        raise KeyboardInterrupt

    monkeypatch.setattr("batchbook.batch.command.run_command", interrupted)
    monkeypatch.setattr("batchbook.isbn.service.assign", lambda *_, **__: None)
    assert call(["isbn", "assign", "9781608880003", "--workbook", str(tmp_path / "isbn.xlsx")]) == 130
    said = capsys.readouterr().err
    assert "nothing was changed" not in said and "runs list" in said
