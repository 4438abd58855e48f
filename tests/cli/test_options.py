"""Groups of options: what the parser sees of them, and what a verb gets."""

from __future__ import annotations

from dataclasses import dataclass
from inspect import signature
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from batchbook.cli.listing import Formats
from batchbook.cli.options import Changing, Looking, Shown, spread
from batchbook.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Inner:
    colour: Annotated[str, typer.Option("--colour", help="Which colour.")] = "red"


@dataclass(frozen=True, kw_only=True)
class Outer:
    size: Annotated[int, typer.Option("--size", help="How large.")]
    inner: Inner


def paint(
    *,
    thing: Annotated[str, typer.Argument(help="What.")],
    coats: Annotated[int, typer.Option(help="How often.")] = 1,
    outer: Outer,
    dry: Annotated[bool, typer.Option("--dry", help="Only say so.")] = False,
) -> None:
    """Paint a thing."""
    print(thing, coats, outer, dry)


def called(verb: Any, *words: str) -> Any:
    app = typer.Typer(rich_markup_mode=None)
    app.command()(spread(verb))
    return CliRunner().invoke(app, words)


def test_the_options_of_groups_stand_in_their_place_with_their_own_defaults() -> None:
    found = signature(spread(paint)).parameters
    assert list(found) == ["thing", "coats", "size", "colour", "dry"]
    assert found["colour"].default == "red" and found["size"].default is found["size"].empty


def test_the_help_is_that_of_the_verb_with_all_options_in_order() -> None:
    shown = called(paint, "--help").output
    assert "Paint a thing." in shown
    places = [shown.index(words) for words in ("What.", "How often.", "How large.", "Which colour.", "Only say so.")]
    assert places == sorted(places)


def test_a_verb_gets_its_groups_with_what_was_given() -> None:
    done = called(paint, "door", "--colour", "green", "--size", "3", "--dry")
    assert done.output == "door 1 Outer(size=3, inner=Inner(colour='green')) True\n"


def test_an_option_of_a_group_that_is_needed_is_asked_for() -> None:
    done = called(paint, "door")
    assert done.exit_code == 2 and "--size" in done.output


def test_what_a_group_refuses_is_refused_before_the_verb_is_called() -> None:
    ran = []

    def verb(*, how: Looking) -> None:
        ran.append(how)

    refused = called(verb, "--json", "--format", "csv")
    assert isinstance(refused.exception, UsageError) and "do not go together" in refused.exception.what
    assert ran == []
    assert called(verb, "--format", "csv").exit_code == 0
    assert ran == [Looking(shown=Shown(format=Formats.CSV))]


def test_verbs_of_every_system_are_called_with_the_same_options_in_the_same_order() -> None:
    def verb(*, how: Changing) -> None: ...

    assert list(signature(spread(verb)).parameters) == ["workbook", "user", "wait", "dry_run", "format", "json"]


def test_two_formats_at_once_are_refused() -> None:
    with pytest.raises(UsageError, match="do not go together"):
        Shown(format=Formats.CSV, json=True)
