"""What an edit changes in the parts around the sheets, each edited as text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import count
from xml.sax.saxutils import quoteattr

from batchbook.errors import WorkbookDamaged, WorkbookNotSupported
from batchbook.xlsx.growth import ColumnFormula
from batchbook.xlsx.layout import TableRange
from batchbook.xlsx.package import CONTENT_TYPES, MAIN_NAMESPACES, Package, rels_name, resolve
from batchbook.xlsx.places import Range, letters, parse_range
from batchbook.xlsx.rowedit import translated
from batchbook.xlsx.stringtable import decode_hex
from batchbook.xlsx.xmltext import Element, SmallPart, escape_text, whole

SHEET_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"
STYLES_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"
_BEFORE_CALC = (
    "fileVersion", "fileSharing", "workbookPr", "workbookProtection", "bookViews", "sheets", "functionGroups",
    "externalReferences", "definedNames",
)  # fmt: skip
FILTER_NAME = "_xlnm._FilterDatabase"
_FORBIDDEN = re.compile(r"[\[\]:*?/\\\x00-\x1f]")


class BookParts:
    """The workbook, its relationships and the content types, read when they are needed, with what is to change."""

    def __init__(self, package: Package, workbook: str) -> None:
        self._package = package
        self._workbook = workbook
        self._read: dict[str, SmallPart] = {}
        self._taken: set[str] = set()
        self._names: set[str] = set()
        self.rels = rels_name(workbook)
        found = package.find(self.rels)
        self.rels = found.name if found is not None else self.rels
        types = package.find(CONTENT_TYPES)
        self.types = types.name if types is not None else CONTENT_TYPES

    def part(self, name: str) -> SmallPart:
        """A part, with the edits made to it so far."""
        if name not in self._read:
            entry = self._package.find(name)
            if entry is None:
                raise WorkbookDamaged(f"{self._package.container.path.name} has no part {name!r}.")
            self._read[name] = self._package.small(entry)
        return self._read[name]

    def changed(self) -> Iterator[tuple[str, bytes]]:
        """The parts that have changed."""
        for name, part in self._read.items():
            if part.changed:
                yield name, part.result()

    @property
    def namespace(self) -> str:
        """The main namespace of the workbook: transitional or strict."""
        root = self.part(self._workbook).root
        key = f"xmlns:{root.prefix[:-1]}" if root.prefix else "xmlns"
        found = root.attributes.get(key, "")
        if found not in MAIN_NAMESPACES:
            raise WorkbookNotSupported("The workbook is written in a namespace that is not that of workbooks.")
        return found

    # --- calculation ---------------------------------------------------------------------------------------------

    def calculate_on_load(self) -> None:
        """Ask the program that opens the workbook to calculate every formula."""
        part = self.part(self._workbook)
        root = part.root
        found = root.one("calcPr")
        if found is not None:
            if found.get("fullCalcOnLoad") not in ("1", "true"):
                part.set_attribute(found, "fullCalcOnLoad", "1")
            return
        before = [child for child in root.children if child.name in _BEFORE_CALC]
        if before:
            part.insert(before[-1].end, f'<{root.prefix}calcPr fullCalcOnLoad="1"/>')

    def drop(self, name: str) -> None:
        """Take a part out of the relationships of the workbook and the content types."""
        rels = self.part(self.rels)
        for link in rels.root.all("Relationship"):
            if link.get("TargetMode") != "External" and self._same(resolve(self._workbook, link.get("Target")), name):
                rels.replace(link.start, link.end, "")
        types = self.part(self.types)
        for override in types.root.all("Override"):
            if self._same(override.get("PartName").lstrip("/"), name):
                types.replace(override.start, override.end, "")

    def _same(self, one: str, other: str) -> bool:
        entry = self._package.find(one)
        return entry is not None and entry.name == other

    # --- additions -----------------------------------------------------------------------------------------------

    def add(self, kind: str, part: str, content_type: str) -> str:
        """Announce a new part that the workbook links to; returns the relationship's id."""
        rels, types = self.part(self.rels), self.part(self.types)
        self._taken |= {link.get("Id") for link in rels.root.all("Relationship")}
        link = next(f"rId{i}" for i in range(1, len(self._taken) + 2) if f"rId{i}" not in self._taken)
        self._taken.add(link)
        kind = f"{MAIN_NAMESPACES[self.namespace]}/{kind}"
        target = quoteattr("/" + part)
        tag = rels.root.prefix + "Relationship"
        rels.append_child(rels.root, f'<{tag} Id="{link}" Type="{kind}" Target={target}/>')
        tag = types.root.prefix + "Override"
        types.append_child(types.root, f'<{tag} PartName={target} ContentType="{content_type}"/>')
        return link

    def free_name(self, pattern: str) -> str:
        """A part name that is not taken, and is from now on; `pattern` has a place for a number."""
        return next(name for name in map(pattern.format, count(1)) if self._take(name))

    def _take(self, name: str) -> bool:
        free = name not in self._names and self._package.find(name) is None
        self._names.add(name)
        return free

    def add_sheets(self, names: list[str]) -> dict[str, str]:
        """Put sheets behind the last one; returns their part names."""
        part = self.part(self._workbook)
        listed = part.root.one("sheets")
        if listed is None:
            raise WorkbookDamaged("The workbook has no list of sheets.")
        present = list(listed.all("sheet"))
        for name in names:
            _check_sheet_name(name, present)
        key = next((k for s in present for k in s.attributes if k.endswith(":id")), "r:id")
        highest = max((whole(s.get("sheetId")) for s in present), default=0)
        folder = self._workbook.rpartition("/")[0]
        added: dict[str, str] = {}
        new = ""
        for number, name in enumerate(names, highest + 1):
            added[name] = self.free_name(f"{folder}/worksheets/sheet{{}}.xml".lstrip("/"))
            link = self.add("worksheet", added[name], SHEET_TYPE)
            # The prefix may be declared on other sheets' elements only, so it is declared here too.
            bound = f'xmlns:{key.partition(":")[0]}="{MAIN_NAMESPACES[self.namespace]}"'
            new += f'<{listed.prefix}sheet {bound} name={quoteattr(name)} sheetId="{number}" {key}="{link}"/>'
        part.append_child(listed, new)
        return added

    # --- tables --------------------------------------------------------------------------------------------------

    def same_columns(self, name: str, headers: list[str]) -> bool:
        """Whether a table has exactly these columns."""
        columns = self.part(name).root.one("tableColumns")
        return columns is not None and [column.get("name") for column in columns.all("tableColumn")] == headers

    def resize_table(self, name: str, area: Range) -> None:
        """Give a table, and its filter, another last row."""
        part = self.part(name)
        _set_ref(part, part.root, area)
        filtered = part.root.one("autoFilter")
        if filtered is not None:
            _set_ref(part, filtered, area)

    def calculated(self, table: TableRange) -> dict[int, Callable[[int], ColumnFormula]]:
        """The formulas of a table's calculated columns, by column and then by row."""
        root = self.part(table.part).root
        columns = root.one("tableColumns")
        # References without dollar signs count from the first row of data.
        first = table.ref.first_row + whole(root.get("headerRowCount", "1"), 1)
        found = {}
        for place, column in enumerate(columns.all("tableColumn") if columns else (), table.ref.first_column):
            element = column.one("calculatedColumnFormula")
            if element is not None and element.text.strip() and place <= table.ref.last_column:
                array = element.get("array") in ("1", "true")
                found[place] = _by_row(decode_hex(element.text), place, first, array)
        return found

    def resize_filter(self, sheet: str, area: Range) -> None:
        """Let the hidden name that Excel keeps for a sheet's filter say where the filter lies now."""
        part = self.part(self._workbook)
        listed, names = part.root.one("sheets"), part.root.one("definedNames")
        if listed is None or names is None:
            return
        own = {str(i) for i, one in enumerate(listed.all("sheet")) if one.get("name") == sheet}
        for name in names.all("definedName"):
            where, mark, ref = name.text.rpartition("!")
            if name.get("name") == FILTER_NAME and name.get("localSheetId") in own and mark and parse_range(ref):
                first, last = (
                    f"${letters(column)}${row}"
                    for column, row in ((area.first_column, area.first_row), (area.last_column, area.last_row))
                )
                part.replace(name.inner, name.close, escape_text(f"{where}!{first}:{last}"))


def _by_row(text: str, column: int, first: int, array: bool) -> Callable[[int], ColumnFormula]:
    origin = f"{letters(column)}{first}"
    # Most formulas name columns of the table only, and read the same in every row.
    if translated(text, origin, f"{letters(column)}{first + 1}") == text:
        same = ColumnFormula(text, array)
        return lambda _: same
    return lambda row: ColumnFormula(translated(text, origin, f"{letters(column)}{row}"), array)


def _set_ref(part: SmallPart, element: Element, area: Range) -> None:
    if element.get("ref") != str(area):
        part.set_attribute(element, "ref", str(area))


def _check_sheet_name(name: str, present: list[Element]) -> None:
    bad = not 1 <= len(name) <= 31 or _FORBIDDEN.search(name) or name[0] == "'" or name[-1] == "'"
    if bad or name.casefold() == "history":
        raise WorkbookNotSupported(
            f"{name!r} cannot be the name of a sheet.",
            "A name has 1 to 31 characters, none of them one of []:*?/\\ or a control character.",
        )
    if any(sheet.get("name").casefold() == name.casefold() for sheet in present):
        raise WorkbookNotSupported(f"The workbook has something named {name!r} that is no worksheet.", "Rename it.")
