"""The table, line by line as cases end, and the goals below it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

HEADINGS = ("case", "engine", "rows", "median", "p95", "cpu", "openpyxl /", "/ floor", "peak MiB", "over MiB")
FORM = "{:<15} {:<28} {:>9} {:>9} {:>9} {:>9} {:>10} {:>8} {:>9} {:>9}   {}"


def head() -> str:
    """The headings: `openpyxl /` is how many times as long openpyxl takes, `/ floor` how many floors the case takes.

    `cpu` is the median of the processor's seconds: a median far above it was taken on a busy machine, or waits for the
    disk.
    """
    return FORM.format(*HEADINGS, "goals").rstrip()


def line(figures: dict[str, Any], verdicts: Iterable[dict[str, Any]] = ()) -> str:
    """A case of an engine, and beside it the goals that it answers."""
    several = len(figures["seconds"]) > 1
    said = [f"{one['goal']}: {'met' if one['met'] else 'MISSED'}" for one in verdicts]
    if "rows_per_second" in figures:
        said.append(f"{figures['rows_per_second']:,.0f} rows/s")
    columns = (
        figures["case"],
        figures["engine"],
        f"{figures['rows']:,}",
        seconds(figures["median"]),
        seconds(figures["p95"]) if several else "",
        seconds(figures["median_cpu"]),
        times(figures.get("times_openpyxl")),
        times(figures.get("times_floor")),
        f"{figures['peak_mib']:.0f}",
        f"{figures['over_interpreter_mib']:.0f}",
        ", ".join(said),
    )
    return FORM.format(*columns).rstrip()


def seconds(value: float) -> str:
    """Seconds, small ones in milliseconds."""
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.1f} ms"


def times(value: float | None) -> str:
    """A ratio."""
    return "" if value is None else f"{value:,.1f} x" if value < 100 else f"{value:,.0f} x"


def goals(verdicts: Iterable[dict[str, Any]], missing: Iterable[str]) -> list[str]:
    """Each goal with its figure, and those that this run did not measure."""
    lines = [
        f"  {'met   ' if one['met'] else 'MISSED'} {one['case']}, {one['rows']:,} rows: {one['goal']} "
        f"(measured {one['value']:.2f})"
        for one in verdicts
    ]
    return [*lines, *(f"  not measured: {one}" for one in missing)]
