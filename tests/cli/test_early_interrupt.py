"""Ctrl-C before a command has begun, while its modules are loaded: one line and exit code 130, never a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

INTERRUPTING = """
import signal, sys
import batchbook.cli

signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may have it ignored

class Interrupting:
    '''Presses Ctrl-C when a module is about to be loaded.'''
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            for _ in range({times}):
                exec("signal.raise_signal(signal.SIGINT)")

{before}
sys.meta_path.insert(0, Interrupting())
sys.argv = ["batchbook", *{arguments!r}]
batchbook.cli.main()
"""
FIRST_LINE = "batchbook: interrupted; nothing was changed\n"


def interrupted(
    folder: Path, module: str, *arguments: str, times: int = 1, before: str = ""
) -> subprocess.CompletedProcess[str]:
    code = INTERRUPTING.format(module=module, times=times, before=before, arguments=arguments)
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("module", ["batchbook.errors", "typer", "batchbook.cli.app", "batchbook.cli.runs"])
def test_while_the_command_line_is_loaded_it_is_one_line_and_nothing_is_begun(tmp_path: Path, module: str) -> None:
    done = interrupted(tmp_path, module, "init", "new")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", FIRST_LINE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["status", "--json"], ["run", "job.yaml", "--json"]])
def test_with_json_it_is_the_one_object(tmp_path: Path, arguments: list[str]) -> None:
    done = interrupted(tmp_path, "typer", *arguments)
    assert (done.returncode, done.stderr) == (130, FIRST_LINE)
    told = json.loads(done.stdout)
    assert told["error"] == {"code": "interrupted", "what": "Interrupted; nothing was changed.", "advice": ""}
    assert ("run_id" in told) == (arguments[0] == "run")


def test_a_second_one_does_not_wait_for_the_rest_to_be_loaded(tmp_path: Path) -> None:
    done = interrupted(tmp_path, "typer", "status", "--json", times=2)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", FIRST_LINE)


def test_while_a_verb_loads_what_it_needs_it_is_one_line_and_the_same_exit_code(tmp_path: Path) -> None:
    done = interrupted(tmp_path, "batchbook.cli.isbn", "isbn", "blocks")
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.splitlines() == ["batchbook: interrupted"]


def test_who_has_it_ignored_is_not_stopped(tmp_path: Path) -> None:
    done = interrupted(tmp_path, "typer", "--version", before="signal.signal(signal.SIGINT, signal.SIG_IGN)")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("batchbook ")


def test_little_is_loaded_before_it_is_held_back() -> None:
    code = "import sys; before = set(sys.modules); import batchbook.cli; print(*sorted(set(sys.modules) - before))"
    shown = subprocess.run([sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {code}"],
                           capture_output=True, text=True, check=True).stdout  # fmt: skip
    loaded = set(shown.split())
    assert not {"typing", "json", "re", "dataclasses", "contextlib", "importlib.util"} & loaded, loaded
