"""Questions to a person at the terminal."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Literal, NoReturn

from batchbook.batch.start import MismatchChoice, OnChange, ResumeSummary, StartChoice, WorkbookDifference
from batchbook.cli.output import manner, say
from batchbook.errors import ChoiceNeeded, UsageError

Ask = Callable[[str], str]


@contextmanager
def _signals_end_the_question() -> Iterator[None]:
    """While a run waits for an answer, a signal ends it: there is nothing in hand that it could finish first."""

    def leave(number: int, _frame: FrameType | None) -> NoReturn:
        print()
        raise SystemExit(128 + number)

    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, leave) for number in (getattr(signal, name) for name in names)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ask(question: str) -> str:
    """One answer; nobody there any more counts as ``cancel``."""
    with _signals_end_the_question():
        line = typed(question)
    if not line:
        print()
    return line.strip().lower() if line else "cancel"


def typed(question: str) -> str:
    """The line that a person types, with its end; empty where nobody can type any more."""
    print(question, end="", flush=True)
    # A signal that comes just before a blocking read would wait for the next key; looking again and again sees it.
    while os.name == "posix" and not select.select([sys.stdin], [], [], 0.2)[0]:
        pass
    return sys.stdin.readline()


def choose(choices: Mapping[str, str], default: str, answer: Ask = ask) -> str:
    """One of the choices, by its name or an unambiguous beginning of it."""
    width = max(map(len, choices))
    for name, meaning in choices.items():
        say(f"  {name.ljust(width)}  {meaning}{' (Enter)' if name == default else ''}")
    while True:
        given = answer(f"Choice [{default}]: ") or default
        found = [name for name in choices if name.startswith(given)]
        if given in choices or len(found) == 1:
            return given if given in choices else found[0]
        say(f"Please answer one of: {', '.join(choices)}.")


def ask_number(question: str, largest: int | None, answer: Ask = ask) -> int | None:
    """A whole number from 1, or None where the person gives up."""
    while True:
        given = answer(question)
        if given in ("", "cancel"):
            return None
        if given.isdecimal() and 1 <= int(given) <= (largest or int(given)):
            return int(given)
        say(f"Please give a whole number from 1{f' to {largest}' if largest else ''}, or nothing to go back.")


def confirm(question: str, answer: Ask = ask) -> bool:
    """Yes or no; no by default."""
    return answer(f"{question} [y/N] ") in ("y", "yes")


class TerminalDecisions:
    """Asks the person at the terminal how a run starts."""

    def __init__(self, answer: Ask = ask) -> None:
        self._answer = answer

    def start(self, found: ResumeSummary) -> StartChoice:
        """A checkpoint exists: what now?"""
        say("An unfinished run was found:")
        for line in found.lines:
            say(f"  {line}")
        if len(found.checkpoints) > 1:
            say("Its checkpoints:")
            for line in found.checkpoints:
                say(f"  {line}")
        choices = {
            "resume": "go on where it stopped",
            "fresh": "start anew; what it did stays in the history",
            "row": "go on from a row that you name",
            "batch": "go on from a batch that you name",
            "cancel": "leave everything as it is",
        }
        while True:
            chosen = choose(choices, "resume", self._answer)
            if chosen in ("row", "batch"):
                point = self._point("row" if chosen == "row" else "batch", found)
                if point is None:
                    continue
                return point
            return "fresh" if chosen == "fresh" else "resume" if chosen == "resume" else "cancel"

    def _point(self, kind: Literal["row", "batch"], found: ResumeSummary) -> StartChoice | None:
        largest = found.selected if kind == "row" else max(found.batches, 1)
        number = ask_number(f"Number of the {kind} (1 to {largest}): ", largest, self._answer)
        return None if number is None else (kind, number)

    def changed(self, found: ResumeSummary, difference: WorkbookDifference) -> OnChange | Literal["cancel"]:
        """The workbook was changed since the checkpoint: what counts?"""
        say(f"The workbook was changed since run {found.run} stopped:")
        for line in difference.lines:
            say(f"  {line}")
        choices = {
            "merge": "keep people's edits, go on with the rest; conflicts are listed",
            "theirs": "the workbook counts: results that people changed stay theirs",
            "checkpoint": "the run counts: its results are written again over later edits",
            "cancel": "leave everything as it is",
        }
        chosen = choose(choices, "merge", self._answer)
        by_name: dict[str, OnChange | Literal["cancel"]] = {
            "merge": "merge",
            "theirs": "theirs",
            "checkpoint": "checkpoint",
        }
        return by_name.get(chosen, "cancel")

    def mismatch(self, expected: str, current: str) -> MismatchChoice:
        """The workbook is not in the state expected at the point asked for."""
        say("The workbook is not in the state expected there:")
        say(f"  expected: {expected}")
        say(f"  current:  {current}")
        choices = {
            "force": "go on all the same",
            "fresh": "start anew",
            "cancel": "leave everything as it is",
        }
        chosen = choose(choices, "cancel", self._answer)
        return "force" if chosen == "force" else "fresh" if chosen == "fresh" else "cancel"


def confirm_or_refuse(question: str, *, yes: bool, answer: Ask = ask) -> None:
    """Go on only with ``--yes`` or a person's yes; where nobody can be asked, say what to give."""
    if yes:
        return
    if manner.json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ChoiceNeeded(f"{question} There is nobody to ask.", "Give --yes.")
    if not confirm(question, answer):
        raise UsageError("Left as it was.", "")
