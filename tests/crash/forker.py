"""Runs the command line again and again without the cost of starting Python: one forked child a call.

Each line of standard input is a JSON list: folder, log of the processor, arguments. Each answer is a JSON object with
the exit code and what was said. The child has imported batchbook and nothing of the folder.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile

import batchbook.batch
import batchbook.batch.controller
import batchbook.cli.run
import batchbook.storage.edit  # noqa: F401 - so that no child has to import it
from batchbook.cli import main


def answer(folder: str, log: str, arguments: list[str]) -> dict[str, object]:
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        child = os.fork()
        if child == 0:
            code = 70
            try:
                os.dup2(out.fileno(), 1)
                os.dup2(err.fileno(), 2)
                os.chdir(folder)
                os.environ["TEST_LOG"] = log
                sys.argv = ["batchbook", *arguments]
                main()
                code = 0
            except SystemExit as left:
                code = left.code if isinstance(left.code, int) else int(left.code is not None)
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        _, status = os.waitpid(child, 0)
        out.seek(0)
        err.seek(0)
        return {"code": os.waitstatus_to_exitcode(status), "out": out.read(), "err": err.read()}


for line in sys.stdin:
    print(json.dumps(answer(*json.loads(line))), flush=True)
