"""The workbook engine against openpyxl, python-calamine and the floor of each case, measured in one run.

    python benchmarks/engine.py [--quick | --large] [--huge [ROWS]] [--only CASE,...] [--json FILE]

Cases: six of 24 columns of every row updated (update); one batch saved durably into the whole (save); three and all
of the columns read (read); a run of the command over a sheet as long as there can be (run, with --huge). Each runs in
a process of its own. The floor of a case is the time of the steps that nobody can leave out. Ratios travel between
machines, times do not. Workbooks are made once and kept in the cache folder, which may be removed at any time.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import platform
import sys
import tempfile
from importlib import metadata, util
from pathlib import Path
from typing import Any

from measures import goals, printing
from measures.plan import Session

QUICK, USUAL, LARGE = [486, 5_000], [486, 50_000], 200_000
WHOLE_SHEET = 1_048_575
CASES = ("update", "save", "read", "run")


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", action="store_true", help="small sizes only, for a try: 486 and 5,000 rows")
    sizes.add_argument("--large", action="store_true", help="200,000 rows as well; openpyxl takes minutes for them")
    sizes.add_argument("--rows", type=_numbers, default=None, help="these sizes, with commas between")
    parser.add_argument(
        "--huge", type=int, nargs="?", const=WHOLE_SHEET, default=0, metavar="ROWS",
        help=f"a run over a sheet of 10 columns too, of {WHOLE_SHEET:,} rows if not said otherwise",
    )  # fmt: skip
    parser.add_argument("--only", type=_cases, default=CASES, metavar="CASE,...", help=f"of {', '.join(CASES)}")
    parser.add_argument("--no-others", action="store_true", help="leave openpyxl and python-calamine out")
    parser.add_argument("--repeat", type=int, default=5, help="how often short cases are repeated (median)")
    parser.add_argument("--saves", type=int, default=15, help="how many batches are saved one after the other")
    parser.add_argument(
        "--cache", type=Path, default=None, help="folder for workbooks and trials; its disk is measured"
    )
    parser.add_argument("--json", type=Path, default=Path(__file__).with_name("results.json"))
    return parser.parse_args()


def _numbers(text: str) -> list[int]:
    return [int(one) for one in text.split(",")]


def _cases(text: str) -> list[str]:
    wanted = text.split(",")
    if not set(wanted) <= set(CASES):
        raise argparse.ArgumentTypeError(f"cases are {', '.join(CASES)}")
    return wanted


def main() -> int:
    """Measure, print, and write the figures down."""
    options = arguments()
    cache = options.cache or Path(tempfile.gettempdir()) / f"batchbook-bench-{getpass.getuser()}"
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    print(f"workbooks and trials in {cache}\n{printing.head()}", flush=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="trial-") as work:
        session = Session(cache, Path(work), options.repeat, options.saves, not options.no_others, show)
        session.start()
        measure(session, options)
    missing = [f"{goal.case}, {goal.rows:,} rows: {goal.text}" for goal in goals.GOALS if not answered(goal, session)]
    print("\nGoals", *printing.goals(session.verdicts, missing), sep="\n")
    options.json.write_text(json.dumps(report(session), indent=1) + "\n")
    print(f"\nall figures: {options.json}")
    return 0


def measure(session: Session, options: argparse.Namespace) -> None:
    """Each case at each of its sizes."""
    sizes = options.rows or (QUICK if options.quick else [*USUAL, LARGE] if options.large else USUAL)
    # The small workbook of the full update is a size for that only, unless it is asked for.
    big = sizes if options.rows or options.quick else sizes[1:]
    if "update" in options.only:
        for rows in sizes:
            session.update(rows)
    if "save" in options.only:
        for rows in big:
            session.save(rows, min(1_000 if rows >= LARGE else 500, max(1, rows // 4)))
    if "read" in options.only:
        for rows in big:
            session.read(rows)
    if "run" in options.only and options.huge:
        session.run(options.huge, 10_000)


def show(figures: dict[str, Any], verdicts: list[dict[str, Any]]) -> None:
    """A line of the table."""
    print(printing.line(figures, verdicts), flush=True)


def answered(goal: goals.Goal, session: Session) -> bool:
    """Whether this run measured what a goal speaks of."""
    return any(
        (one["case"], one["rows"], one["figure"]) == (goal.case, goal.rows, goal.figure) for one in session.verdicts
    )


def report(session: Session) -> dict[str, Any]:
    """Everything for the machine-readable copy; times in seconds, memory in MiB and bytes."""
    versions = {name: metadata.version(name) for name in ("batchbook", "openpyxl", "python-calamine")}
    about = {
        "python": platform.python_version(), "machine": platform.machine(), "system": sys.platform,
        "cores": os.cpu_count(), "isal": util.find_spec("isal") is not None,
        "interpreter_mib": session.interpreter / 2**20, **versions,
    }  # fmt: skip
    return {"about": about, "cases": session.cases, "goals": session.verdicts}


if __name__ == "__main__":
    sys.exit(main())
