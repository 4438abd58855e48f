"""What `batchbook init` lays down."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from batchbook.errors import ConfigurationError

SAMPLE_BOOK = "data/packages.xlsx"
ISBN_BOOK = "data/isbn.xlsx"

BASE = """\
# The base configuration: relative paths count from the folder that holds config/.

timezone: UTC                 # the zone of dates that people type

paths:
  ledger: data/checkpoints/ledger.db
  backups: data/backups
  reports: data/reports
  logs: data/logs
  cache: data/cache

backups: {keep: 10, daily_days: 30, auto_restore: false}
history: {details_days: 90}   # what runs did to each row is kept so long; their summaries for ever
logging: {level: info}

# What every job gets where it says nothing:
defaults:
  batch: {size: 10, checkpoint_frequency: 5}
"""

WORKBOOKS = f"""
# The workbooks of the systems, for commands that are given none:
workbooks: {{isbn: {ISBN_BOOK}}}
"""

JOB = """\
# A job: which rows of which workbook, and what is done to them.

job: example
workbook: data/example.xlsx
sheet: Orders
key: [Order]                              # the columns that name a row
processor: example_steps:price            # the function price in example_steps.py, beside this file
reads: [Amount, Price]
writes: [Total, Size]                     # the only columns this job may ever change
select: all                               # or blank: only rows without a result
batch: {strategy: fixed, size: 5}
"""

STEPS = '''\
"""What the example job does to a row: take what it reads, return what it writes."""

import batchbook


def price(row):
    if not (row.is_number("Amount") and row.is_number("Price")):
        raise batchbook.Rejected("Amount and Price must be numbers")
    total = round(row["Amount"] * row["Price"], 2)
    return {"Total": total, "Size": "large" if total >= 1000 else "small"}
'''


def starter_files() -> dict[str, bytes]:
    """The base configuration and a small job with its processor and workbook, by their path in the folder."""
    return {
        "config/batchbook.yaml": BASE.encode(),
        "config/jobs/example.yaml": JOB.encode(),
        "config/jobs/example_steps.py": STEPS.encode(),
        "data/example.xlsx": _orders(),
    }


def sample_files() -> dict[str, bytes]:
    """The sample: its workbooks and advisories go below data/, its jobs below config/jobs/.

    The base configuration with it names the workbook that the ISBN commands are for.
    """
    source = samples_folder()
    files = {"config/batchbook.yaml": (BASE + WORKBOOKS).encode()}
    for path in sorted(source.rglob("*")):
        home = _home(path.relative_to(source)) if path.is_file() else None
        if home is not None:
            files[f"{home}/{path.relative_to(source).as_posix()}"] = path.read_bytes()
    missing = [name for name in (SAMPLE_BOOK, ISBN_BOOK) if name not in files]
    if missing:
        raise ConfigurationError(
            f"The sample in {source} has no {' and no '.join(missing)}.", "Install batchbook anew."
        )
    return files


def _home(name: Path) -> str | None:
    """The folder that a file of the sample goes to; what is only about the sample itself stays."""
    if any(part.startswith((".", "__")) for part in name.parts):
        return None
    if len(name.parts) > 1 or name.suffix == ".xlsx":
        return "data"
    return "config/jobs" if name.suffix == ".yaml" else None


def samples_folder() -> Path:
    """Where the sample lies: inside the installed package, or in the checkout it is installed from."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "samples", package.parents[1] / "data" / "samples"):
        if folder.is_dir():
            return folder
    raise ConfigurationError("This installation has no sample.", "Install batchbook anew, or init without --sample.")


def link_base_cell(book: Path) -> tuple[str, str] | None:
    """The sheet and cell that hold the address of package links: the one right of ``link_base`` on Settings."""
    from batchbook.xlsx import Book

    with Book.open(book) as opened:
        if "Settings" not in [sheet.name for sheet in opened.sheets]:
            return None
        for number, cells in opened.rows("Settings"):
            label = cells.get(1)
            if label is not None and _plain(label.value) in ("link base", "package link base"):
                return "Settings", f"B{number}"
    return None


def _plain(value: object) -> str:
    return str(value).strip().lower().replace("_", " ").replace("-", " ")


def _orders() -> bytes:
    from openpyxl import Workbook
    from openpyxl.styles import Font

    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = "Orders"
    sheet.append(["Order", "Amount", "Price", "Total", "Size", "Note"])
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    for number in range(1, 13):
        sheet.append(
            [f"A-{number:03d}", number * 7 % 13 + 1, 19.5 * number, None, None, "urgent" if number == 4 else None]
        )
    sheet.freeze_panes = "A2"
    for column, width in zip("ABCDEF", (12, 10, 10, 12, 10, 20), strict=True):
        sheet.column_dimensions[column].width = width
    stream = BytesIO()
    book.save(stream)
    return stream.getvalue()
