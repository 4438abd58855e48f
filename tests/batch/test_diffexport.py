import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchbook.batch.diffexport import HEADERS, export_diff, row_differences
from batchbook.errors import UsageError
from tests.batch.helpers import Site

rows = st.lists(st.lists(st.sampled_from(["a", "b", 1, None]), min_size=1, max_size=2), max_size=5)


def read(path):
    with path.open(encoding="utf-8-sig", newline="") as opened:
        return list(csv.reader(opened))


def test_a_line_for_each_cell_with_sheet_row_key_and_column(tmp_path):
    site = Site(tmp_path / "site", [["@K1", "+n", "-old", "x"], ["K2", "n", 5, "x"], ["K3", "n", "n!", "x"]])
    run = site.run().run_id
    with site.ledger() as ledger:
        assert export_diff(ledger, run, tmp_path / "out.csv") == 2
    assert read(tmp_path / "out.csv") == [
        list(HEADERS),
        ["Data", "2", "'@K1", "Result", "'-old", "'+n!"],
        ["Data", "3", "K2", "Result", "5", "n!"],
    ]


def test_a_run_that_is_not_known_or_changed_nothing_is_told_apart(tmp_path):
    site = Site(tmp_path / "site")
    site.run()
    run = site.run().run_id
    with site.ledger() as ledger:
        assert export_diff(ledger, run, tmp_path / "out.csv") == 0
        with pytest.raises(UsageError):
            export_diff(ledger, "nosuch", tmp_path / "other.csv")
    assert read(tmp_path / "out.csv") == [list(HEADERS)]
    assert not (tmp_path / "other.csv").exists()


@given(rows, rows)
def test_rows_of_an_own_sheet_that_changed_are_all_listed_and_those_that_stayed_are_not(before, after):
    found = list(row_differences(before, after))
    assert bool(found) == (before != after)
    gone = [old for old, _ in found if old is not None]
    come = [new for _, new in found if new is not None]
    assert len(before) - len(gone) == len(after) - len(come)
    assert all(one is not None or other is not None for one, other in found)
