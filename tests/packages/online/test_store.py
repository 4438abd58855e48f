from __future__ import annotations

import datetime as dt
import logging
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchbook.packages.online.store import FILE, Store

MONTH = dt.timedelta(days=30)


def opened(folder: Path) -> Store:
    return Store(folder, MONTH)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(["a", "b ", "ü"]), st.binary(max_size=300_000)), max_size=6))
def test_what_was_kept_last_under_a_text_is_found_again(tmp_path: Path, kept: list[tuple[str, bytes]]) -> None:
    store = opened(tmp_path)
    for number, (key, body) in enumerate(kept):
        store.keep(key, body, f"2026-01-{number + 1:02}")
    store.close()
    again = opened(tmp_path)
    for key, body in dict(kept).items():
        found = again.kept(key)
        assert found is not None
        assert found[0] == body
    for key in ("a", "b ", "ü"):
        again.forget(key)
        assert again.kept(key) is None
    again.close()


def test_the_file_is_its_users_alone(tmp_path: Path) -> None:
    store = opened(tmp_path / "data" / "cache")
    store.keep("secret", b"x", "2026-01-01")
    store.close()
    assert stat.S_IMODE((tmp_path / "data" / "cache" / FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "data" / "cache").stat().st_mode) == 0o700


def test_a_damaged_store_is_put_aside_and_begun_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = opened(tmp_path)
    store.keep("a", b"1" * 500_000, "2026-01-01")
    store.close()
    path = tmp_path / FILE
    content = bytearray(path.read_bytes())
    content[4096:] = b"\x5a" * (len(content) - 4096)
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        store = opened(tmp_path)
    assert "put aside" in caplog.text
    assert store.kept("a") is None
    store.keep("a", b"2", "2026-01-02")
    assert store.kept("a") == (b"2", "2026-01-02")
    store.close()
    assert path.with_suffix(".damaged").exists()


def test_where_nothing_can_be_stored_answers_are_kept_for_the_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cache").write_text("a file in the place of the folder")
    with caplog.at_level(logging.WARNING):
        store = opened(tmp_path / "cache")
    assert "cannot be stored" in caplog.text
    store.keep("a", b"1", "2026-01-01")
    assert store.kept("a") == (b"1", "2026-01-01")
    store.close()


def test_many_threads_and_two_stores_share_one_file(tmp_path: Path) -> None:
    stores = [opened(tmp_path), opened(tmp_path)]
    wrong: list[object] = []

    def work(number: int) -> None:
        store = stores[number % 2]
        for turn in range(20):
            key = f"{number}-{turn}"
            store.keep(key, key.encode() * 1000, "2026-01-01")
            if store.kept(key) != (key.encode() * 1000, "2026-01-01"):
                wrong.append(key)

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert not wrong
    for store in stores:
        store.close()


def test_what_the_store_cannot_do_later_on_is_told_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = opened(tmp_path)
    store.keep("a", b"1", "2026-01-01")
    assert store.storage.connection is not None
    store.storage.connection.execute("DROP TABLE streams")
    with caplog.at_level(logging.WARNING, "batchbook"):
        assert store.kept("a") is None
        store.keep("b", b"2", "2026-01-01")
    ours = [record for record in caplog.records if record.name.startswith("batchbook")]
    assert [record.getMessage() for record in ours] == ["hishel: cache write failed: no such table: streams"]
    assert not ours[0].exc_info
    assert not logging.getLogger("hishel").propagate  # else it would be told on the screen as well
    store.close()


def test_what_is_kept_and_changed_on_the_disk_is_not_given(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = opened(tmp_path)
    for key in ("this", "that"):
        store.keep(key, f'{{"{key}": "introduced"}}'.encode(), "2026-11-20")
    store.close()
    path = tmp_path / FILE
    path.write_bytes(path.read_bytes().replace(b'{"this": "intro', b'{"this": "extro'))
    with caplog.at_level(logging.WARNING):
        assert opened(tmp_path).kept("this") is None
    assert "a stored answer is damaged" in caplog.text
    assert opened(tmp_path).kept("that") == (b'{"that": "introduced"}', "2026-11-20")
