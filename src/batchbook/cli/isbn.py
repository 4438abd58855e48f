"""`batchbook isbn`: blocks of ISBNs, and what becomes of their numbers."""

from __future__ import annotations

import typer

from batchbook.cli import isbn_books, isbn_jobs, isbn_reports, isbn_steps, isbn_views

app = typer.Typer(
    help="Blocks of ISBNs and what becomes of their numbers, in a workbook: schedule, assign, publish, report.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for group in (isbn_books, isbn_steps, isbn_views, isbn_reports, isbn_jobs):
    group.register(app)
