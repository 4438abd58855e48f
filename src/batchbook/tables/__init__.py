"""Sheets as typed tables: rows by key, columns by header, merge by cell."""

from batchbook.tables.codec import same
from batchbook.tables.header import Header, HeaderError, find_header
from batchbook.tables.keys import KeyIndex, key_of_text, key_shown, key_text
from batchbook.tables.merge import NEVER, Merged, Never, merge_cell
from batchbook.tables.row import Key, Row
from batchbook.tables.table import Table, TableRow, TableSpec

__all__ = [
    "NEVER",
    "Header",
    "HeaderError",
    "Key",
    "KeyIndex",
    "Merged",
    "Never",
    "Row",
    "Table",
    "TableRow",
    "TableSpec",
    "find_header",
    "key_of_text",
    "key_shown",
    "key_text",
    "merge_cell",
    "same",
]
