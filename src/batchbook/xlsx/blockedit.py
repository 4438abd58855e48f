"""A save by blocks: the blocks whose rows change are written anew, all others are copied as they are packed."""

from __future__ import annotations

from bisect import bisect_left

from batchbook.xlsx.blocks import BLOCK, HEAD, Blocks, BlocksUnusable
from batchbook.xlsx.masking import has_marks, mask
from batchbook.xlsx.scan import Segment, SheetScan
from batchbook.xlsx.sheetedit import SheetEdit, split_head
from batchbook.xlsx.zipwriter import PartWriter

_COPIED_TOGETHER = 4 << 20


def frame_of(blocks: Blocks) -> SheetScan:
    """A pass over what is around the rows only."""
    last = len(blocks.blocks) - 1
    head = b"".join(blocks.content(number) for number in range(blocks.heads))
    scan = SheetScan((head, blocks.content(last)))
    for _ in scan.segments():
        raise BlocksUnusable("The index of a sheet cannot be used: there are rows in what is around them.")
    return scan


class BlockEdit:
    """One sheet on its way from its blocks in the old archive to those in the new one."""

    def __init__(self, blocks: Blocks, scan: SheetScan, edit: SheetEdit, last_edited: int) -> None:
        """`edit` holds the edits, of which the last one is in row `last_edited`."""
        self._blocks = blocks
        self._scan = scan
        self._edit = edit
        self._tail = len(blocks.blocks) - 1
        self._lasts = [block.last_row for block in blocks.blocks[: self._tail]]
        self._appends = last_edited > self._lasts[-1]

    def run(self, out: PartWriter) -> None:
        """Write the whole sheet. Raises BlocksUnusable where an edit reaches into blocks that it does not touch."""
        head = split_head(self._scan.head)
        if head.held:
            out.hold(head.held)
        out.write(head.rest)
        out.write(self._scan.open_tag)
        out.end_block(HEAD)
        at = self._blocks.heads
        while at < self._tail:
            touched = self._next_touched(at)
            self._copy(out, at, touched)
            if touched < self._tail:
                self._redo(out, touched)
            at = touched + 1
        self._append(out)
        tail = self._edit.growth.refit(self._scan.tail)
        if tail == self._scan.tail:
            self._copy(out, self._tail, self._tail + 1)
        else:
            out.write(tail)
        self._edit.fix_dimension(head, out)

    def _next_touched(self, at: int) -> int:
        row = self._edit.next_row
        touched = self._tail if row is None else bisect_left(self._lasts, row, at)
        # Rows behind the last one go into its block, and take on its styles.
        return self._tail - 1 if touched == self._tail and self._appends else touched

    def _copy(self, out: PartWriter, first: int, last: int) -> None:
        blocks = self._blocks.blocks
        while first < last:
            end, size = first, 0
            while end < last and size < _COPIED_TOGETHER:
                size += blocks[end].packed
                end += 1
            out.copy_blocks(self._blocks.packed(first, end), blocks[first:end])
            first = end

    def _redo(self, out: PartWriter, number: int) -> None:
        text = self._blocks.content(number)
        masked = mask(text) if has_marks(text) else text
        before = self._lasts[number - 1] if number > self._blocks.heads else 0
        last, new = self._edit.segment(Segment(text, masked), before)
        if self._edit.editor.broken or self._edit.editor.found_late:
            raise BlocksUnusable("A shared formula was replaced, on which cells elsewhere in the sheet may depend.")
        if last != self._lasts[number]:
            raise BlocksUnusable("The index of a sheet cannot be used: the rows are not where it says.")
        self._edit.put_rows(out, new, before)
        if number < self._tail - 1 or not self._appends:
            out.end_block(last)

    def _append(self, out: PartWriter) -> None:
        for rows in self._edit.appended():
            out.write(rows)
            if out.pending >= BLOCK:
                out.end_block(self._edit.editor.last_row)
        if self._appends:
            out.end_block(max(self._edit.editor.last_row, self._lasts[-1]))
