"""Rows rewritten: some cells replaced or put in, all other bytes as they were."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache

from batchbook.errors import WorkbookDamaged, WorkbookNotSupported
from batchbook.xlsx.cells import cells_of
from batchbook.xlsx.cellxml import CellWriter, ValueProblem
from batchbook.xlsx.edits import Cells, RowsAlike
from batchbook.xlsx.growth import ColumnFormula
from batchbook.xlsx.layout import SheetLayout
from batchbook.xlsx.places import COLUMN_LETTERS, MAX_COLUMN, MAX_ROW, parse_cell, parse_range
from batchbook.xlsx.quicksegment import QuickSegment
from batchbook.xlsx.refusals import CellRefused
from batchbook.xlsx.rowcut import RowCutter
from batchbook.xlsx.scan import RowSpan
from batchbook.xlsx.values import CellValue
from batchbook.xlsx.xmltext import Element, attributes, escape_text, outline, whole

_SPANS = re.compile(rb"(?<=\s)spans\s*=\s*[\"']([0-9]+):([0-9]+)[\"']")


class RowEditor:
    """Rewrites rows of one sheet and remembers what follows from it for the rest of the workbook."""

    def __init__(self, sheet: str, prefix: bytes, writer: CellWriter, column_styles: Callable[[int], str]) -> None:
        self.sheet = sheet
        self.writer = writer
        self.cells = 0
        self.formulas_replaced = False
        self.broken: dict[str, tuple[str, str]] = {}
        """Shared formulas that lost the cell that holds them: their text and that cell, by their number."""
        self.found_late: list[tuple[str, int, int]] = []
        self.first_row, self.first_column, self.last_row, self.last_column = MAX_ROW + 1, MAX_COLUMN + 1, 0, 0
        self._layout: SheetLayout | None = None
        self._column_style = column_styles
        self._prefix = prefix.decode()
        self._row_end = b"</%brow>" % prefix
        self._cutter = RowCutter(prefix)
        self._quick_segment = QuickSegment(self._prefix, writer)

    def refused(self, row: int, column: int, reason: str) -> CellRefused:
        """The error for a cell of this sheet."""
        return CellRefused(self.sheet, row, max(column, 1), reason)

    def settle(self, layout: SheetLayout) -> None:
        """Let it be known which cells are locked; until then none is."""
        self._layout = layout

    def check(self, row: int, column: int) -> None:
        """Raise CellRefused for a cell that is not there, or is locked."""
        if not 1 <= row <= MAX_ROW or not 1 <= column <= MAX_COLUMN:
            raise self.refused(row, column, "there is no such cell in a sheet")
        reason = self._layout.locked(row, column) if self._layout and not self._layout.free else None
        if reason:
            raise self.refused(row, column, reason)

    def _written(self, row: int, column: int, style: str, value: CellValue) -> bytes:
        try:
            text = self.writer.cell(f"{COLUMN_LETTERS[column]}{row}", style, value)
        except ValueProblem as problem:
            raise self.refused(row, column, str(problem)) from None
        self.cells += 1
        return text.encode()

    def _reach(self, row: int, column: int) -> None:
        if row < self.first_row:
            self.first_row = row
        if row > self.last_row:
            self.last_row = row
        if column < self.first_column:
            self.first_column = column
        if column > self.last_column:
            self.last_column = column

    # --- whole segments ------------------------------------------------------------------------------------------

    def together(self, text: bytes, edits: RowsAlike, *, whole: bool) -> bytes | None:
        """A segment with the same columns written in some of its rows (`whole`: in all); None to look closer."""
        rows, columns = edits.rows, edits.columns
        if columns[0] < 1 or columns[-1] > MAX_COLUMN:
            return None
        layout = self._layout
        if layout and not layout.free and any(layout.locked(row, column) for row in rows for column in columns):
            return None
        try:
            result = self._quick_segment.rewritten(text, edits, whole=whole)
        except ValueError:
            return None  # the closer look finds the cell, and names it
        if result is None:
            return None
        self.cells += len(rows) * len(columns)
        self._reach(rows[0], columns[0])
        self._reach(rows[-1], columns[-1])
        return result

    # --- the quick way -------------------------------------------------------------------------------------------

    def quick(self, text: bytes, span: RowSpan, cells: Cells) -> list[bytes] | None:
        """The pieces of a row that is written as usual; None where that is not certain."""
        columns = tuple(cells) if len(cells) < 2 else tuple(sorted(cells))
        if columns[0] < 1 or columns[-1] > MAX_COLUMN:
            return None
        cuts = self._cutter.cut(text, span.inner, span.end, span.number, columns)
        if cuts is None:
            return None
        row = span.number
        pieces = [text[span.start : span.inner]]
        done = span.inner
        for column, cut in zip(columns, cuts, strict=True):
            self.check(row, column)
            value = cells[column]
            if cut.present:
                new = self._written(row, column, cut.style.decode() if cut.style else "", value)
                self.formulas_replaced = self.formulas_replaced or cut.formula
            elif value is None:
                continue
            else:
                new = self._written(row, column, self.style_for(column, span.tag), value)
                pieces[0] = spanning(pieces[0], column)
            pieces += (text[done : cut.start], new)
            done = cut.end
            self._reach(row, column)
        pieces.append(text[done : span.end])
        return pieces

    def style_for(self, column: int, tag: bytes) -> str:
        """The style of a cell that was not there: that of the row, else of the column."""
        if b"customFormat" in tag:
            given = attributes(tag)
            style = given.get(b"s", b"").decode("utf-8", "replace")
            if given.get(b"customFormat") in (b"1", b"true") and whole(style, -1) >= 0:
                return style
        return self._column_style(column)

    # --- the sure way --------------------------------------------------------------------------------------------

    def sure(self, row: bytes, number: int, cells: Cells) -> bytes:
        """A row rewritten, however it is written."""
        root = outline(row, f"row {number} of sheet {self.sheet}")
        if any(child.name == "AlternateContent" for child in root.children):
            raise self.refused(number, min(cells, default=1), "its row is written in alternatives for several programs")
        present = self._present(root, number, cells)
        edits: list[tuple[int, int, bytes]] = []
        for column in sorted(cells):
            self.check(number, column)
            element = present.get(column)
            if element is None:
                if cells[column] is not None:
                    at = self._place(root, present, column)
                    new = self._written(number, column, self.style_for(column, row[: root.inner]), cells[column])
                    edits.append((at, at, new))
                    self._reach(number, column)
            else:
                self._note_formula(number, column, element)
                edits.append(
                    (element.start, element.end, self._written(number, column, _style(element), cells[column]))
                )
                self._reach(number, column)
        edits += self._repairs(root, number, cells)
        return self._joined(row, root, cells, edits)

    def _present(self, root: Element, number: int, cells: Cells) -> dict[int, Element]:
        present: dict[int, Element] = {}
        for column, element in cells_of(root):
            reference = element.get("r")
            if reference and (parse_cell(reference.strip()) or (number, 0))[0] != number:
                raise WorkbookDamaged(f"Row {number} of sheet {self.sheet} has a cell named {reference[:40]!r}.")
            if column in present and column in cells:
                raise self.refused(number, column, "it is in the file twice")
            present[column] = element
        return present

    @staticmethod
    def _place(root: Element, present: dict[int, Element], column: int) -> int:
        behind = [element.start for other, element in present.items() if other > column]
        if behind:
            return min(behind)
        return max((element.end for element in present.values()), default=root.inner)

    def _joined(self, row: bytes, root: Element, cells: Cells, edits: list[tuple[int, int, bytes]]) -> bytes:
        if not edits:
            return row
        edits.sort(key=lambda e: e[0])
        body: list[bytes] = []
        done = root.inner
        for start, end, new in edits:
            body += (row[done:start], new)
            done = end
        tag = row[: root.inner]
        for column in cells:
            tag = spanning(tag, column)
        if root.self_closing:
            return tag[:-2].rstrip() + b">" + b"".join(body) + self._row_end
        return tag + b"".join(body) + row[done:]

    # --- formulas ------------------------------------------------------------------------------------------------

    def _note_formula(self, row: int, column: int, element: Element) -> None:
        formula = element.one("f")
        if formula is None:
            return
        self.formulas_replaced = True
        number = formula.get("si")
        if formula.get("t") == "shared" and formula.text.strip() and number:
            self.broken[number] = (formula.text, f"{COLUMN_LETTERS[column]}{row}")
            area = parse_range(formula.get("ref"))
            if area is None or (area.first_row, area.first_column) != (row, column):
                self.found_late.append((number, row, column))

    def _repairs(self, root: Element, number: int, cells: Cells) -> list[tuple[int, int, bytes]]:
        """Formulas of their own for cells that shared one whose holder was replaced."""
        if not self.broken:
            return []
        edits = []
        for column, element in cells_of(root):
            formula = element.one("f")
            if column in cells or formula is None or formula.get("t") != "shared":
                continue
            if formula.text.strip():
                self.broken.pop(formula.get("si"), None)  # the number is used again, for another formula
                continue
            source = self.broken.get(formula.get("si"))
            if source is not None:
                own = translated(*source, f"{COLUMN_LETTERS[column]}{number}")
                tag = formula.tag
                edits.append((formula.start, formula.end, f"<{tag}>{escape_text(own)}</{tag}>".encode()))
        return edits

    def repaired(self, row: bytes, number: int) -> bytes:
        """A row without edits, with formulas of its own where `broken` asks for it."""
        return self.sure(row, number, {})

    # --- new rows ------------------------------------------------------------------------------------------------

    def created(
        self,
        number: int,
        cells: Cells,
        above: Callable[[int], str] | None,
        formulas: Mapping[int, ColumnFormula] | None = None,
    ) -> bytes:
        """A row that was not there; `above` gives the styles by column that rows at the end go on with.

        Cells that get no value get the formula given for their column, if there is one.
        """
        pieces = []
        formulas = formulas or {}
        style_of = above or self._column_style
        for column in sorted(cells.keys() | formulas.keys() if formulas else cells):
            if column in cells:
                self.check(number, column)
            value = cells.get(column)
            style = style_of(column)
            if value is not None:
                pieces.append(self._written(number, column, style, value))
            elif column in formulas and not (self._layout and self._layout.locked(number, column)):
                formula = formulas[column]
                reference = f"{COLUMN_LETTERS[column]}{number}"
                pieces.append(self.writer.formula(reference, style, formula.text, array=formula.array).encode())
            else:
                continue
            self._reach(number, column)
        if not pieces:
            return b""
        p = self._prefix
        return b'<%brow r="%d">%b</%brow>' % (p.encode(), number, b"".join(pieces), p.encode())


def spanning(tag: bytes, column: int) -> bytes:
    """A row's start tag whose spans, where it has any, reach to a column."""
    found = _SPANS.search(tag)
    if found is None:
        return tag
    first, last = min(int(found[1]), column), max(int(found[2]), column)
    if (first, last) == (int(found[1]), int(found[2])):
        return tag
    return tag[: found.start()] + b'spans="%d:%d"' % (first, last) + tag[found.end() :]


def _style(element: Element) -> str:
    style = element.get("s")
    return style if whole(style, -1) >= 0 else ""


def translated(formula: str, origin: str, target: str) -> str:
    """A formula of one cell as it reads in another."""
    from openpyxl.formula.tokenizer import TokenizerError  # type: ignore[import-untyped, unused-ignore]
    from openpyxl.formula.translate import (  # type: ignore[import-untyped, unused-ignore]
        Translator,
        TranslatorError,
    )

    try:
        return str(Translator("=" + formula, origin=origin).translate_formula(target))[1:]
    except (TokenizerError, TranslatorError, ValueError, IndexError) as error:
        raise WorkbookNotSupported(
            f"The formula of {origin}, which {target} needs as well, cannot be understood: {formula[:100]}",
            "Write it into the cells in Excel, and save.",
        ) from error


def styles_of(row: bytes) -> dict[int, str]:
    """The styles of a row's cells by column."""
    return {column: _style(element) for column, element in cells_of(outline(row, "a row of a sheet"))}


_COLUMN = re.compile(rb"<(?:[\w.-]+:)?col(?=\s)([^<>]*+)>")


def column_styles(head: bytes) -> Callable[[int], str]:
    """The style of a column without cells, from what precedes the rows."""
    ranges = []
    for match in _COLUMN.finditer(head):
        given = attributes(match[1])
        first, last, style = (
            whole(given.get(name, b"").decode("utf-8", "replace")) for name in (b"min", b"max", b"style")
        )
        if style:
            ranges.append((first, last, str(style)))

    @cache
    def style_of(column: int) -> str:
        return next((style for first, last, style in ranges if first <= column <= last), "")

    return style_of
