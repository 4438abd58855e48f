"""The command line: parse, call, show. Only here is anything printed."""

import sys

__all__ = ["main"]


def main() -> None:
    """The console entry point."""
    try:
        from batchbook.cli.app import main as start
    except KeyboardInterrupt:  # most of a short command's time goes into imports
        sys.stderr.write("batchbook: interrupted; nothing was changed\n")
        sys.exit(130)
    start()
