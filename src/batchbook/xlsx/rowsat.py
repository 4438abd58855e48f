"""Some rows of a sheet, known by their numbers: only they are decoded, and, of a sheet in blocks, only theirs read."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator

from batchbook.xlsx.blockedit import frame_of
from batchbook.xlsx.blocks import Blocks
from batchbook.xlsx.cells import Cell, Decoder
from batchbook.xlsx.masking import has_marks, mask
from batchbook.xlsx.quickrows import QuickRows
from batchbook.xlsx.rowtexts import RowCutting, RowText
from batchbook.xlsx.scan import Segment, SheetScan

Cells = dict[int, Cell]


class RowsAt:
    """Decodes the rows of some numbers, all columns or those that are wanted."""

    def __init__(self, exact: Decoder, numbers: Collection[int], wanted: frozenset[int] | None) -> None:
        self._exact = exact
        self._numbers = frozenset(numbers)
        self._wanted = wanted

    def of_sheet(self, scan: SheetScan) -> dict[int, Cells]:
        """From a whole sheet, which is read to its end."""
        cutting = RowCutting(scan)
        return self._decoded(scan, ((cutting.whole, row) for part in scan.segments() for row in cutting.rows(part)))

    def of_blocks(self, blocks: Blocks) -> dict[int, Cells]:
        """From the blocks that hold them. Raises BlocksUnusable where one is not what the index says."""
        scan = frame_of(blocks)
        return self._decoded(scan, self._in_blocks(blocks, scan))

    def _in_blocks(self, blocks: Blocks, scan: SheetScan) -> Iterator[tuple[Callable[[RowText], bytes], RowText]]:
        lasts = [block.last_row for block in blocks.blocks[:-1]]
        holding = {bisect_left(lasts, number, blocks.heads) for number in self._numbers}
        for place in sorted(one for one in holding if one < len(lasts)):
            text = blocks.content(place)
            masked = mask(text) if has_marks(text) else text
            cutting = RowCutting(scan, lasts[place - 1] if place > blocks.heads else 0)
            for row in cutting.rows(Segment(text, masked)):
                yield cutting.whole, row

    def _decoded(self, scan: SheetScan, rows: Iterable[tuple[Callable[[RowText], bytes], RowText]]) -> dict[int, Cells]:
        quick = QuickRows(scan.prefix, self._exact, self._wanted)
        found: dict[int, Cells] = {}
        for whole, row in rows:
            if row.number not in self._numbers:
                continue
            cells = quick.cells(row) if row.plain else None
            found[row.number] = self._exact.row(whole(row), self._wanted) if cells is None else cells
        return found
