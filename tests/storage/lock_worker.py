"""A process that takes a workbook's lock again and again, counts under it, and sometimes dies with it in its hands.

Arguments: workbook, rounds, chance of dying, seed. Prints a line when it starts.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

from batchbook.storage.lock import WorkbookLock


def main() -> None:
    workbook, rounds, chance, seed = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
    dice = random.Random(seed)
    counter, inside, log, dead = (workbook.with_name(name) for name in ("counter", "inside", "log", "dead"))

    def on_dead(info: object) -> None:
        inside.unlink(missing_ok=True)
        with dead.open("a") as opened:
            opened.write(f"{info.pid}\n")  # type: ignore[attr-defined]

    for _ in range(rounds):
        with WorkbookLock(workbook, run="r", ledger=None, wait=60, on_dead=on_dead):
            os.close(os.open(inside, os.O_CREAT | os.O_EXCL))
            value = int(counter.read_text())
            if dice.random() < 0.3:
                time.sleep(0.001)
            counter.write_text(str(value + 1))
            with log.open("a") as opened:
                opened.write("x")
            if dice.random() < chance:
                os.kill(os.getpid(), signal.SIGKILL)
            inside.unlink()


main()
