"""What around the cells of a sheet decides whether one can be written: merges, arrays, tables, filter."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from operator import lt

from batchbook.xlsx.masking import has_marks, mask
from batchbook.xlsx.places import Range, parse_range
from batchbook.xlsx.scan import Segment, SheetScan
from batchbook.xlsx.xmltext import attributes

_SPANNING = re.compile(rb"<(?:[\w.-]+:)?f(?=\s)((?:[^<>\"']++|\"[^<\"]*+\"|'[^<']*+')*+)>")
_MERGE = re.compile(rb"<(?:[\w.-]+:)?mergeCell(?=\s)([^<>]*+)>")
_FILTER = re.compile(rb"<(?:[\w.-]+:)?autoFilter(?=\s)([^<>]*+)>")
_TABLE_PART = re.compile(rb"<(?:[\w.-]+:)?tablePart(?=\s)([^<>]*+)>")


@dataclass(frozen=True, slots=True)
class TableRange:
    """A table of a sheet: its name, where it lies, and the part that describes it."""

    name: str
    ref: Range
    part: str
    totals: bool = False


class _Ranges:
    """Ranges that do not overlap, found by a cell. Tall ones apart, so that the rest can be looked up by row."""

    _TALL = 1024

    def __init__(self, ranges: Iterable[Range]) -> None:
        self._tall: list[Range] = []
        self._by_band: dict[int, list[Range]] = {}
        for one in ranges:
            if one.last_row - one.first_row > self._TALL:
                self._tall.append(one)
                continue
            for band in range(one.first_row >> 6, (one.last_row >> 6) + 1):
                self._by_band.setdefault(band, []).append(one)

    def find(self, row: int, column: int) -> Range | None:
        for one in self._by_band.get(row >> 6, ()):
            if one.holds(row, column):
                return one
        return next((one for one in self._tall if one.holds(row, column)), None)


@dataclass(frozen=True)
class SheetLayout:
    """The ranges of a sheet that matter for writing."""

    last_row: int
    """The number of the last row in the file, whether or not its cells hold anything; 0 without rows."""
    merges: tuple[Range, ...] = ()
    arrays: tuple[Range, ...] = ()
    """Array formulas and data tables that span more than one cell."""
    tables: tuple[TableRange, ...] = ()
    auto_filter: Range | None = None
    ordered: bool = True
    """Whether each row stands below the one before it, and none twice."""
    table_ids: tuple[str, ...] = ()
    """The relationships that lead to the tables."""
    _merged: _Ranges = field(init=False, repr=False, compare=False)
    _spanned: _Ranges = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_merged", _Ranges(self.merges))
        object.__setattr__(self, "_spanned", _Ranges(self.arrays))

    @property
    def free(self) -> bool:
        """Whether no cell is locked."""
        return not self.merges and not self.arrays

    def locked(self, row: int, column: int) -> str | None:
        """Why a cell cannot be written, or None."""
        found = self._merged.find(row, column)
        if found is not None and (row, column) != (found.first_row, found.first_column):
            return f"it is hidden in the merged cells {found}"
        found = self._spanned.find(row, column)
        if found is not None:
            return f"it belongs to an array formula or data table over {found}"
        return None


@dataclass(slots=True)
class ScannedLayout:
    """What one pass over a sheet finds."""

    last_row: int = 0
    ordered: bool = True
    arrays: list[Range] = field(default_factory=list)
    merges: list[Range] = field(default_factory=list)
    auto_filter: Range | None = None
    table_ids: list[str] = field(default_factory=list)


class LayoutScan:
    """The layout found out while a sheet goes by: `take` each segment, then `end`."""

    def __init__(self, scan: SheetScan) -> None:
        self._scan = scan
        self._before = 0
        self.found = ScannedLayout()

    def take(self, segment: Segment) -> list[int]:
        """The numbers of the segment's rows."""
        found, masked = self.found, segment.masked
        numbers = row_numbers(self._scan, masked, self._before)
        if numbers:
            found.ordered = found.ordered and numbers[0] > self._before and ascending(numbers)
            found.last_row = max(found.last_row, numbers[-1] if found.ordered else max(numbers))
            self._before = numbers[-1]
        if b"array" in masked or b"dataTable" in masked:
            found.arrays += spanning(masked)
        return numbers

    def end(self) -> ScannedLayout:
        """What was found, with what stands behind the rows; the scan has come to its end."""
        _read_tail(self.found, self._scan.tail)
        return self.found


def scan_layout(scan: SheetScan) -> ScannedLayout:
    """Read a sheet once for its layout."""
    layout = LayoutScan(scan)
    for segment in scan.segments():
        layout.take(segment)
    return layout.end()


_ROW = re.compile(rb'<row(?: r="([0-9]{1,7})")?')


def row_numbers(scan: SheetScan, masked: bytes, before: int) -> list[int]:
    """The numbers of the rows in a segment."""
    given = _ROW.findall(masked) if not scan.prefix else [b""]
    if all(given):  # the number comes first in each, as most programs write them
        return list(map(int, given))
    return [span.number for span in scan.rows(Segment(masked, masked), before)]


def ascending(numbers: Sequence[int]) -> bool:
    """Whether each number is greater than the one before."""
    return all(map(lt, numbers, islice(numbers, 1, None)))


def spanning(masked: bytes) -> list[Range]:
    """The ranges of array formulas and data tables that are more than one cell."""
    ranges = []
    for match in _SPANNING.finditer(masked):
        given = attributes(match[1])
        if given.get(b"t") in (b"array", b"dataTable"):
            area = parse_range(given.get(b"ref", b"").decode("utf-8", "replace"))
            if area is not None and not area.single:
                ranges.append(area)
    return ranges


def _read_tail(found: ScannedLayout, text: bytes) -> None:
    tail = mask(text) if has_marks(text) else text
    for match in _MERGE.finditer(tail):
        area = parse_range(attributes(match[1]).get(b"ref", b"").decode("utf-8", "replace"))
        if area is not None and not area.single:
            found.merges.append(area)
    # A person's saved view may have a filter of its own further down.
    views = tail.find(b"customSheetViews")
    filtered = _FILTER.search(tail, 0, len(tail) if views < 0 else views)
    if filtered:
        found.auto_filter = parse_range(attributes(filtered[1]).get(b"ref", b"").decode("utf-8", "replace"))
    for match in _TABLE_PART.finditer(tail):
        for name, value in attributes(match[1]).items():
            if name.rpartition(b":")[2] == b"id":
                found.table_ids.append(value.decode("utf-8", "replace"))
