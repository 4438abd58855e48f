from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from batchbook.errors import LedgerError
from batchbook.storage.scratch import Scratch, Spool


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


def test_threads_that_share_one_get_their_own_answers() -> None:
    scratch = Scratch("CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT);")
    scratch.execute_many("INSERT INTO t VALUES (?, ?)", ((n, str(n)) for n in range(500)))

    def ask(start: int) -> int:
        wrong = 0
        for step in range(3000):
            n = (start * 97 + step) % 500
            wrong += list(scratch.query("SELECT text FROM t WHERE n = ?", (n,))) != [(str(n),)]
            wrong += scratch.one("SELECT text FROM t WHERE n = ?", (n,)) != (str(n),)
        return wrong

    with ThreadPoolExecutor(5) as pool:
        assert sum(pool.map(ask, range(5))) == 0


def test_rows_of_one_can_be_put_into_another_table_while_they_are_read() -> None:
    scratch = Scratch("CREATE TABLE t (n); CREATE TABLE u (n);")
    scratch.execute_many("INSERT INTO t VALUES (?)", ((n,) for n in range(2000)))
    scratch.execute_many("INSERT INTO u VALUES (?)", scratch.query("SELECT n + 1 FROM t"))
    assert scratch.one("SELECT count(*), max(n) FROM u") == (2000, 2000)


def test_a_failure_says_what_to_do() -> None:
    scratch = Scratch("CREATE TABLE t (n);")
    with pytest.raises(LedgerError, match="temporary tables") as caught:
        scratch.execute("INSERT INTO nowhere VALUES (1)")
    assert "SQLITE_TMPDIR" in caught.value.advice


@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 1203])
def test_a_spool_gives_back_what_was_added_in_order_as_often_as_asked(count: int) -> None:
    spool = Spool()
    for place in range(count):
        spool.append({"place": place, "text": "\u00e9"})
    assert len(spool) == count
    assert [one["place"] for one in spool] == list(range(count))
    spool.append("last")
    assert list(spool)[-1] == "last"
    spool.clear()
    assert (len(spool), list(spool)) == (0, [])
