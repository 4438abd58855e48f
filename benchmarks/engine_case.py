"""One case in a process of its own, so that the peak of its memory is its own; `engine.py` starts it.

    python benchmarks/engine_case.py MODULE FUNCTION ARGUMENTS

The arguments are a JSON object, of which those named source, target, folder or made are paths; so is what is printed.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path

PATHS = ("source", "target", "folder", "made")


def main() -> None:
    """Run the case and print its figures."""
    module, function, given = sys.argv[1:]
    arguments = {name: Path(value) if name in PATHS else value for name, value in json.loads(given).items()}
    print(json.dumps(getattr(import_module(f"measures.{module}"), function)(**arguments)))


if __name__ == "__main__":
    main()
