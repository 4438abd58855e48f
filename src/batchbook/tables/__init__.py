"""Sheets as typed tables: rows by key, columns by header, merge by cell."""

from batchbook.tables.codec import same
from batchbook.tables.dates import Order, parse_date
from batchbook.tables.filters import Alike, AnyOf, Between, Containing
from batchbook.tables.findings import Findings
from batchbook.tables.header import Header, HeaderError, find_header
from batchbook.tables.keys import KeyIndex, key_of_text, key_shown, key_text
from batchbook.tables.kinds import Kind, Stored, Wrong
from batchbook.tables.merge import NEVER, Merged, Never, merge_cell
from batchbook.tables.plainkinds import Date, Moment, Text, Whole
from batchbook.tables.records import Broken, Column, Computed, RecordChange, RecordType, Reference
from batchbook.tables.recordtable import RecordTable, Standing
from batchbook.tables.refusals import RecordRefused, Unsound
from batchbook.tables.row import Key, Row
from batchbook.tables.table import Table, TableRow, TableSpec
from batchbook.tables.workspace import Workspace

__all__ = [
    "NEVER",
    "Alike",
    "AnyOf",
    "Between",
    "Broken",
    "Column",
    "Computed",
    "Containing",
    "Date",
    "Findings",
    "Header",
    "HeaderError",
    "Key",
    "KeyIndex",
    "Kind",
    "Merged",
    "Moment",
    "Never",
    "Order",
    "RecordChange",
    "RecordRefused",
    "RecordTable",
    "RecordType",
    "Reference",
    "Row",
    "Standing",
    "Stored",
    "Table",
    "TableRow",
    "TableSpec",
    "Text",
    "Unsound",
    "Whole",
    "Workspace",
    "Wrong",
    "find_header",
    "key_of_text",
    "key_shown",
    "key_text",
    "merge_cell",
    "parse_date",
    "same",
]
