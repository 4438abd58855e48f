from __future__ import annotations

import pytest

from batchbook.errors import LedgerError
from batchbook.storage.scratch import Scratch


def test_more_rows_than_its_cache_are_all_there_again_in_order() -> None:
    scratch = Scratch("CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT);")
    scratch.execute_many("INSERT INTO t VALUES (?, ?)", ((n, f"{n:0200d}") for n in range(60_000)))
    assert scratch.count("t") == 60_000
    assert all(row == (n, f"{n:0200d}") for n, row in enumerate(scratch.query("SELECT n, text FROM t ORDER BY n")))
    assert scratch.one("SELECT text FROM t WHERE n = ?", (59_999,)) == (f"{59_999:0200d}",)
    assert scratch.one("SELECT text FROM t WHERE n = ?", (60_000,)) is None


def test_two_of_them_know_nothing_of_each_other() -> None:
    one, other = (Scratch("CREATE TABLE t (n);") for _ in range(2))
    assert one.execute("INSERT INTO t VALUES (1)") == 1
    assert (one.count("t"), other.count("t")) == (1, 0)


def test_a_failure_says_what_to_do() -> None:
    scratch = Scratch("CREATE TABLE t (n);")
    with pytest.raises(LedgerError, match="temporary tables") as caught:
        scratch.execute("INSERT INTO nowhere VALUES (1)")
    assert "SQLITE_TMPDIR" in caught.value.advice
