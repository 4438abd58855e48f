"""What the command line prints: results on standard output, errors and warnings on standard error."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from itertools import islice
from typing import Any

from batchbook.errors import BatchbookError
from batchbook.hiding import hide

# More findings than this on a screen help nobody; --json has them all.
_MOST_FINDINGS = 50
_PAGE = 500


@dataclass(slots=True)
class Manner:
    """How this call prints; set once from the arguments."""

    json: bool = False
    csv: bool = False
    verbose: bool = False
    runs: bool = False
    """Whether the verb runs a job: with ``--json`` its failures have the fields of a run as well."""


manner = Manner()


def say(text: str = "") -> None:
    """A line of the result for people; nothing where the result is one JSON object or lines of CSV."""
    if not (manner.json or manner.csv):
        out(plain(hide(text)))


def out(text: str) -> None:
    """A line on standard output. Whoever read it may have gone (`| head`): nothing is wrong with what was done."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        drop(sys.stdout)


def note(text: str) -> None:
    """A line beside the result: a warning, a hint. A standard error that is gone stops nothing."""
    try:
        print(plain(hide(text)), file=sys.stderr, flush=True)
    except OSError:
        drop(sys.stderr)


def show_json(content: Any) -> None:
    """The one object of ``--json``, in ASCII: that is right whatever the encoding of standard output.

    Values that are iterables other than lists, tuples and mappings are written as lists, piece by piece: they can be
    longer than memory.
    """
    if isinstance(content, dict) and any(_is_long(value) for value in content.values()):
        for piece in _pieces(content):
            out(piece)
    else:
        out(_packed(content))


def _packed(content: Any) -> str:
    return json.dumps(_discreet(content), ensure_ascii=True, indent=2, default=lambda value: hide(str(value)))


def _discreet(content: Any) -> Any:
    """Plain data without secrets in its texts. (In the text of the whole a number could be taken for one.)"""
    if isinstance(content, str):
        return hide(content)
    if isinstance(content, Mapping):
        return {name: _discreet(value) for name, value in content.items()}
    return [_discreet(value) for value in content] if isinstance(content, list | tuple) else content


def _is_long(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | list | tuple | Mapping)


def _pieces(content: Mapping[str, Any]) -> Iterator[str]:
    start = "{\n"
    for name, value in content.items():
        if not _is_long(value):
            yield f"{start}{json.dumps(name)}: {_packed(value)}"
        else:
            yield f"{start}{json.dumps(name)}: ["
            values, comma = iter(value), ""
            while page := list(islice(values, _PAGE)):
                yield comma + ",\n".join(map(_packed, page))
                comma = ","
            yield "]"
        start = ","
    yield "}"


def fill_streams() -> None:
    """Put nowhere in the place of standard streams that were closed by whoever started us (`>&-`).

    Else the next file that is opened, such as the workbook, would get the number of standard output or error.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115


@contextmanager
def others_print_beside() -> Iterator[None]:
    """With ``--json``, whatever a processor or its libraries print meanwhile goes to standard error."""
    if not manner.json:
        yield
        return
    saved = None
    if sys.stdout is not None:
        sys.stdout.flush()
        saved = _duplicate_of_output()
    try:
        if saved is not None:
            os.dup2(2, 1)
        with redirect_stdout(sys.stderr):
            yield
    finally:
        if saved is not None:
            os.dup2(saved, 1)
            os.close(saved)


def _duplicate_of_output() -> int | None:
    try:
        os.fstat(2)
        return os.dup(1)
    except OSError:  # one of them was closed by whoever started us
        return None


def counted(count: int, one: str, many: str = "") -> str:
    """A number with its noun: ``1 row``, ``1,000 rows``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def plain(text: str) -> str:
    """The text without characters that steer a terminal; a workbook's cells can hold any."""
    if text.isprintable():
        return text
    return "".join(c if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs") else "\ufffd" for c in text)


def show_error(error: BatchbookError, *, json: bool = True) -> None:
    """An error in words on standard error; with ``--json`` also as the one object on standard output, if asked."""
    note(f"batchbook: {error.what}")
    for finding in error.findings[:_MOST_FINDINGS]:
        if finding.message not in error.what or finding.place() not in ("", finding.column, f"column {finding.column}"):
            note(f"  {finding}")  # else the sentence above says it
    if len(error.findings) > _MOST_FINDINGS:
        note(f"  and {len(error.findings) - _MOST_FINDINGS} more (--json has all)")
    if error.advice:
        note(error.advice)
    if json:
        show_error_json(error.as_dict())


def show_error_json(error: dict[str, Any]) -> None:
    """The one object of ``--json`` for a call that failed; that of a run has the fields of a run."""
    if manner.json:
        show_json({**(_RUN_FIELDS if manner.runs else {}), "error": error})


_RUN_FIELDS: dict[str, Any] = {
    "run_id": None,
    "job": None,
    "status": "failed",
    "workbook": None,
    "output": None,
    "rows": dict.fromkeys(("selected", "done", "unchanged", "rejected", "unknown", "failed", "gone"), 0),
    "resumed": None,
    "batches": 0,
    "saves": 0,
    "conflicts": 0,
    "seconds": dict.fromkeys(("total", "process", "ledger", "save"), 0.0),
    "peak_rss_bytes": None,
    "report": None,
}


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Rows in aligned columns, numbers to the right; the same on a terminal and in a pipe."""
    cells = [[_cell(value) for value in row] for row in rows]
    right = [bool(cells) and all(_is_number(row[place]) for row in cells) for place in range(len(headers))]
    widths = [max(map(len, column)) for column in zip(headers, *cells, strict=True)]
    lines = []
    for row in [list(headers), *cells]:
        padded = [
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ]
        lines.append("  ".join(padded).rstrip())
    return lines


def show_table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows in aligned columns."""
    for line in table(headers, rows):
        say(line)


def drop(stream: Any) -> None:
    """Send what is still printed to a stream that is gone to nowhere."""
    try:
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123
            os.dup2(nowhere.fileno(), stream.fileno())
    except (OSError, ValueError):
        return


def _cell(value: object) -> str:
    return "" if value is None else plain(str(value)).replace("\n", " ")


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).replace(",", "").isdigit()
