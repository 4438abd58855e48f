"""The file format: reading workbooks, and changing cells by splicing bytes."""

from batchbook.xlsx.blocks import BlocksUnusable, SheetIndex, SheetIndexes
from batchbook.xlsx.book import Book, Sheet, digest_of, sheet_names
from batchbook.xlsx.cells import Cell
from batchbook.xlsx.cellxml import check_value
from batchbook.xlsx.layout import SheetLayout, TableRange
from batchbook.xlsx.limits import Limits, use_limits, within
from batchbook.xlsx.places import Range, letters, parse_cell, parse_range
from batchbook.xlsx.refusals import CellRefused
from batchbook.xlsx.splice import BookEdits, SpliceReceipt, splice
from batchbook.xlsx.values import CellValue, ErrorValue, Formula, Link
from batchbook.xlsx.verify import check_whole, inspect, verify
from batchbook.xlsx.wholesheet import SheetColumn, SheetContent

__all__ = [
    "BlocksUnusable",
    "Book",
    "BookEdits",
    "Cell",
    "CellRefused",
    "CellValue",
    "ErrorValue",
    "Formula",
    "Limits",
    "Link",
    "Range",
    "Sheet",
    "SheetColumn",
    "SheetContent",
    "SheetIndex",
    "SheetIndexes",
    "SheetLayout",
    "SpliceReceipt",
    "TableRange",
    "check_value",
    "check_whole",
    "digest_of",
    "inspect",
    "letters",
    "parse_cell",
    "parse_range",
    "sheet_names",
    "splice",
    "use_limits",
    "verify",
    "within",
]
