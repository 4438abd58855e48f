"""A folder with an ISBN workbook, and commands on it: in this process, where nothing speaks for one of their own."""

from __future__ import annotations

import io
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import openpyxl

from batchbook.cli.app import call
from batchbook.cli.output import manner
from tests.integration.helpers import Called, Folder

BLOCK = "978-1-60888"
FIRST, SECOND, THIRD = "978-1-60888-000-3", "978-1-60888-001-0", "978-1-60888-002-7"
"""The first numbers of the block."""


class Press(Folder):
    """A publisher's folder: a base configuration that names the workbook, which has one block."""

    @property
    def isbns(self) -> Path:
        return self.path / "data" / "isbn.xlsx"

    def lay(self, *, configuration: str = "", block: str | None = BLOCK) -> Press:
        (self.path / "config").mkdir()
        (self.path / "data").mkdir()
        (self.path / "config" / "batchbook.yaml").write_text(f"workbooks: {{isbn: data/isbn.xlsx}}\n{configuration}")
        assert self.isbn("new", "data/isbn.xlsx").code == 0
        if block is not None:
            assert self.isbn("add-block", block).code == 0
        return self

    def isbn(self, *arguments: str) -> Called:
        return self.called("isbn", *arguments)

    def called(self, *arguments: str) -> Called:
        """As `run`, but without a process of its own, of which most of the time is Python's start."""
        out, err = io.BytesIO(), io.BytesIO()
        with (
            chdir(self.path),
            io.TextIOWrapper(out, "utf-8", newline="") as stdout,
            io.TextIOWrapper(err, "utf-8") as stderr,
            redirect_stdout(stdout),
            redirect_stderr(stderr),
        ):
            try:
                code = call(arguments)
            finally:
                manner.json = manner.csv = manner.verbose = manner.runs = False
            stdout.flush()
            stderr.flush()
            return Called(code, out.getvalue().decode(), err.getvalue().decode())

    def schedule(
        self, title: str, book_id: str, date: str = "2027-03-01", kind: str = "paperback", *more: str
    ) -> Called:
        return self.isbn(
            "schedule", "--title", title, "--book-id", book_id, "--date", date, "--book-format", kind, *more
        )

    def sheet(self, name: str = "ISBN Assignments") -> list[dict[str, Any]]:
        """The rows of a sheet by header, as openpyxl reads them; emptied rows are left out."""
        header, *rows = openpyxl.load_workbook(self.isbns)[name].iter_rows(values_only=True)
        return [dict(zip(header, row, strict=True)) for row in rows if row[0] is not None]

    def statuses(self) -> dict[str, str]:
        return {row["ISBN"]: row["Status"] for row in self.sheet()}

    def by_book(self) -> dict[tuple[str, str | None], str]:
        """By book id and format: the number."""
        return {(row["Book ID"], row["Format"]): row["ISBN"] for row in self.sheet()}

    def typed(self, sheet: str, row: int, header: str, value: Any) -> None:
        """A person types something into a cell and saves."""
        book = openpyxl.load_workbook(self.isbns)
        page = book[sheet]
        column = [cell.value for cell in page[1]].index(header) + 1
        page.cell(row, column).value = value
        book.save(self.isbns)

    def put(self, name: str, content: str | bytes) -> Path:
        path = self.path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path


def new_press(path: Path, **how: Any) -> Press:
    path.mkdir()
    return Press(path).lay(**how)
