"""Rows of a report that wait on disk for their place."""

from batchbook.batch.reportrows import OrderedRows
from batchbook.tables.reportbook import Formatted, Toned


def test_cells_come_back_as_they_were_put_in_with_tone_and_format() -> None:
    rows = OrderedRows()
    first = ["a", None, 1.5, Toned("bad one", "bad"), Formatted(0.25, "0%"), Formatted(7, "0.00", "good")]
    rows.add([2], ["last"])
    rows.add([1], first)
    assert list(rows) == [first, ["last"]]
