"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Verbose: TypeAlias = Annotated[bool, typer.Option("--verbose", help="Say more; show tracebacks of errors.")]
Yes: TypeAlias = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Wait: TypeAlias = Annotated[float, typer.Option(min=0, help="Wait so many seconds for the workbook's lock.")]
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
