"""The online review of the sample's 486 packages, by a local server that takes its time over each request.

    python benchmarks/review.py [--latency SECONDS] [--rows N] [--repeat N] [--json FILE]

Three runs of the command in one go: the default manners (five requests at once, 100 a second), one request after
another, and a second night that has the first one's answers stored. The server is a process of its own and counts what
it is asked. The ratio of the first two travels between machines, and so do the numbers of requests; times do not.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import openpyxl
import yaml

from realcommand import batchbook

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.servers.faults import Latency  # noqa: E402
from tests.servers.registry import Registry  # noqa: E402
from tests.servers.sample import made_from_sample  # noqa: E402

JOB = "config/jobs/package-review.yaml"
ROWS = 486
FIRST_ROW = 4
ONE_BY_ONE = {"network": {"concurrency": 1}, "batch": {"concurrency": 1, "size": 1}}


def serve(line: Connection, latency: float) -> None:
    """The server's process: says where it is, then, for each message, what it was asked since the last one."""
    sample = made_from_sample()
    # No page stays fresh, as if the second night were a day later: it revalidates all of them.
    with Registry(sample.packages, sample.advisories, sample.cves, max_age=0) as server:
        server.faults.add(Latency(latency))
        line.send((server.index_url, server.osv_url))
        while line.recv():
            line.send({
                "requests": dict(server.per_kind()), "most_at_once": server.most_at_once,
                "most_in_a_second": server.rate(1.0), "not_modified": server.count("index", status=304),
            })  # fmt: skip
            server.forget()


class Server:
    """The server as its parent sees it."""

    def __init__(self, line: Connection) -> None:
        self._line = line
        self.index, self.osv = line.recv()

    def asked(self) -> dict[str, Any]:
        """What it was asked since the last call."""
        self._line.send(True)
        found: dict[str, Any] = self._line.recv()
        return found


@contextmanager
def running(latency: float) -> Iterator[Server]:
    """A server in a process of its own."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, latency), daemon=True)
    process.start()
    try:
        yield Server(ours)
        ours.send(False)
        process.join(30)
    finally:
        process.kill()


def lay(folder: Path, server: Server, rows: int, changes: Mapping[str, Any]) -> None:
    """The sample with its first so many rows, and the job that asks the server."""
    batchbook(folder.parent, "init", "--sample", str(folder))
    job = folder / JOB
    settings = yaml.safe_load(job.read_text("utf-8"))
    links = settings["options"]["links"]
    settings["options"] = {"index": {"url": server.index}, "osv": {"url": server.osv}, "links": links}
    settings["options"]["network"] = dict(changes.get("network", {}))
    settings["batch"].update(changes.get("batch", {}))
    job.write_text(yaml.safe_dump(settings), "utf-8")
    if rows < ROWS:
        book = openpyxl.load_workbook(folder / "data/packages.xlsx")
        book["Packages"].delete_rows(FIRST_ROW + rows, ROWS)
        book.save(folder / "data/packages.xlsx")


def night(folder: Path, server: Server, rows: int) -> dict[str, Any]:
    """One review: its seconds, start-up included, and what the server was asked."""
    begin = time.perf_counter()
    counted = batchbook(folder, "run", JOB, "--start-fresh", "--json")["rows"]
    seconds = time.perf_counter() - begin
    if counted["selected"] != rows or counted["done"] + counted["unchanged"] + counted["unknown"] != rows:
        raise SystemExit(f"the review did not go as it should: {counted}")
    return {"seconds": seconds, **server.asked()}


def measure(server: Server, rows: int, repeat: int, work: Path) -> dict[str, dict[str, Any]]:
    """The three cases; the quick ones several times, each first night in a folder of its own (median)."""
    firsts, seconds = [], []
    for _ in range(repeat):
        folder = work / "together"
        lay(folder, server, rows, {})
        firsts.append(night(folder, server, rows))
        seconds.append(night(folder, server, rows))
        shutil.rmtree(folder)
    lay(work / "alone", server, rows, ONE_BY_ONE)
    alone = night(work / "alone", server, rows)
    return {
        "first night, default manners": median(firsts),
        "first night, one after another": alone,
        "second night, answers stored": median(seconds),
    }


def median(nights: list[dict[str, Any]]) -> dict[str, Any]:
    """The night of the median time."""
    middle = statistics.median_low(one["seconds"] for one in nights)
    return next(one for one in nights if one["seconds"] == middle)


def main() -> int:
    """Measure, print, and write the figures down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds that the server takes for a request")
    parser.add_argument("--rows", type=int, default=ROWS, help="only so many packages, for a try")
    parser.add_argument("--repeat", type=int, default=3, help="how often the quick cases are run (median)")
    parser.add_argument("--json", type=Path, default=Path(__file__).with_name("results-review.json"))
    options = parser.parse_args()
    rows = min(options.rows, ROWS)
    with running(options.latency) as server, tempfile.TemporaryDirectory() as work:
        cases = measure(server, rows, options.repeat, Path(work))
    first, alone, second = cases.values()
    print(f"{rows} packages, {options.latency * 1000:g} ms a request")
    for name, case in cases.items():
        kinds = ", ".join(f"{kind} {number:,}" for kind, number in sorted(case["requests"].items()))
        print(f"{name:32} {case['seconds']:8.1f} s  {sum(case['requests'].values()):6,} requests ({kinds}),"
              f" at most {case['most_at_once']} at once, {case['most_in_a_second']} in a second")  # fmt: skip
    ratios = {"one after another": alone["seconds"] / first["seconds"], "second": second["seconds"] / first["seconds"]}
    print(f"one after another takes {ratios['one after another']:.1f} x as long as the default manners")
    print(f"the second night takes {ratios['second']:.2f} of the first; {second['not_modified']} pages not modified")
    about = {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}
    figures = {"about": about, "rows": rows, "latency": options.latency, "cases": cases, "ratios": ratios}
    options.json.write_text(json.dumps(figures, indent=1) + "\n")
    print(f"all figures: {options.json}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
