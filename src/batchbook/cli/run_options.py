"""The options of `batchbook run`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from batchbook.cli.options import Json as Json
from batchbook.cli.options import Quiet as Quiet
from batchbook.cli.options import ResumeAuto, StartFresh
from batchbook.cli.options import Verbose as Verbose
from batchbook.errors import UsageError


class Strategies(StrEnum):
    """How rows are grouped."""

    FIXED = "fixed"
    MEMORY = "memory-adaptive"
    TIME = "time-based"


class OnChanges(StrEnum):
    """What counts where a person changed the workbook since the checkpoint."""

    MERGE = "merge"
    THEIRS = "theirs"
    CHECKPOINT = "checkpoint"


Job: TypeAlias = Annotated[Path, typer.Argument(help="The job file.", metavar="JOB.yaml", show_default=False)]
Input: TypeAlias = Annotated[
    Path | None, typer.Option("--input", metavar="X", help="Bring rows in from this CSV or XLSX file.")
]
Output: TypeAlias = Annotated[
    Path | None,
    typer.Option("--output", metavar="Y", help="Write to this copy, made at a fresh start; the workbook stays."),
]
ResumeFromRow: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--resume-from-row",
        "--resume-from-package",
        min=1,
        metavar="N",
        help="Go on with the Nth row of the last unfinished run's selection, else of the new one.",
    ),
]
ResumeFromBatch: TypeAlias = Annotated[
    int | None,
    typer.Option("--resume-from-batch", min=1, metavar="N", help="Go on with batch N of the last unfinished run."),
]
OnlyFailed: TypeAlias = Annotated[
    str | None, typer.Option("--only-failed", metavar="RUN", help="Take only the rows that failed in that run.")
]
Strategy: TypeAlias = Annotated[Strategies | None, typer.Option("--strategy", help="How rows are grouped.")]
BatchSize: TypeAlias = Annotated[int | None, typer.Option("--batch-size", min=1, metavar="N", help="Rows in a batch.")]
StartRow: TypeAlias = Annotated[
    int | None, typer.Option("--start-row", min=1, metavar="N", help="First row, as Excel numbers rows.")
]
EndRow: TypeAlias = Annotated[
    int | None, typer.Option("--end-row", min=1, metavar="N", help="Last row, as Excel numbers rows.")
]
Keys: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--keys", metavar="K,...", help="Take only the rows with these keys; quotes protect a comma."),
]
OnChange: TypeAlias = Annotated[
    OnChanges | None,
    typer.Option("--on-change", help="What counts if someone changed the workbook since (merge, if nothing is said)."),
]
ForceContinue: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--force-continue",
        help="With --resume-from-row or --resume-from-batch: go on from there although earlier rows have no result, or "
        "the workbook was changed since.",
    ),
]
Offline: TypeAlias = Annotated[bool, typer.Option("--offline", help="Ask no source over the network.")]
DryRun: TypeAlias = Annotated[bool, typer.Option("--dry-run", help="Show what would change and write nothing.")]
Wait: TypeAlias = Annotated[
    float, typer.Option("--wait", min=0, metavar="S", help="Wait S seconds for the workbook's lock.")
]


@dataclass(frozen=True, kw_only=True)
class Way:
    """The ways to start that were asked for; at most one can be meant."""

    start_fresh: StartFresh = False
    resume_auto: ResumeAuto = False
    resume_from_row: ResumeFromRow = None
    resume_from_batch: ResumeFromBatch = None
    only_failed: OnlyFailed = None

    def choice(self) -> dict[str, Any]:
        """The request's mode and what belongs to it."""
        given = {
            "--start-fresh": {"mode": "fresh"} if self.start_fresh else None,
            "--resume-auto": {"mode": "auto"} if self.resume_auto else None,
            "--resume-from-row": {"mode": "row", "number": self.resume_from_row},
            "--resume-from-batch": {"mode": "batch", "number": self.resume_from_batch},
            "--only-failed": {"mode": "only-failed", "run": self.only_failed},
        }
        chosen = {name: choice for name, choice in given.items() if choice and None not in choice.values()}
        if len(chosen) > 1:
            raise UsageError(f"{' and '.join(chosen)} do not go together.", "Give one way to start.")
        return next(iter(chosen.values()), {"mode": "ask"})
