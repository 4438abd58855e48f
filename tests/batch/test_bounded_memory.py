"""Memory does not grow with the workbook. More situations, and real sizes: benchmarks/memory.py."""

import csv
import tracemalloc

import pytest

from tests.batch.helpers import Site, people

SMALL, LARGE = 3_000, 6_000
# Below some thousand rows the buffers of the reader are not full yet.
MOST_BYTES_A_ROW = 300
"""Less than one key, one outcome or one row held for each row of the sheet would take."""

BATCHES = {"strategy": "fixed", "size": 100, "max_batch_size": 100, "checkpoint_frequency": 1000, "concurrency": 1}


def merged(site, rows):
    site.interrupted(rows // 2)

    def change(sheet):
        sheet.delete_rows(9)
        for row in range(2, rows, 7):
            sheet.cell(row, 2, f"other {row}")
            sheet.cell(row + 1, 3, "a person's")

    site.edit(change)
    return lambda: site.run("auto").status


def brought_in(site, rows):
    site.make_job(lambda row: {"Result": row["Name"]}, input="in.csv", batch=BATCHES)
    with (site.path / "in.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Key", "Name"])
        writer.writerows((f"K{n}", f"new {n}") for n in range(2 * rows, rows // 2, -1))
    return lambda: site.run().status


@pytest.mark.parametrize("situation", [merged, brought_in])
def test_more_rows_take_hardly_more_memory(tmp_path, situation):
    peaks = {}
    for rows in (SMALL, LARGE):
        site = Site(tmp_path / str(rows), people(rows), batch=BATCHES)
        work = situation(site, rows)
        tracemalloc.start()
        try:
            assert work() in ("completed", "completed_with_failures")
            peaks[rows] = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert (peaks[LARGE] - peaks[SMALL]) / (LARGE - SMALL) < MOST_BYTES_A_ROW, peaks
