"""Which cases are measured at which sizes, each against its floor and against the other engines."""

from __future__ import annotations

import json
import math
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from measures import goals
from measures.books import HERE, cached, cached_book
from measures.shape import FEW

BATCHBOOK = "batchbook"
MIB = 2**20


@dataclass
class Session:
    """One run of the benchmark: where its files lie, how often cases repeat, what it has found."""

    cache: Path
    work: Path
    repeat: int
    saves: int
    others: bool
    """Whether the other engines are measured too."""
    show: Callable[[dict[str, Any], list[dict[str, Any]]], None]
    interpreter: int = 0
    cases: list[dict[str, Any]] = field(default_factory=list)
    verdicts: list[dict[str, Any]] = field(default_factory=list)
    _openpyxl: dict[int, dict[str, Any]] = field(default_factory=dict)
    _started: int = 0

    def call(self, module: str, function: str, **arguments: Any) -> dict[str, Any]:
        """A case in a process of its own."""
        command = [sys.executable, str(HERE.with_name("engine_case.py")), module, function]
        given = json.dumps({k: str(v) if isinstance(v, Path) else v for k, v in arguments.items()})
        done = subprocess.run([*command, given], stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{module}.{function} ended with {done.returncode}")
        figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return figures

    def fresh(self) -> Path:
        """A new name in the folder of this run."""
        self._started += 1
        return self.work / f"{self._started:03d}"

    def add(self, case: str, engine: str, rows: int, found: dict[str, Any], **ratios: float | None) -> None:
        """Keep and show a case's figures."""
        figures = {
            "case": case, "engine": engine, "rows": rows, "median": statistics.median(found["seconds"]),
            "p95": p95(found["seconds"]), "median_cpu": statistics.median(found["cpu"]),
            "peak_mib": found["peak_bytes"] / MIB,
            "over_interpreter_mib": (found["peak_bytes"] - self.interpreter) / MIB, **found, **ratios,
        }  # fmt: skip
        verdicts = goals.verdicts(figures) if engine == BATCHBOOK else []
        self.cases.append(figures)
        self.verdicts += verdicts
        self.show(figures, verdicts)

    # --- the cases: each right after its floor, so that both find the machine equally busy ---------------------------

    def start(self) -> None:
        """Measure the interpreter that all memory is held against."""
        self.interpreter = self.call("timing", "interpreter")["peak_bytes"]

    def openpyxl(self, rows: int) -> dict[str, Any] | None:
        """Load, edit, save by openpyxl: once per size and run, since it takes its time."""
        if self.others and rows not in self._openpyxl:
            book, target = cached_book(self.cache, rows), self.fresh()
            self._openpyxl[rows] = self.call(
                "others", "openpyxl_update", source=book, target=target, rows=rows, repeat=self.repeat
            )
            target.unlink()
        return self._openpyxl.get(rows)

    def update(self, rows: int) -> None:
        """Six columns of every row."""
        book, case, target = cached_book(self.cache, rows), goals.UPDATE, self.fresh()
        other = self.openpyxl(rows)
        floor = self.call("floors", "update", source=book, target=target, repeat=self.repeat)
        edits = self.call("ours", "edits", rows=rows, repeat=self.repeat)
        ours = self.call("ours", "update", source=book, target=target, rows=rows, repeat=self.repeat)
        target.unlink()
        self.add(case, "floor", rows, floor)
        self.add(case, "making the edits alone", rows, edits)
        if other is not None:
            self.add(case, "openpyxl", rows, other)
        self.add(case, BATCHBOOK, rows, ours, **ratios(ours, floor, other))

    def save(self, rows: int, batch: int) -> None:
        """One batch into the whole, again and again."""
        book, case, place = cached_book(self.cache, rows), goals.SAVE, {"rows": rows, "batch": batch}
        other = self.openpyxl(rows)
        floor = self.call("floors", "save", source=book, folder=self.fresh(), repeat=self.saves, **place)
        ours = self.call("ours", "save", source=book, folder=self.fresh(), saves=self.saves, **place)
        self.add(case, "floor", rows, floor, batch=batch)
        if other is not None:
            other = {**other, "seconds": other["save"], "cpu": other["save_cpu"]}
            self.add(case, "openpyxl, its save alone", rows, other, batch=batch)
        first = {**ours, "seconds": ours["first"], "cpu": ours["first_cpu"]}
        self.add(case, "batchbook, first of a run", rows, first, batch=batch, **ratios(first, floor, other))
        self.add(case, BATCHBOOK, rows, ours, batch=batch, **ratios(ours, floor, other))

    def read(self, rows: int) -> None:
        """All rows, three columns of them and then all."""
        book = cached_book(self.cache, rows)
        given = {"source": book, "rows": rows, "repeat": self.repeat}
        slow = self.call("others", "openpyxl_read", **given) if self.others else None
        quick = {
            name: self.call("others", "calamine_read", iterating=iterating, **given)
            for name, iterating in (("python-calamine, to_python", False), ("python-calamine, iterating", True))
            if self.others
        }
        floor = self.call("floors", "read", **given)
        for case, columns in ((goals.READ_FEW, FEW), (goals.READ_ALL, None)):
            ours = self.call("ours", "read", columns=columns, **given)
            self.add(case, "floor", rows, floor)
            if slow is not None:
                self.add(case, "openpyxl, read-only", rows, slow)
            for name, found in quick.items():
                self.add(case, name, rows, found)
            self.add(case, BATCHBOOK, rows, ours, **ratios(ours, floor, slow), **beside(ours, list(quick.values())))

    def run(self, rows: int, batch: int) -> None:
        """A run of the command over a sheet; its floor is that of changing the sheet once."""
        made_by = [HERE / "runs.py", HERE.with_name("memory.py")]
        made = cached(
            self.cache, f"run-{rows}-{batch}", "", made_by,
            lambda folder: self.call("runs", "make", folder=folder, rows=rows, batch=batch),
        )  # fmt: skip
        floor = self.call("floors", "update", source=made / "book.xlsx", target=self.fresh(), repeat=self.repeat)
        ours = self.call("runs", "run", made=made, folder=self.fresh())
        self.add(goals.RUN, "floor", rows, floor)
        speed = rows / statistics.median(ours["seconds"])
        self.add(goals.RUN, BATCHBOOK, rows, ours, batch=batch, rows_per_second=speed, **ratios(ours, floor, None))


def ratios(ours: dict[str, Any], floor: dict[str, Any], other: dict[str, Any] | None) -> dict[str, float | None]:
    """How many times as long openpyxl takes, and how many times as long as the floor it is.

    The first of these also by the processor's seconds, which other work on the machine does not lengthen as much.
    """
    own, own_cpu = statistics.median(ours["seconds"]), statistics.median(ours["cpu"])
    return {
        "times_openpyxl": statistics.median(other["seconds"]) / own if other else None,
        "cpu_times_openpyxl": statistics.median(other["cpu"]) / own_cpu if other else None,
        "times_floor": own / statistics.median(floor["seconds"]),
    }


def beside(ours: dict[str, Any], quick: list[dict[str, Any]]) -> dict[str, float | None]:
    """Held against the quicker of python-calamine's ways, and against the one that takes less memory."""
    if not quick:
        return {"times_calamine": None, "share_of_calamine": None}
    return {
        "times_calamine": min(statistics.median(one["seconds"]) for one in quick) / statistics.median(ours["seconds"]),
        "share_of_calamine": ours["peak_bytes"] / min(one["peak_bytes"] for one in quick),
    }


def p95(seconds: list[float]) -> float:
    """The smallest figure that 95 % of all do not exceed."""
    return sorted(seconds)[math.ceil(0.95 * len(seconds)) - 1]
