"""Small workbooks for this room."""

import openpyxl

from batchbook.tables.table import TableSpec


def make_book(path, rows, *, sheet="Data", change=None):
    book = openpyxl.Workbook()
    book.worksheets[0].title = sheet
    for row in rows:
        book.worksheets[0].append(row)
    if change is not None:
        change(book.worksheets[0])
    book.save(path)
    return path


def spec_of(*, key=("Key",), reads=("Name",), writes=("Result",), sheet=None, header_row=None, headers=None):
    return TableSpec(sheet, header_row, key, headers or {}, reads, writes)
