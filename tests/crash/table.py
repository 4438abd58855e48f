"""The counts of all sweeps as one table: `python -m tests.crash.table FOLDER` prints it and leaves table.txt there."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

COLUMNS = ("calls", "faults", "lost_rows", "wrong_cells", "rows_done_twice", "stray_files", "elsewhere")


def table(tallies: list[dict[str, Any]]) -> str:
    """One line for each sweep, one for all, and what the faults ended in."""
    head = f"{'what':10} {'fault':24} " + " ".join(f"{name.replace('_', ' '):>15}" for name in COLUMNS)
    lines = [head, "-" * len(head)]
    for one in sorted(tallies, key=lambda one: (one["scenario"], one["kind"])):
        lines.append(f"{one['scenario']:10} {one['kind']:24} " + " ".join(f"{one[name]:15,}" for name in COLUMNS))
    total = [sum(one[name] for one in tallies) for name in COLUMNS]
    # The calls of a scenario are the same for each kind of fault: they count once.
    total[0] = sum({one["scenario"]: one["calls"] for one in tallies}.values())
    lines.append(f"{'all':10} {'':24} " + " ".join(f"{number:15,}" for number in total))
    for title in ("ended", "by_call", "states"):
        counts: Counter[str] = Counter()
        for one in tallies:
            prefix = f"{one['scenario']} " if title == "states" else ""
            counts.update({f"{prefix}{name}": number for name, number in one[title].items()})
        lines.append(f"{title.replace('_', ' ')}: " + ", ".join(f"{name} {n:,}" for name, n in sorted(counts.items())))
    problems = [text for one in tallies for text in one["problems"]]
    lines.append(f"problems: {len(problems)}")
    return "\n".join([*lines, *problems]) + "\n"


def main() -> None:
    folder = Path(sys.argv[1])
    tallies = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    text = table(tallies)
    (folder / "table.txt").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
