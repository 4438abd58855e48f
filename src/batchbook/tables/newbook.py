"""New workbooks made from record types, for people and commands to work in together.

Each type gets a sheet with an Excel table, and with drop-downs, colours and formats that reach down to rows that are
added later; the last sheet explains them all. The same input gives the same bytes.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from batchbook.errors import UsageError
from batchbook.tables.bookout import discard_sheets, save_book
from batchbook.tables.kinds import Wrong
from batchbook.tables.newlooks import HEADERS, Look, Looks, NotWritable, column_look, dress, prepare_print
from batchbook.tables.newreadme import Note, write_read_me
from batchbook.tables.newrules import colours, listed, validation
from batchbook.tables.records import Column, Computed, RecordType, Reference
from batchbook.xlsx.places import MAX_ROW, letters
from batchbook.xlsx.values import CellValue

READ_ME = "Read me"
LISTS = "Lists"
MAKER = "batchbook"
EPOCH = dt.datetime(2026, 1, 1)
"""When a workbook was made, where nobody says so: what is made again is then the same."""
_FILTER_BUTTON = 3
"""Characters of a header cell that its button covers."""
_THIS_ROW = re.compile(r"(?<![\w\]])\[@(?:\[([^\[\]]+)\]|([^\[\]]+))\]")
_WHOLE_COLUMN = re.compile(r"\b([^\W\d]\w*)\[([^\[\]@#]+)\]")


def new_workbook(
    stream: IO[bytes],
    types: Sequence[RecordType[Any]],
    *,
    title: str,
    notes: Sequence[Note] = (),
    records: Mapping[str, Iterable[Any]] | None = None,
    active: str = "",
    made: dt.datetime = EPOCH,
) -> dict[str, int]:
    """Write a new workbook with one sheet for each type, in this order, and a sheet that explains them.

    notes: what the Read me sheet says above and below the columns. records: by sheet, taken one by one. active: the
    sheet that is in front when the workbook is opened, the first where empty. made: goes into the properties, UTC.
    Gives the number of records by sheet. Raises UsageError where a record holds what no cell can, and TypeError where
    sheets, tables or headers have the same name.
    """
    from openpyxl import Workbook
    from openpyxl.packaging.core import DocumentProperties

    _check_names(types)
    given = dict(records or {})
    unknown = given.keys() - {kind.sheet for kind in types}
    if unknown or (active and active not in {kind.sheet for kind in types}):
        raise TypeError(f"no record type has the sheets {unknown or active}")
    book = Workbook(write_only=True)
    book.properties = DocumentProperties(creator=MAKER, lastModifiedBy=MAKER, title=title, created=made, modified=made)
    try:
        looks = Looks()
        lists = _Lists.of(types)
        pages = {kind.sheet: _Page(book, kind, types, lists, looks) for kind in types}
        pages[active or types[0].sheet].put_in_front()
        counts = {sheet: page.write(given.get(sheet, ())) for sheet, page in pages.items()}
        write_read_me(book.create_sheet(READ_ME), types, title, notes, looks)
        lists.write(book, looks)
        book.active = list(pages).index(active) if active else 0
        save_book(book, stream)
    finally:
        discard_sheets(book)
    return counts


def _check_names(types: Sequence[RecordType[Any]]) -> None:
    """Excel asks to repair a workbook in which one of these names is there twice."""
    names = [
        [READ_ME, LISTS, *(kind.sheet for kind in types)],
        [kind.table_name for kind in types],
        *([*(column.header for column in kind.columns), *(one.header for one in kind.computed)] for kind in types),
    ]
    for some in names:
        doubled = {one for one in some if [other.casefold() for other in some].count(one.casefold()) > 1}
        if doubled:
            raise TypeError(f"{', '.join(sorted(doubled))}: there twice")


def _letter_of(kind: RecordType[Any], name: str) -> str:
    return letters([column.name for column in kind.columns].index(name) + 1)


def _place(sheet: str, letter: str, first: int, last: int) -> str:
    return f"{_quoted(sheet)}!${letter}${first}:${letter}${last}"


def _quoted(sheet: str) -> str:
    doubled = sheet.replace("'", "''")
    return f"'{doubled}'"


def _key_places(types: Sequence[RecordType[Any]]) -> dict[Reference, str]:
    """Where the values stand that columns of other sheets refer to, down to the last row."""
    return {
        Reference(kind.sheet, column.name): _place(kind.sheet, _letter_of(kind, column.name), 2, MAX_ROW)
        for kind in types
        for column in kind.columns
    }


@dataclass(frozen=True)
class _Lists:
    """The values of drop-downs that have no room in the drop-down itself: a hidden sheet, one column for each."""

    columns: tuple[tuple[str, Column], ...]

    @classmethod
    def of(cls, types: Sequence[RecordType[Any]]) -> _Lists:
        """The lists that some types need: of each column with more values than a drop-down takes itself."""
        return cls(
            tuple(
                (kind.sheet, column)
                for kind in types
                for column in kind.columns
                if column.allowed and listed(column.allowed) is None
            )
        )

    def places(self, sheet: str) -> dict[str, str]:
        """Where the values of a sheet's columns stand, by the columns' names."""
        return {
            column.name: _place(LISTS, letters(number), 2, 1 + len(column.allowed))
            for number, (of, column) in enumerate(self.columns, 1)
            if of == sheet
        }

    def write(self, book: Any, looks: Looks) -> None:
        """Add the hidden sheet to a book of openpyxl that is being written; none where no column needs it."""
        if not self.columns:
            return
        page = book.create_sheet(LISTS)
        page.sheet_state = "hidden"
        head, plain = HEADERS["machine"], Look(format="@")
        page.append([looks.cell(page, f"{sheet}: {column.header}", head) for sheet, column in self.columns])
        for row in range(max(len(column.allowed) for _, column in self.columns)):
            page.append(
                [
                    looks.cell(page, column.allowed[row], plain) if row < len(column.allowed) else None
                    for _, column in self.columns
                ]
            )
        page.close()


class _Page:
    """One sheet of records on its way into the file."""

    def __init__(
        self, book: Any, kind: RecordType[Any], types: Sequence[RecordType[Any]], lists: _Lists, looks: Looks
    ) -> None:
        self._kind = kind
        self._types = types
        self._lists = lists
        self._looks = looks
        self._page: Any = book.create_sheet(kind.sheet)
        self._last = letters(len(kind.columns) + len(kind.computed))
        self._formulas = [formula_of(kind, one, types) for one in kind.computed]
        self._column_looks = [column_look(column) for column in kind.columns]
        self._computed_looks = [Look(format=one.format, side="right") for one in kind.computed]

    def put_in_front(self) -> None:
        """Let it be the sheet that is seen first."""
        self._page.sheet_view.tabSelected = True

    def write(self, records: Iterable[Any]) -> int:
        """Write the sheet from its header to its table, once; gives how many records it got."""
        self._set_up()
        self._header()
        count = 0
        for record in records:
            count += 1
            self._page.append(self._row(record, count))
        self._table(max(count, 1))
        self._rules()
        self._page.close()
        return count

    def _set_up(self) -> None:
        page, kind = self._page, self._kind
        widths = [*(column.width for column in kind.columns), *(one.width for one in kind.computed)]
        looks = [*self._column_looks, *self._computed_looks]
        for number, (width, look) in enumerate(zip(widths, looks, strict=True), 1):
            dimension = page.column_dimensions[letters(number)]
            dimension.width = width
            dress(dimension, look)
        keys = [number for number, column in enumerate(kind.columns, 1) if column.name in kind.key]
        page.freeze_panes = f"{letters(max(keys, default=0) + 1)}2"
        page.print_title_rows = "1:1"
        prepare_print(page)

    def _header(self) -> None:
        kind = self._kind
        headers = [(column.header, column.width, HEADERS[column.owner]) for column in kind.columns]
        headers += [(one.header, one.width, HEADERS["computed"]) for one in kind.computed]
        lines = max(header_lines(header, width) for header, width, _ in headers)
        self._page.row_dimensions[1].height = 15.0 * lines + 9
        self._page.append([self._looks.cell(self._page, header, look) for header, _, look in headers])
        del self._page.row_dimensions[1]

    def _row(self, record: Any, count: int) -> list[Any]:
        cells: list[Any] = []
        for column, look in zip(self._kind.columns, self._column_looks, strict=True):
            value = getattr(record, column.name)
            try:
                written: CellValue = None if value is None else column.kind.write(value)
                cells.append(None if written is None else self._looks.cell(self._page, written, look))
            except (NotWritable, Wrong) as problem:
                said = problem.said if isinstance(problem, Wrong) else problem
                raise UsageError(
                    f"Record {count} of sheet {self._kind.sheet} cannot be written, for its {column.header}: {said}.",
                    "Change it, and try again.",
                ) from None
        for formula, look in zip(self._formulas, self._computed_looks, strict=True):
            cells.append(self._looks.formula(self._page, formula, look))
        return cells

    def _table(self, rows: int) -> None:
        """An Excel table; one without records has an empty row, for a table has to have one."""
        from openpyxl.worksheet.filters import AutoFilter
        from openpyxl.worksheet.table import Table, TableColumn, TableFormula, TableStyleInfo

        ref = f"A1:{self._last}{rows + 1}"
        table = Table(displayName=self._kind.table_name, name=self._kind.table_name, ref=ref)
        headers = [column.header for column in self._kind.columns]
        table.tableColumns = [TableColumn(id=number, name=header) for number, header in enumerate(headers, 1)]
        for one, formula in zip(self._kind.computed, self._formulas, strict=True):
            table.tableColumns.append(
                TableColumn(
                    id=len(table.tableColumns) + 1,
                    name=one.header,
                    calculatedColumnFormula=TableFormula(attr_text=formula),
                )
            )
        table.autoFilter = AutoFilter(ref=ref)
        table.tableStyleInfo = TableStyleInfo(name="TableStyleLight1", showRowStripes=True)
        self._page._tables.add(table)  # `add_table` warns that columns are missing, whether or not they are

    def _rules(self) -> None:
        places, keys = self._lists.places(self._kind.sheet), _key_places(self._types)
        for number, column in enumerate(self._kind.columns, 1):
            checked = validation(column, letters(number), places, keys)
            if checked is not None:
                self._page.data_validations.append(checked)
            for cells, rule in colours(column, letters(number), self._last):
                self._page.conditional_formatting.add(cells, rule)


def header_lines(header: str, width: float) -> int:
    """How many lines a header takes in a column with a filter button."""
    room = max(width - _FILTER_BUTTON, 1)
    lines, used = 1, 0.0
    for word in header.split():
        if used and used + 1 + len(word) > room:
            lines, used = lines + 1, 0.0
        used += len(word) + (1 if used else 0)
        if used > room:
            lines, used = lines + math.ceil(used / room) - 1, used % room
    return lines


def formula_of(kind: RecordType[Any], computed: Computed, types: Sequence[RecordType[Any]]) -> str:
    """The formula of a computed column as a file holds it.

    ``[@Total]`` is a short form that files do not have. ``Table[Column]`` becomes the whole column of the sheet: what
    is typed below a table where programs do not make it longer (LibreOffice does not) has to be counted as well.
    """
    tables = {one.table_name: one for one in types}

    def column(found: re.Match[str]) -> str:
        other = tables[found[1]]
        letter = letters([one.header for one in other.columns].index(found[2]) + 1)
        return f"{_quoted(other.sheet)}!${letter}:${letter}"

    formula = _WHOLE_COLUMN.sub(column, computed.formula)
    return _THIS_ROW.sub(lambda match: f"{kind.table_name}[[#This Row],[{match[1] or match[2]}]]", formula)
