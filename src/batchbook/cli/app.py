"""The command `batchbook`: its verbs, and what becomes of errors."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextvars import copy_context
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from batchbook import __version__
from batchbook.cli import backups, check, checkpoints, init, run, runs, status, unlock
from batchbook.cli.logs import hide_in_last_resort, log_error, log_file, log_unexpected, stop_log
from batchbook.cli.options import spread
from batchbook.cli.output import drop, fill_streams, manner, note, out, show_error, show_error_json
from batchbook.cli.systems import JOBS, SYSTEMS
from batchbook.errors import EXIT_FAILED, EXIT_OK, EXIT_USAGE, BatchbookError, UsageError
from batchbook.hiding import hide, learn_environment


class _Verbs(TyperGroup):
    """The verbs, with those of the systems.

    Those are many: they are loaded when they are asked for, so that all others start as fast.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *SYSTEMS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in SYSTEMS:
            return super().get_command(ctx, cmd_name)
        group = typer.main.get_command(import_module(f"batchbook.cli.{cmd_name}").app)
        group.name = cmd_name
        return group


app = typer.Typer(
    name="batchbook",
    cls=_Verbs,
    help="Batch runs over Excel workbooks that never lose a row: durable, resumable, lossless.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        out(f"batchbook {__version__}")
        raise typer.Exit


@app.callback()
def _batchbook(
    version: Annotated[
        bool, typer.Option("--version", help="Say which version this is.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Batch runs over Excel workbooks that never lose a row: durable, resumable, lossless."""


app.command("run")(spread(run.run))
app.add_typer(runs.app, name="runs")
app.add_typer(checkpoints.app, name="checkpoints")
app.add_typer(backups.app, name="backups")
app.command("init")(init.init)
app.command("check")(check.check)
app.command("unlock")(unlock.unlock)
app.command("status")(status.status)


def main(interrupted: Callable[[], bool] = lambda: False) -> int:
    """Do what the process was called for; gives the exit code. `interrupted`: see `call`."""
    fill_streams()
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    return call(sys.argv[1:], interrupted)


def call(arguments: Sequence[str], interrupted: Callable[[], bool] = lambda: False) -> int:
    """Do what the arguments say and give the exit code; every error ends here, in words.

    interrupted: whether a person stopped the command before it began; asked when it can be told.
    """
    learn_environment(os.environ)
    hide_in_last_resort()
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    format = _format(own)
    manner.json, manner.csv = "--json" in own or format == "json", format == "csv"
    manner.verbose = "--verbose" in own
    words = [word for word in own if not word.startswith("-")]
    manner.runs = words[:1] == ["run"] or words[:2] in [name.split("-", 1) for name in JOBS]
    try:
        if interrupted():
            raise KeyboardInterrupt("nothing was changed")
        # What a verb sets for itself, such as the limits of its configuration, ends with it.
        return copy_context().run(_call, list(arguments))
    except BatchbookError as error:
        log_error(error)
        show_error(error)
        if manner.verbose and error.exit_code != EXIT_USAGE:
            note(traceback.format_exc())
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort) as error:
        known = str(error) if isinstance(error, KeyboardInterrupt) else ""
        note(f"batchbook: interrupted{'; ' if known else ''}{known}")
        show_error_json({"code": "interrupted", "what": f"Interrupted{'; ' if known else ''}{known}.", "advice": ""})
        return 130
    except Exception as error:  # noqa: BLE001 - the last resort: a person sees a sentence, never a traceback
        return _unexpected(error)
    finally:
        stop_log()


def _format(arguments: Sequence[str]) -> str:
    """What ``--format`` says, the last one where there are several."""
    found = ""
    for place, word in enumerate(arguments):
        name, equals, value = word.partition("=")
        if name == "--format":
            found = value if equals else next(iter(arguments[place + 1 : place + 2]), "")
    return found


def _call(arguments: list[str]) -> int:
    try:
        # Not by the command's own `main`: that makes a silent exit of Ctrl-C, whatever was done until then.
        command = typer.main.get_command(app)
        with command.make_context("batchbook", arguments) as context:
            result: Any = command.invoke(context)
    except typer.Exit as done:
        return done.exit_code
    except EOFError as error:
        raise typer.Abort from error  # who was asked has gone
    except BrokenPipeError:
        drop(sys.stdout)  # who read the help has gone
        return EXIT_FAILED
    except Exception as error:
        # The parser's own errors have no common public class in all versions of typer.
        if not hasattr(error, "format_message"):
            raise
        return _usage(error)
    return result if isinstance(result, int) else EXIT_OK


_BEFORE_WORDS = ": Value error, "
"""What some versions of the parser put before the words of a value that is wrong."""


def _usage(error: Any) -> int:
    message = error.format_message().replace(_BEFORE_WORDS, ": ")
    context = getattr(error, "ctx", None)
    if context is not None and type(error).__name__ == "NoArgsIsHelpError":
        note(context.get_help())
        return EXIT_USAGE
    if context is not None:
        note(context.get_usage())
    where = context.command_path if context is not None else "batchbook"
    show_error(UsageError(message, f"See {where} --help."))
    return EXIT_USAGE


def _unexpected(error: Exception) -> int:
    log_unexpected(error)
    said = hide(f"{type(error).__name__}: {error}").splitlines()[0]
    file = log_file()
    advice = f"Details are in {file}." if file else "Run it again with --verbose for details."
    note(f"batchbook: unexpected error, a fault in batchbook or in a processor's module: {said}")
    note(advice)
    if manner.verbose:
        note("".join(traceback.format_exception(error)))
    show_error_json({"code": "unexpected", "what": said, "advice": advice})
    return EXIT_FAILED
