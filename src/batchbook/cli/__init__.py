"""The command line: parse, call, show. Only here is anything printed."""

__all__ = ["main"]


def main() -> None:
    """The console entry point."""
    from batchbook.cli.app import main as start

    start()
