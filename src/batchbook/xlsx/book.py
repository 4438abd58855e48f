"""An opened workbook: its sheets, their rows, and what is around the cells."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from batchbook.errors import ConfigurationError, WorkbookDamaged
from batchbook.xlsx.blocks import Blocks, BlocksUnusable, SheetIndex, SheetIndexes
from batchbook.xlsx.cells import Cell, Decoder
from batchbook.xlsx.container import DAMAGED_ADVICE, Container, Entry
from batchbook.xlsx.layout import ScannedLayout, SheetLayout, TableRange, scan_layout
from batchbook.xlsx.package import Package
from batchbook.xlsx.places import parse_range
from batchbook.xlsx.quickrows import decoded_rows
from batchbook.xlsx.rowsat import RowsAt
from batchbook.xlsx.scan import SheetScan
from batchbook.xlsx.stringtable import StringTable
from batchbook.xlsx.styles import Styles

STATES = ("visible", "hidden", "veryHidden")


@dataclass(frozen=True, slots=True)
class Sheet:
    """A worksheet: its name on the tab, its part in the archive, and whether it is shown."""

    name: str
    part: str
    state: str = "visible"


class Book:
    """An opened workbook. It keeps its own file handle: reading goes on from what was opened, whatever replaces it."""

    def __init__(self, container: Container, indexes: SheetIndexes | None = None) -> None:
        self.indexes = indexes
        self._known: dict[str, SheetIndex | None] = {}
        self.container = container
        self.path = container.path
        self.digest = container.digest
        self.package = Package(container)
        self.workbook_part: Entry = self.package.workbook()
        self._links = self.package.relationships(self.workbook_part.name)
        self._read_workbook()
        self._styles: Styles | None = None
        self._strings: StringTable | None = None
        self._layouts: dict[str, SheetLayout] = {}

    @classmethod
    def open(cls, path: Path | str, indexes: SheetIndexes | None = None) -> Book:
        """Open a workbook for reading; with `indexes` it can be saved by blocks (see `blocks`).

        Raises WorkbookMissing, WorkbookDamaged or WorkbookNotSupported.
        """
        container = Container(Path(path))
        try:
            return cls(container, indexes)
        except BaseException:
            container.close()
            raise

    def __enter__(self) -> Book:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self.container.close()

    # --- sheets --------------------------------------------------------------------------------------------------

    def _read_workbook(self) -> None:
        root = self.package.small(self.workbook_part).root
        properties = root.one("workbookPr")
        self.date1904 = properties is not None and properties.get("date1904") in ("1", "true", "on")
        targets = {link.id: link for link in self._links}
        sheets = []
        listed = root.one("sheets")
        for element in listed.all("sheet") if listed else ():
            link = targets.get(next((v for k, v in element.attributes.items() if k.endswith(":id")), ""))
            if link is None or link.external or link.kind != "worksheet":
                continue
            part = self.package.find(link.target)
            state = element.get("state", "visible")
            if part is not None:
                sheets.append(Sheet(element.get("name"), part.name, state if state in STATES else "visible"))
        self.sheets: tuple[Sheet, ...] = tuple(sheets)
        if not self.sheets:
            raise WorkbookDamaged(f"{self.path.name} has no worksheet that is there.", DAMAGED_ADVICE)

    def sheet(self, name: str) -> Sheet:
        """The sheet of a name, in whatever case."""
        exact = [sheet for sheet in self.sheets if sheet.name == name]
        for sheet in exact or self.sheets:
            if sheet.name.casefold() == name.casefold():
                return sheet
        raise ConfigurationError(
            f"There is no sheet {name!r} in {self.path.name}.",
            f"Its sheets are: {', '.join(repr(s.name) for s in self.sheets[:50])}.",
        )

    # --- what the sheets share -----------------------------------------------------------------------------------

    def related(self, kind: str) -> Entry | None:
        """A part that the workbook links to, by kind."""
        for link in self._links:
            if link.kind == kind and not link.external:
                entry = self.package.find(link.target)
                if entry is not None:
                    return entry
        return None

    @property
    def styles(self) -> Styles:
        """The styles, for reading."""
        if self._styles is None:
            self._styles = self.fresh_styles()
        return self._styles

    def fresh_styles(self) -> Styles:
        """The styles as they are in the file, for adding to them."""
        entry = self.related("styles")
        return Styles(self.package.small(entry) if entry is not None else None)

    def _shared_strings(self) -> StringTable:
        if self._strings is None:
            entry = self.related("sharedStrings")
            if entry is None:
                self._strings = StringTable(())
            else:
                with self.container.in_part(entry.name):
                    named = f"the part {entry.name[:200]!r} of {self.path.name}"
                    self._strings = StringTable(self.container.stream(entry), named)
        return self._strings

    # --- reading -------------------------------------------------------------------------------------------------

    def scan(self, sheet: Sheet) -> SheetScan:
        """A pass over a sheet's XML."""
        entry = self.package.find(sheet.part)
        assert entry is not None
        return SheetScan(self.container.stream(entry))

    def rows(self, sheet: str, columns: Collection[int] | None = None) -> Iterator[tuple[int, dict[int, Cell]]]:
        """The rows of a sheet that hold anything: number and cells by column, both 1-based.

        With `columns` only those are decoded. The sheet streams; any number of iterators may be open at once.
        """
        return self._rows(self.sheet(sheet), None if columns is None else frozenset(columns))

    def _rows(self, sheet: Sheet, wanted: frozenset[int] | None) -> Iterator[tuple[int, dict[int, Cell]]]:
        exact = Decoder(self.styles, self._shared_strings, date1904=self.date1904)
        with self.container.in_part(sheet.part):
            yield from decoded_rows(self.scan(sheet), exact, wanted)

    def rows_at(
        self, sheet: str, numbers: Collection[int], columns: Collection[int] | None = None
    ) -> dict[int, dict[int, Cell]]:
        """The cells of some rows, by row number, those that are not there left out; 1-based.

        Where the sheet is laid down as blocks, and the book was opened with its index, only theirs are read.
        """
        which = self.sheet(sheet)
        if not numbers:
            return {}
        exact = Decoder(self.styles, self._shared_strings, date1904=self.date1904)
        rows = RowsAt(exact, numbers, None if columns is None else frozenset(columns))
        with self.container.in_part(which.part):
            index, entry = self.index(which.part), self.package.find(which.part)
            if index is not None and entry is not None:
                with suppress(BlocksUnusable):
                    return rows.of_blocks(Blocks(self.container, entry, index))
            return rows.of_sheet(self.scan(which))

    def layout(self, sheet: str) -> SheetLayout:
        """What is around the cells of a sheet; one quick pass, remembered."""
        which = self.sheet(sheet)
        if which.part not in self._layouts:
            with self.container.in_part(which.part):
                self._layouts[which.part] = self._layout(which)
        return self._layouts[which.part]

    def _layout(self, sheet: Sheet) -> SheetLayout:
        return self.completed(sheet, self.index(sheet.part) or scan_layout(self.scan(sheet)))

    def known_layout(self, sheet: Sheet) -> SheetLayout | None:
        """The layout of a sheet where it takes no reading of the sheet."""
        known = sheet.part in self._layouts or self.index(sheet.part) is not None
        return self.layout(sheet.name) if known else None

    def completed(self, sheet: Sheet, found: ScannedLayout | SheetIndex) -> SheetLayout:
        """The layout from what was found in the sheet itself."""
        return SheetLayout(
            found.last_row,
            tuple(found.merges),
            tuple(found.arrays),
            tuple(self._tables(sheet, found.table_ids)),
            found.auto_filter,
            found.ordered,
            tuple(found.table_ids),
        )

    def index(self, part: str) -> SheetIndex | None:
        """The index of a sheet that is laid down as blocks, where the book was opened with indexes that have it."""
        if self.indexes is None:
            return None
        if part not in self._known:
            self._known[part] = self.indexes.find(self.digest, part)
        return self._known[part]

    def table_parts(self, sheet: Sheet) -> set[str]:
        """The parts of a sheet's tables, whether or not the sheet has a place for them."""
        links = [link for link in self.package.relationships(sheet.part) if link.kind == "table" and not link.external]
        entries = [self.package.find(link.target) for link in links]
        return {entry.name for entry in entries if entry is not None}

    def totals_row(self, sheet: str, row: int, column: int) -> int | None:
        """The row of totals of the table whose header has this cell; None without. Takes no reading of the sheet."""
        for part in self.table_parts(self.sheet(sheet)):
            entry = self.package.find(part)
            assert entry is not None
            root = self.package.small(entry).root
            area = parse_range(root.get("ref"))
            begins = area is not None and area.first_row == row and area.holds(row, column)
            if area is not None and begins and root.get("totalsRowCount") == "1" and area.last_row > row:
                return area.last_row
        return None

    def _tables(self, sheet: Sheet, ids: Iterable[str]) -> Iterator[TableRange]:
        links = {link.id: link for link in self.package.relationships(sheet.part)} if ids else {}
        for one in ids:
            link = links.get(one)
            entry = self.package.find(link.target) if link is not None and not link.external else None
            if entry is None:
                continue
            root = self.package.small(entry).root
            area = parse_range(root.get("ref"))
            if area is not None:
                name = root.get("displayName") or root.get("name")
                totals = root.get("totalsRowCount", "0") not in ("", "0")
                yield TableRange(name, area, entry.name, totals)


def sheet_names(path: Path | str) -> list[str]:
    """The names of a workbook's worksheets in tab order."""
    with Book.open(path) as book:
        return [sheet.name for sheet in book.sheets]


def digest_of(path: Path | str) -> str:
    """The digest of a workbook: over its archive's directory, so it costs no reading of the content."""
    container = Container(Path(path))
    try:
        return container.digest
    finally:
        container.close()
