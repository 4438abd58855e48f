"""Edits put into a workbook: changed rows are cut and joined as bytes, other parts are copied as they are packed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import BinaryIO

from batchbook.errors import WorkbookNotSupported
from batchbook.xlsx.blockedit import BlockEdit, frame_of
from batchbook.xlsx.blocks import Block, Blocks, SheetIndex
from batchbook.xlsx.book import Book, Sheet
from batchbook.xlsx.bookparts import STYLES_TYPE, BookParts
from batchbook.xlsx.cells import cells_of
from batchbook.xlsx.cellxml import CellWriter
from batchbook.xlsx.container import Entry
from batchbook.xlsx.edits import CellEdits, RowsAlike, in_columns
from batchbook.xlsx.layout import SheetLayout
from batchbook.xlsx.refusals import CellRefused
from batchbook.xlsx.rowedit import RowEditor, column_styles
from batchbook.xlsx.scan import SheetScan
from batchbook.xlsx.sheetedit import LayoutOf, SheetEdit
from batchbook.xlsx.styles import Styles
from batchbook.xlsx.values import CellValue
from batchbook.xlsx.wellformed import WellFormedness, is_well_formed
from batchbook.xlsx.wholesheet import SheetContent, check_columns, exchange_rows, fresh_sheet
from batchbook.xlsx.xmltext import outline
from batchbook.xlsx.zipwriter import PartWriter, ZipWriter, new_entry

MOST_BY_BLOCKS = 20_000
"""More rows than this are written with the whole sheet: they would have to be held in memory."""

MOST_CHARACTERS = 8 << 20


@dataclass(frozen=True, slots=True)
class BookEdits:
    """What is to be written, by sheet: cells (rows ascending), and whole contents of machine-owned sheets."""

    cells: Mapping[str, CellEdits] = field(default_factory=dict)
    contents: Mapping[str, SheetContent] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SpliceReceipt:
    """What a splice did: the digest of the result, what became of each part, and how many cells were written."""

    digest: str
    copied: tuple[str, ...]
    rewritten: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    cells: int
    sound: tuple[str, ...] = ()
    """Rewritten sheets that were known to be well-formed: cut and joined between tags, they still are."""
    parsed: tuple[str, ...] = ()
    """Rewritten sheets that were found to be well-formed while they were written."""
    redone: Mapping[str, Sequence[tuple[int, Block]]] = field(default_factory=dict)
    """Of sheets that were saved by blocks: the blocks that were written anew, with their places in the archive."""
    indexes: Mapping[str, SheetIndex] = field(default_factory=dict)
    """Of sheets that were laid down as blocks: the index that belongs to the result."""


class KnownSound:
    """Parts whose XML this process has checked, by the workbook's digest; the latest ones."""

    _MOST = 1000

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], None] = {}

    def add(self, digest: str, part: str) -> None:
        """Remember a part."""
        self._known[digest, part] = None
        if len(self._known) > self._MOST:
            del self._known[next(iter(self._known))]

    def holds(self, digest: str, part: str) -> bool:
        """Whether the part has been checked."""
        return (digest, part) in self._known


known_sound = KnownSound()


def splice(book: Book, edits: BookEdits, out: BinaryIO) -> SpliceReceipt:
    """Write the workbook with its edits into a stream that can seek.

    Where the book was opened with `indexes`, a sheet with an index there is saved by blocks, and one without is laid
    down as such; the receipt has the new indexes.

    Raises CellRefused for a cell that cannot be written, BlocksUnusable where an index turns out not to do (then it
    has to be forgotten), and other WorkbookErrors; what is in `out` then is worthless.
    """
    return _Splice(book, edits, out).run()


def _some(edits: Iterator[RowsAlike]) -> tuple[list[RowsAlike], bool]:
    """The first rows, and whether these are all and few enough for a save by blocks."""
    some: list[RowsAlike] = []
    count = characters = 0
    for alike in edits:
        some.append(alike)
        count += len(alike.rows)
        characters += sum(map(_characters, alike.values))
        if count > MOST_BY_BLOCKS or characters > MOST_CHARACTERS:
            return some, False
    return some, True


def _characters(values: Sequence[CellValue]) -> int:
    kinds = set(map(type, values))
    if kinds == {str}:
        return sum(map(len, values))  # type: ignore[arg-type]
    if kinds <= {int, float, bool, type(None)}:
        return 0
    return sum(len(value) for value in values if isinstance(value, str))


class _Splice:
    def __init__(self, book: Book, edits: BookEdits, out: BinaryIO) -> None:
        self.book = book
        self.out = ZipWriter(out)
        self.parts = BookParts(book.package, book.workbook_part.name)
        self.cells: dict[str, tuple[Sheet, CellEdits]] = {}
        self.contents: dict[str, tuple[Sheet, SheetContent]] = {}
        self.new: dict[str, SheetContent] = {}
        self._sort(edits)
        self.style_entry = book.related("styles")
        self.styles: Styles | None = None
        self.written = 0
        self.chain_stale = False
        self.parsed: list[str] = []
        self.redone: dict[str, Sequence[tuple[int, Block]]] = {}
        self.indexes: dict[str, SheetIndex] = {}
        self.copied: list[str] = []
        self.rewritten: list[str] = []
        self.added: list[str] = []
        self.removed: list[str] = []

    def _sort(self, edits: BookEdits) -> None:
        for name, rows in edits.cells.items():
            sheet = self.book.sheet(name)
            if sheet.part in self.cells:
                raise WorkbookNotSupported(f"Sheet {sheet.name} is named twice in the edits.")
            self.cells[sheet.part] = (sheet, rows)
        names = {sheet.name.casefold(): sheet for sheet in self.book.sheets}
        for name, content in edits.contents.items():
            check_columns(name, content)
            known = names.get(name.casefold())
            if known is None:
                self.new[name] = content
            elif known.part in self.cells:
                raise WorkbookNotSupported(f"Sheet {known.name} is edited and replaced at once.")
            else:
                self.contents[known.part] = (known, content)

    @property
    def idle(self) -> bool:
        return not (self.cells or self.contents or self.new)

    def run(self) -> SpliceReceipt:
        """Write the whole archive; see `splice`."""
        book = self.book
        if not self.idle and book.package.signed:
            raise WorkbookNotSupported(
                f"{book.path.name} carries a digital signature, which any edit would break.",
                "Remove the signature in Excel, or work on a copy without it.",
            )
        chain = book.related("calcChain")
        later = self._deferred(chain)
        for entry in book.container.entries:
            if entry.name in self.cells or entry.name in self.contents:
                with book.container.in_part(entry.name):
                    (self._edit if entry.name in self.cells else self._exchange)(entry)
            elif entry.name not in later:
                self._copy(entry)
        self._add_sheets()
        if not self.idle:
            self.parts.calculate_on_load()
        if chain is not None and self.chain_stale:
            self.parts.drop(chain.name)
            self.removed.append(chain.name)
        self._write_later(later)
        self._keep_indexes()
        digest = self.out.finish([entry.name for entry in book.container.entries])
        return SpliceReceipt(
            digest,
            tuple(self.copied),
            tuple(self.rewritten),
            tuple(self.added),
            tuple(self.removed),
            self.written,
            tuple(name for name in self.cells if name in self.redone or known_sound.holds(book.digest, name)),
            tuple(self.parsed),
            self.redone,
            self.indexes,
        )

    def _deferred(self, chain: Entry | None) -> dict[str, Entry]:
        """The parts that may have to change by what is found in the sheets."""
        if self.idle:
            return {}
        names = {self.book.workbook_part.name}
        if chain is not None:
            names |= {chain.name, self.parts.rels, self.parts.types}
        if self.new or self.style_entry is None:
            names |= {self.parts.rels, self.parts.types}
        if self.style_entry is not None:
            names.add(self.style_entry.name)
        for sheet, _ in (*self.cells.values(), *self.contents.values()):
            names |= self.book.table_parts(sheet)
        return {entry.name: entry for entry in self.book.container.entries if entry.name in names}

    def _copy(self, entry: Entry) -> None:
        self.out.copy(self.book.container, entry)
        self.copied.append(entry.name)

    def _styles(self) -> Styles:
        if self.styles is None:
            self.styles = self.book.fresh_styles()
        return self.styles

    # --- sheets --------------------------------------------------------------------------------------------------

    def _editor(self, sheet: str, scan: SheetScan) -> RowEditor:
        writer = CellWriter(scan.prefix.decode(), self._styles, date1904=self.book.date1904)
        return RowEditor(sheet, scan.prefix, writer, column_styles(scan.head))

    def _free_editor(self, sheet: str, scan: SheetScan) -> RowEditor:
        """For a sheet whose rows are all made anew."""
        editor = self._editor(sheet, scan)
        editor.settle(SheetLayout(0))
        return editor

    def _edit(self, entry: Entry) -> None:
        sheet, edits = self.cells[entry.name]
        layout = LayoutOf(
            self.book.known_layout(sheet), partial(self.book.completed, sheet), partial(self.book.layout, sheet.name)
        )
        index = self.book.index(sheet.part)
        rows = in_columns(edits)
        some, few = _some(rows) if index is not None else ([], False)
        blocks = Blocks(self.book.container, entry, index) if few and index is not None else None
        scan = frame_of(blocks) if blocks else self.book.scan(sheet)
        editor = self._editor(sheet.name, scan)
        edit = SheetEdit(scan, editor, some if blocks else chain(some, rows), layout, self.parts.calculated)
        part = self.out.part(entry, expected=entry.size)
        if blocks is not None:
            BlockEdit(blocks, scan, edit, some[-1].rows[-1] if some else 0).run(part)
        else:
            self._run_checked(entry, edit, part)
        part.finish()
        self.rewritten.append(entry.name)
        self._note(editor)
        self._note_blocks(entry.name, part, edit, by_blocks=blocks is not None)
        for found in editor.found_late:
            self._check_earlier(sheet, *found)
        for table in edit.layout.tables:
            grown = edit.growth.grown(table)
            if grown is not None:
                self.parts.resize_table(table.part, grown)
        grown = edit.growth.grown(None)
        if grown is not None:
            self.parts.resize_filter(sheet.name, grown)

    def _run_checked(self, entry: Entry, edit: SheetEdit, part: PartWriter) -> None:
        """Write a whole sheet, its XML being checked meanwhile where that saves time."""
        known = known_sound.holds(self.book.digest, entry.name) or not edit.scan.recoder.plain
        check = WellFormedness.of_part(0 if known else entry.size)
        part.check = check
        try:
            edit.run(part, blocks=self._lays_down(edit.scan))
            # What was held is exchanged at the end: the check has seen it as it was before.
            if check.confirmed() and is_well_formed(edit.frame(part)):
                self.parsed.append(entry.name)
        finally:
            check.close()
            part.check = None

    def _lays_down(self, scan: SheetScan) -> bool:
        """Whether a sheet is laid down as blocks, if its rows ascend: its bytes are what was scanned."""
        return self.book.indexes is not None and scan.recoder.plain and not scan.empty

    def _note_blocks(self, name: str, part: PartWriter, edit: SheetEdit, *, by_blocks: bool) -> None:
        layout = edit.layout
        if by_blocks:
            self.redone[name] = part.redone
        elif not layout.ordered or not self._lays_down(edit.scan):
            return
        self.indexes[name] = SheetIndex(
            tuple(part.blocks),
            max(layout.last_row, edit.editor.last_row),
            layout.merges,
            layout.arrays,
            edit.growth.grown(None) or layout.auto_filter,
            layout.table_ids,
        )

    def _keep_indexes(self) -> None:
        """Sheets that were copied as they are packed still are laid down as they were."""
        sheets = {sheet.part for sheet in self.book.sheets}
        for name in sheets.intersection(self.copied):
            index = self.book.index(name)
            if index is not None:
                self.indexes[name] = index

    def _note(self, editor: RowEditor) -> None:
        self.written += editor.cells
        self.chain_stale = self.chain_stale or editor.formulas_replaced or editor.writer.formulas

    def _check_earlier(self, sheet: Sheet, number: str, row: int, column: int) -> None:
        """Cells before a shared formula's holder were written before it was known that it goes."""
        scan = self.book.scan(sheet)
        before = 0
        for segment in scan.segments():
            for span in scan.rows(segment, before):
                before = span.number
                text = segment.text[span.start : span.end]
                if span.number > row or b"shared" not in text:
                    continue
                for other, element in cells_of(outline(text)):
                    formula = element.one("f")
                    earlier = (span.number, other) < (row, column)
                    if earlier and formula is not None and formula.get("si") == number and not formula.text.strip():
                        raise CellRefused(sheet.name, row, column, "cells before it share its formula")

    def _exchange(self, entry: Entry) -> None:
        sheet, content = self.contents[entry.name]
        layout = self.book.layout(sheet.name)
        tables = layout.tables
        scan = self.book.scan(sheet)
        editor = self._free_editor(sheet.name, scan)
        part = self.out.part(entry, expected=entry.size)
        area = exchange_rows(scan, editor, content, self._styles().bold(), part)
        part.finish()
        self.rewritten.append(entry.name)
        self._note(editor)
        self.chain_stale = True
        if layout.auto_filter is not None:
            self.parts.resize_filter(sheet.name, area)
        for table in tables:
            if table.totals or not self.parts.same_columns(table.part, [column.header for column in content.columns]):
                raise WorkbookNotSupported(
                    f"The rows of sheet {sheet.name} cannot be exchanged: its table {table.name} has other columns.",
                    "Turn the table back into a range, or delete the sheet; it is then made anew.",
                )
            self.parts.resize_table(table.part, area._replace(last_row=max(area.last_row, 2)))

    def _add_sheets(self) -> None:
        if not self.new:
            return
        names = self.parts.add_sheets(list(self.new))
        for name, content in self.new.items():
            scan = SheetScan(fresh_sheet(self.parts.namespace, content))
            editor = self._free_editor(name, scan)
            part = self.out.part(new_entry(names[name]))
            exchange_rows(scan, editor, content, self._styles().bold(), part)
            part.finish()
            self.added.append(names[name])
            self._note(editor)

    # --- the other parts -----------------------------------------------------------------------------------------

    def _write_later(self, later: Mapping[str, Entry]) -> None:
        if self.styles is not None and self.styles.changed:
            content = self.styles.result()
            if self.style_entry is not None:
                self._write(self.style_entry, content)
            else:
                name = self._beside_workbook("styles.xml")
                if self.book.package.find(name) is not None:
                    name = self.parts.free_name(self._beside_workbook("styles{}.xml"))
                self.parts.add("styles", name, STYLES_TYPE)
                self._write(new_entry(name), content, new=True)
        for name, content in self.parts.changed():
            entry = self.book.package.find(name)
            assert entry is not None
            self._write(entry, content)
        for name, entry in later.items():
            if name not in self.removed and name not in self.rewritten:
                self._copy(entry)

    def _beside_workbook(self, leaf: str) -> str:
        folder = self.book.workbook_part.name.rpartition("/")[0]
        return f"{folder}/{leaf}".lstrip("/")

    def _write(self, entry: Entry, content: bytes, *, new: bool = False) -> None:
        part = self.out.part(entry)
        part.write(content)
        part.finish()
        (self.added if new else self.rewritten).append(entry.name)
