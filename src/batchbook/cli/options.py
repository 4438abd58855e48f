"""Options that several verbs share, and groups of options that verbs take as one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, TypeAlias, get_type_hints

import typer

from batchbook.cli.listing import Format, Formats, check_format
from batchbook.cli.places import WAIT_SECONDS

Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", help="Print only warnings and errors.")]
Verbose: TypeAlias = Annotated[
    bool, typer.Option("--verbose", help="Print rows that had a problem, and saves; tracebacks of errors.")
]
Yes: TypeAlias = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Wait: TypeAlias = Annotated[float, typer.Option(min=0, help="Wait so many seconds for the workbook's lock.")]
User: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--user", metavar="NAME", help="Who does it, for the history; left out: the system's user.", show_default=False
    ),
]
DryRun: TypeAlias = Annotated[bool, typer.Option("--dry-run", help="Say what would be done and write nothing.")]
StartFresh: TypeAlias = Annotated[bool, typer.Option("--start-fresh", help="Ignore older checkpoints.")]
ResumeAuto: TypeAlias = Annotated[
    bool, typer.Option("--resume-auto", help="Go on from the newest valid checkpoint; without one, start fresh.")
]
OfWorkbook: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--workbook",
        "-w",
        metavar="FILE",
        help="Look where commands over this workbook keep their runs: in the current folder's configuration, else in "
        "the workbook's; left out: only in the current folder's.",
        show_default=False,
    ),
]
Run: TypeAlias = Annotated[
    str, typer.Argument(metavar="RUN", help="A run: its id, the beginning of it, or last.", show_default=False)
]
Csv: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Write it to this file (.csv), for Excel, instead of showing it.", show_default=False
    ),
]
To: TypeAlias = Annotated[
    Path, typer.Option("--to", metavar="FILE", help="The file to write (.xlsx).", show_default=False)
]


@dataclass(frozen=True, kw_only=True)
class Shown:
    """How a result is printed. Raises UsageError where the two say different things."""

    format: Format = Formats.TABLE
    json: Json = False

    def __post_init__(self) -> None:
        check_format(self.format, self.json)


@dataclass(frozen=True, kw_only=True)
class Looking:
    """How a verb that only reads a system's workbook is called.

    Each system has a class of its own with its `--workbook`, of this and of the two below.
    """

    workbook: Path | None = None
    shown: Shown


@dataclass(frozen=True, kw_only=True)
class Changing:
    """How a verb that changes a system's workbook is called."""

    workbook: Path | None = None
    user: User = None
    wait: Wait = WAIT_SECONDS
    dry_run: DryRun = False
    shown: Shown


@dataclass(frozen=True, kw_only=True)
class Running:
    """How a verb that runs a job of a system is called."""

    workbook: Path | None = None
    user: User = None
    start_fresh: StartFresh = False
    resume_auto: ResumeAuto = False
    wait: Wait = WAIT_SECONDS
    dry_run: DryRun = False
    quiet: Quiet = False
    verbose: Verbose = False
    shown: Shown


def workbook(title: str, name: str) -> Any:
    """The option that names the workbook of a system, by the system's title and name."""
    return typer.Option(
        "--workbook",
        "-w",
        metavar="FILE",
        help=f"The {title} workbook; left out: `workbooks: {{{name}: ...}}` of config/batchbook.yaml.",
        show_default=False,
    )


def spread(verb: Callable[..., Any]) -> Callable[..., Any]:
    """The verb as the parser needs it: each option of a group that it takes is a parameter, in the group's place.

    A group is a dataclass whose fields are options or further groups. It is made before the verb is called, so what
    its `__post_init__` refuses is refused first.
    """

    def called(**given: Any) -> Any:
        """Gather what was given into the groups."""
        return _call(verb, given)

    called.__name__, called.__doc__ = verb.__name__, verb.__doc__
    called.__signature__ = Signature(list(_options_of(verb)))  # type: ignore[attr-defined]
    return called


def _options_of(taker: Callable[..., Any]) -> Iterator[Parameter]:
    """The parameters of a verb or a group, with those of the groups among them."""
    hints = get_type_hints(taker, include_extras=True)
    for name, parameter in signature(taker).parameters.items():
        if is_dataclass(hints[name]):
            yield from _options_of(hints[name])
        else:
            # By name only: so an option that is needed may come after one that is not.
            yield parameter.replace(annotation=hints[name], kind=Parameter.KEYWORD_ONLY)


def _call(taker: Callable[..., Any], given: Mapping[str, Any]) -> Any:
    """Call a verb, or make a group, with what was given for its options."""
    hints = get_type_hints(taker, include_extras=True)
    return taker(
        **{
            name: _call(hints[name], given) if is_dataclass(hints[name]) else given[name]
            for name in signature(taker).parameters
        }
    )
