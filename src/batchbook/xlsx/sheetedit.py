"""A sheet rewritten while it streams through: rows that change are cut and joined, the rest passes as it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

from batchbook.errors import WorkbookDamaged, WorkbookNotSupported
from batchbook.xlsx.blocks import BLOCK, HEAD
from batchbook.xlsx.container import DAMAGED_ADVICE
from batchbook.xlsx.edits import CellEdits, Cells, EditQueue, RowsAlike, row_by_row
from batchbook.xlsx.growth import Calculated, Growth
from batchbook.xlsx.layout import LayoutScan, ScannedLayout, SheetLayout, row_numbers
from batchbook.xlsx.masking import has_marks, mask
from batchbook.xlsx.places import Range, parse_range
from batchbook.xlsx.quicksegment import LEAST_ROWS
from batchbook.xlsx.rowedit import RowEditor, styles_of
from batchbook.xlsx.scan import RowSpan, Segment, SheetScan
from batchbook.xlsx.unchecked import UncheckedCells
from batchbook.xlsx.zipwriter import MAX_STORED_BLOCK, PartWriter

_DIMENSION = re.compile(
    rb"<(?:[\w.-]+:)?dimension\s[^<>]{0,500}?\bref\s*=\s*(?:\"([^<\"]{0,99})\"|'([^<']{0,99})')( *+)[^<>]{0,500}>"
)
_ROWS_TOGETHER = 500
_LONGEST = len("XFC1048575:XFD1048576")


@dataclass(slots=True)
class Head:
    """What precedes the rows, with room for another dimension."""

    held: bytes
    """Up to the end of the dimension's attribute, with blanks behind it."""
    rest: bytes
    at: int = 0
    until: int = 0
    room: int = 0
    area: Range | None = None

    def dimensioned(self, area: Range) -> bytes:
        """The held bytes with another dimension, of the same length."""
        ref = str(area).encode()
        quote = self.held[self.at - 1 : self.at]
        return self.held[: self.at] + ref + quote + b" " * (self.room - len(ref)) + self.held[self.until :]


def split_head(head: bytes) -> Head:
    """Cut the head behind its dimension."""
    near = head[:MAX_STORED_BLOCK]
    found = _DIMENSION.search(mask(near) if has_marks(near) else near)
    area = parse_range((found[1] or found[2] or b"").decode("utf-8", "replace")) if found else None
    if found is None or area is None or found.end() > MAX_STORED_BLOCK // 3:
        return Head(b"", head)
    group = 1 if found[1] is not None else 2
    at, behind, blanks = found.start(group), found.end(group) + 1, len(found[3])
    width = found.end(group) - at
    room = max(width + blanks, _LONGEST)
    held = head[:behind] + b" " * (room - width) + head[behind + blanks : found.end()]
    return Head(held, head[found.end() :], at, at + room + 1, room, area)


@dataclass(frozen=True, slots=True)
class LayoutOf:
    """How a sheet's layout is learned: it is known, or follows from what the pass finds, or a pass of its own tells."""

    known: SheetLayout | None
    completed: Callable[[ScannedLayout], SheetLayout]
    read: Callable[[], SheetLayout]


class SheetEdit:
    """One sheet on its way from the old archive to the new one.

    Where the layout is not known before, one pass finds it and writes the cells; whether they may be written is
    then known at the end, and an error leaves what was written worthless.
    """

    growth: Growth
    layout: SheetLayout

    def __init__(
        self,
        scan: SheetScan,
        editor: RowEditor,
        edits: CellEdits,
        layout: LayoutOf,
        calculated: Calculated = lambda _: {},
    ) -> None:
        self.scan = scan
        self.editor = editor
        self._layout_of = layout
        self._calculated = calculated
        self._found = LayoutScan(scan)
        self._settled = False
        self._unchecked = UncheckedCells()
        self._edits = EditQueue(edits, editor.refused)
        self._scattered: dict[int, Cells] | None = None
        self._seen: set[int] = set()
        self._above: Segment | None = None
        self._above_before = 0
        self._passed = 0
        self._tail = self._rest = b""
        if layout.known is not None:
            self._settle(layout.known)

    def _settle(self, layout: SheetLayout, taken: Sequence[RowsAlike] = ()) -> None:
        """Take note of the layout, before these edits are written.

        Raises CellRefused where a cell was written that is locked.
        """
        self.layout = layout
        self._settled = True
        self.growth = Growth(layout, self._calculated)
        self.editor.settle(layout)
        locked = None if layout.free else self._unchecked.first_locked(layout)
        if locked is not None:
            self.editor.check(*locked)
        if not layout.ordered:
            self._scatter(taken)

    def _scatter(self, taken: Sequence[RowsAlike]) -> None:
        """From here on look every row up: they do not ascend."""
        if self._scattered is None:
            self._seen = self._unchecked.rows()
            self._scattered = dict(chain(row_by_row(taken), self._edits.rest()))

    # --- the pass ------------------------------------------------------------------------------------------------

    @property
    def next_row(self) -> int | None:
        """The number of the next row that is edited, None where there is none."""
        return self._edits.next_row

    def run(self, out: PartWriter, *, blocks: bool = False) -> None:
        """Write the whole sheet; with `blocks` laid down as such."""
        scan = self.scan
        encode = scan.recoder.encode
        head = split_head(scan.head)
        if head.held:
            out.hold(encode(head.held))
        out.write(encode(head.rest))
        if scan.empty:
            self._end()
            rows = self.appended()
            first = next(rows, b"")
            out.write(encode(scan.open_tag[:-2].rstrip() + b">" if first else scan.open_tag))
            for text in chain((first,), rows):
                out.write(encode(text))
            out.write(encode(scan.close_tag if first else b""))
        else:
            out.write(encode(scan.open_tag))
            self._rows_into(out, blocks)
        self._tail = self.growth.refit(scan.tail)
        out.write(encode(self._tail))
        self.fix_dimension(head, out)
        self._rest = head.rest

    def frame(self, out: PartWriter) -> bytes:
        """All of the sheet that was written but for its rows; a document of its own, unless there were no rows."""
        opened = self.scan.open_tag if not self.scan.empty else b""
        return out.held + self._rest + opened + self._tail

    def _rows_into(self, out: PartWriter, blocks: bool) -> None:
        encode = self.scan.recoder.encode
        if blocks:
            out.end_block(HEAD)
        before = 0
        for segment in self.scan.segments():
            last, text = self.segment(segment, before)
            if blocks:
                self.put_rows(out, text, before)
                if out.pending >= BLOCK // 2 and self._scattered is None:
                    out.end_block(last)
            else:
                out.write(encode(text))
            before = last
        self._end()
        for text in self.appended():
            out.write(encode(text))
            if blocks and out.pending >= BLOCK:
                out.end_block(self.editor.last_row)
        if blocks and max(before, self.editor.last_row):
            out.end_block(max(before, self.editor.last_row))

    def _end(self) -> None:
        """All rows have gone by: the layout is known now."""
        if not self._settled:
            self._settle(self._layout_of.completed(self._found.end()))

    def put_rows(self, out: PartWriter, text: bytes, before: int) -> None:
        """Write whole rows, which follow on row `before`; where they are long, all but the last of them as blocks."""
        start = 0
        if len(text) > 2 * BLOCK:
            masked = mask(text) if has_marks(text) else text
            spans = self.scan.rows(Segment(text, masked), before)
            for span, following in pairwise(spans):
                if span.end - start >= BLOCK:
                    out.write(text[start : following.start])
                    out.end_block(span.number)
                    start = following.start
        out.write(text[start:])

    def segment(self, segment: Segment, before: int) -> tuple[int, bytes]:
        """Some whole rows with their edits: the number of the last row, and the text."""
        if b"AlternateContent" in segment.masked:
            raise WorkbookNotSupported(
                f"Sheet {self.editor.sheet} holds cells in alternatives for several programs.",
                "Open the workbook in Excel and save it again.",
            )
        numbers = self._numbers(segment, before)
        if not numbers:
            return before, segment.text
        self._above, self._above_before, self._passed = segment, before, numbers[-1]
        if not self._settled and not self._found.found.ordered:
            self._scatter(())
        taken = self._taken(numbers) if self._scattered is None else []
        if self._scattered is not None:
            return numbers[-1], self._rewritten(segment, before, {})
        if not taken and not self.editor.broken:
            return numbers[-1], segment.text
        quick = self._together(segment, numbers, taken)
        return numbers[-1], self._rewritten(segment, before, dict(row_by_row(taken))) if quick is None else quick

    def _taken(self, numbers: list[int]) -> list[RowsAlike]:
        """The edits of the rows up to the last one of a segment, given the numbers of its rows."""
        taken = self._edits.take(numbers[-1])
        if self._settled or not taken:
            return taken
        here = len(taken) == 1 and taken[0].rows == numbers
        if not here and not set(numbers).issuperset(row for part in taken for row in part.rows):
            # A row that is not here may stand further down: only reading all of them tells.
            self._settle(self._layout_of.read(), taken)
            return taken
        for part in taken:
            self._unchecked.add(part.rows, part.columns)
        return taken

    def _together(self, segment: Segment, numbers: list[int], taken: list[RowsAlike]) -> bytes | None:
        """The segment rewritten column by column, where all is as usual."""
        if segment.marked or self.editor.broken or len(taken) != 1 or len(taken[0].rows) < LEAST_ROWS:
            return None
        whole = taken[0].rows == numbers
        if not whole and not set(numbers).issuperset(taken[0].rows):
            return None
        return self.editor.together(segment.text, taken[0], whole=whole)

    def _rewritten(self, segment: Segment, before: int, taken: dict[int, Cells]) -> bytes:
        text = segment.text
        pieces: list[bytes] = []
        done = 0
        editor = self.editor
        waiting = iter(taken)
        upcoming = next(waiting, None)
        for span in self._rows(segment, before):
            while upcoming is not None and upcoming < span.number:
                pieces += (text[done : span.start], editor.created(upcoming, taken[upcoming], None))
                done = span.start
                upcoming = next(waiting, None)
            if upcoming == span.number:
                upcoming = next(waiting, None)
            cells = taken.get(span.number) if self._scattered is None else self._scattered_cells(span.number)
            if cells is not None:
                pieces.append(text[done : span.start])
                pieces += self._edited(segment, span, cells)
                done = span.end
            elif editor.broken and b"shared" in text[span.start : span.end]:
                row = text[span.start : span.end]
                pieces += (text[done : span.start], editor.repaired(row, span.number))
                done = span.end
        pieces.append(text[done:])
        return b"".join(pieces)

    def _rows(self, segment: Segment, before: int) -> list[RowSpan]:
        """The rows of a segment, which must be those that the quick look saw: else an edit could get lost."""
        spans = self.scan.rows(segment, before)
        if [span.number for span in spans] != row_numbers(self.scan, segment.masked, before):
            raise WorkbookDamaged(f"The rows of sheet {self.editor.sheet} cannot be told apart.", DAMAGED_ADVICE)
        return spans

    def _numbers(self, segment: Segment, before: int) -> list[int]:
        if not self._settled:
            return self._found.take(segment)
        return row_numbers(self.scan, segment.masked, before)

    def _scattered_cells(self, number: int) -> Cells | None:
        assert self._scattered is not None
        found = self._scattered.pop(number, None)
        if found is not None:
            self._seen.add(number)
            if not self._settled:
                self._unchecked.add((number,), tuple(found))
        elif number in self._seen:
            raise WorkbookNotSupported(
                f"Row {number} of sheet {self.editor.sheet} is in the file twice.",
                "Open the workbook in Excel and save it again.",
            )
        return found

    def _edited(self, segment: Segment, span: RowSpan, cells: Cells) -> list[bytes]:
        if not segment.marked and not span.self_closing and not self.editor.broken:
            counted = self.editor.cells
            quick = self.editor.quick(segment.text, span, cells)
            if quick is not None:
                return quick
            self.editor.cells = counted
        return [self.editor.sure(segment.text[span.start : span.end], span.number, cells)]

    # --- the end -------------------------------------------------------------------------------------------------

    def appended(self) -> Iterator[bytes]:
        """The rows behind the last one, some hundred at a time; none of the pieces is empty."""
        pieces = []
        for row in filter(None, self._appended_rows()):
            pieces.append(row)
            if len(pieces) >= _ROWS_TOGETHER:
                yield b"".join(pieces)
                pieces.clear()
        if pieces:
            yield b"".join(pieces)

    def _appended_rows(self) -> Iterator[bytes]:
        for number, cells in (self._scattered or {}).items():
            behind = number > self.layout.last_row
            yield self.editor.created(number, cells, None, self.growth.take(number, cells) if behind else {})
        above: Callable[[int], str] | None = None
        first = True
        for number, cells in self._edits.rest():
            if number <= self._passed:
                raise WorkbookDamaged(f"The rows of sheet {self.editor.sheet} cannot be told apart.", DAMAGED_ADVICE)
            if first:
                above, first = self._styles_above(), False
            yield self.editor.created(number, cells, above, self.growth.take(number, cells))

    def _styles_above(self) -> Callable[[int], str] | None:
        """The styles of the last row by column, which rows behind it take on; not those of a header."""
        if self._above is None:
            return None
        span = self._rows(self._above, self._above_before)[-1]
        styles = styles_of(self._above.text[span.start : span.end])
        self.growth.beside = styles.keys()
        areas = [table.ref for table in self.layout.tables]
        if self.layout.auto_filter is not None:
            areas.append(self.layout.auto_filter)
        if any(area.first_row == span.number for area in areas):
            return None
        return lambda column: styles[column] if column in styles else self.editor.style_for(column, span.tag)

    def fix_dimension(self, head: Head, out: PartWriter) -> None:
        """Have the sheet's dimension cover what was written."""
        area, editor = head.area, self.editor
        if area is None or not editor.last_row:
            return
        new = Range(
            min(area.first_row, editor.first_row),
            min(area.first_column, editor.first_column),
            max(area.last_row, editor.last_row),
            max(area.last_column, editor.last_column),
        )
        if new != area:
            out.rehold(self.scan.recoder.encode(head.dimensioned(new)))
