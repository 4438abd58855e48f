"""A process that has imported everything and forks one child per command, so that a case costs no interpreter start.

It is spoken to in lines of JSON: {"cwd", "arguments"}, and "largest" for a limit on the bytes of a file, is answered by
{"pid"} of a child that waits; an empty line lets it go (a tracer may have been attached meanwhile); {"code", "out",
"err", "keys"} follows when it has ended. A child says what it prints, and the keys that its processor sees, by
sendto(): faults put into write() do not touch that.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import resource
import socket
import sys
import traceback
import types
from collections import defaultdict
from typing import IO, Any


class Stream(io.TextIOBase):
    """Standard output or error of a child."""

    def __init__(self, line: socket.socket, name: str) -> None:
        self._line = line
        self._name = name

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        tell(self._line, self._name, text)
        return len(text)


def tell(line: socket.socket, name: str, text: str) -> None:
    line.sendall(json.dumps([name, text]).encode() + b"\n")


def import_all(names: list[str]) -> None:
    """What a run imports on its way; a few modules cannot be imported by themselves, and need not be."""
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError:
            continue


def be_child(request: dict[str, Any], line: socket.socket) -> int:
    os.chdir(request["cwd"])
    sys.path.insert(0, request["cwd"])
    sys.argv = ["batchbook", *request["arguments"]]
    sys.stdout, sys.stderr = Stream(line, "out"), Stream(line, "err")
    channel = types.ModuleType("crash_channel")
    channel.tell = lambda key: tell(line, "keys", key)  # type: ignore[attr-defined]
    sys.modules["crash_channel"] = channel
    from batchbook.batch.saving import RunSaver
    from batchbook.cli import main

    # Else the clock would decide how many saves a run has, and no two runs had the same calls.
    RunSaver.affordable = lambda _self: True  # type: ignore[method-assign]
    line.recv(1)
    if request.get("largest") is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["largest"], request["largest"]))

    try:
        main()
    except SystemExit as error:
        return int(error.code or 0)
    except BaseException:  # noqa: BLE001 - the sweep has to hear of it
        tell(line, "err", traceback.format_exc())
        return 70
    return 0


def modules() -> list[str]:
    return sorted(name for name in sys.modules if name.split(".")[0] not in ("__main__", "steps", "crash_channel"))


def fork(request: dict[str, Any]) -> tuple[int, socket.socket]:
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            ours.close()
            code = be_child(request, theirs)
            if request.get("modules"):
                tell(theirs, "modules", json.dumps(modules()))
        finally:
            os._exit(code)
    theirs.close()
    return pid, ours


def heard(line: socket.socket) -> dict[str, Any]:
    said = defaultdict(list)
    for text in line.makefile("rb"):
        name, value = json.loads(text)
        said[name].append(value)
    return {
        "out": "".join(said["out"]),
        "err": "".join(said["err"]),
        "keys": said["keys"],
        "modules": said["modules"],
    }


def serve(requests: IO[str], answers: IO[str]) -> None:
    for text in iter(requests.readline, ""):
        request = json.loads(text)
        if "import" in request:
            import_all(request["import"])
            continue
        pid, line = fork(request)
        print(json.dumps({"pid": pid}), file=answers, flush=True)
        requests.readline()
        line.send(b"g")
        said = heard(line)
        _, status = os.waitpid(pid, 0)
        print(json.dumps({"code": os.waitstatus_to_exitcode(status), **said}), file=answers, flush=True)
        line.close()


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    serve(sys.stdin, sys.stdout)
