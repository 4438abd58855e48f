"""ISBN blocks and assignments as sheets of a workbook."""
