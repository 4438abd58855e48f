import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from batchbook.cli import app as module
from batchbook.cli import run as run_module
from batchbook.cli.app import app, call
from batchbook.errors import WorkbookInUse
from batchbook.xlsx import inspect

VERBS = {
    "run": [],
    "runs": ["list", "show", "diff", "report", "undo", "reapply"],
    "checkpoints": ["list", "show", "validate", "clear"],
    "backups": ["list", "verify", "restore"],
    "init": [],
    "check": [],
    "unlock": [],
    "status": [],
}


def test_every_verb_has_help() -> None:
    runner = CliRunner()
    for verb, below in VERBS.items():
        for words in ([verb], *([verb, one] for one in below)):
            result = runner.invoke(app, [*words, "--help"])
            assert result.exit_code == 0, words
            assert "Usage: " in result.output
    shown = runner.invoke(app, ["--help"]).output
    assert all(verb in shown for verb in VERBS)


def test_run_has_every_option_of_the_interface() -> None:
    shown = CliRunner().invoke(app, ["run", "--help"]).output
    for option in (
        "--input", "--output", "--start-fresh", "--resume-auto", "--resume-from-row", "--resume-from-package",
        "--resume-from-batch", "--only-failed", "--strategy", "--batch-size", "--start-row", "--end-row", "--keys",
        "--on-change", "--force-continue", "--offline", "--dry-run", "--wait", "--json", "--quiet", "--verbose",
    ):  # fmt: skip
        assert option in shown, option


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Usage"),
        (["runn"], "runn"),
        (["run"], "JOB"),
        (["run", "a.yaml", "--start-fersh"], "--start-fresh"),
        (["run", "a.yaml", "--start-fresh", "--resume-auto"], "--start-fresh and --resume-auto do not go together"),
        (["run", "a.yaml", "--resume-from-row", "0"], "--resume-from-row"),
        (["run", "a.yaml", "--resume-from-package", "x"], "integer"),
        (["run", "a.yaml", "--strategy", "some"], "memory-adaptive"),
        (["run", "a.yaml", "--on-change", "mine"], "theirs"),
        (["run", "a.yaml", "--batch-size", "0"], "--batch-size"),
        (["run", "a.yaml", "--start-row", "9", "--end-row", "8"], "--start-row comes after --end-row"),
        (["run", "a.yaml", "--quiet", "--verbose"], "do not go together"),
        (["run", "nowhere.yaml"], "There is no file"),
        (["check", "nowhere.xlsx"], "nowhere.xlsx"),
        (["runs", "show"], "RUN"),
        (["backups"], "Usage"),
    ],
)
def test_bad_usage_is_exit_code_2_and_a_sentence(
    arguments: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(arguments) == 2
    out, err = capsys.readouterr()
    assert words in err
    assert "Traceback" not in err
    assert out == "" or arguments[0] == "check"
    assert not list(tmp_path.iterdir())


def test_with_json_bad_usage_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["run", "a.yaml", "--no-such-option", "--json"]) == 2
    shown = json.loads(capsys.readouterr().out)
    assert shown["status"] == "failed"
    assert shown["error"]["code"] == "usage"


def _failing(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object, **_more: object) -> int:
        raise error

    monkeypatch.setattr(run_module, "_run", fail)


def test_an_error_ends_with_its_exit_code_and_its_advice(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _failing(WorkbookInUse("Somebody has it.", "Close it."), monkeypatch)
    assert call(["run", "a.yaml"]) == 4
    assert capsys.readouterr().err == "batchbook: Somebody has it.\nClose it.\n"


def test_an_unexpected_error_is_a_sentence_and_a_traceback_only_when_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _failing(ZeroDivisionError("by zero"), monkeypatch)
    assert call(["run", "a.yaml", "--json"]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["error"]["code"] == "unexpected"
    assert "ZeroDivisionError: by zero" in err
    assert "Traceback" not in err
    assert call(["run", "a.yaml", "--verbose"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c_is_130(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_arguments: object, **_more: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_call", interrupted)
    assert call(["run", "a.yaml"]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_help_and_version_load_no_engine() -> None:
    heavy = ["pydantic", "openpyxl", "rich", "sqlite3", "batchbook.batch", "batchbook.storage", "batchbook.xlsx"]
    code = "import sys\nfrom batchbook.cli.app import call\ncall(['--version'])\n"
    code += f"print([name for name in {heavy} if name in sys.modules])\n"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1] == "[]"


# What the pipe's reader and the shell would do, without their timing: the reader is gone before the command starts.
def _unread(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        code = "from batchbook.cli import main; main()"
        return subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=folder, stdout=writing, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    finally:
        os.close(writing)


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_reader_that_has_gone_changes_no_exit_code(tmp_path: Path, more: list[str]) -> None:
    assert call(["init", str(tmp_path)]) == 0
    (tmp_path / "bad.xlsx").write_bytes(b"PK\3\4 half a file")
    bad = call(["check", str(tmp_path / "bad.xlsx")])
    assert bad == 5
    for arguments, code in (
        (["check", "data/example.xlsx"], 0),
        (["check", "bad.xlsx"], bad),
        (["run", "config/jobs/example.yaml"], 0),
        (["run", "config/jobs/none.yaml"], 2),
        (["--version"], 0),
    ):
        done = _unread([*arguments, *(more if arguments[0] != "--version" else [])], tmp_path)
        assert done.returncode == code, arguments
        assert "Broken pipe" not in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="needs a shell that closes streams")
@pytest.mark.parametrize("closed", [">&-", "<&- >&-", "<&- >&- 2>&-"])
def test_a_run_without_standard_streams_is_a_run(tmp_path: Path, closed: str) -> None:
    assert call(["init", str(tmp_path)]) == 0
    code = "from batchbook.cli import main; main()"
    command = f"exec {shlex.quote(sys.executable)} -c '{code}' run config/jobs/example.yaml --json {closed}"
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert inspect(tmp_path / "data" / "example.xlsx") == []
