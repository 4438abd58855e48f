"""Nights after the first one: what is asked again, what is not, and what becomes of the stored answers."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.helpers import SECONDS
from tests.integration.online import (
    AFFECTED,
    FREE,
    OF_ADVISORIES,
    OF_INDEX,
    UNKNOWN,
    Night,
    Serve,
    Some,
    some_packages,
)
from tests.servers.made import make_advisory, make_package

STALE = {"max_age": 0}
"""Index pages have to be asked for each time; what is fresh is not asked for at all."""


def facts(night: Night) -> dict[str, str]:
    told = (*OF_INDEX, *OF_ADVISORIES, "Recommendation")
    return {name: f"{row.status} | {row.text(*told)}" for name, row in night.reviewed().items()}


def test_a_page_that_is_fresh_is_not_asked_for_again(serve: Serve) -> None:
    some = some_packages(12)
    night = serve(some, some.server(max_age=600))
    night.review()
    before = facts(night)
    night.server.forget()
    night.review()
    assert set(night.server.per_kind()) == {"osv-batch"}, "what is known against a package is asked for every night"
    assert facts(night) == before


def test_a_changed_advisory_a_new_one_and_a_new_release_are_fetched_and_nothing_else(serve: Serve) -> None:
    some = some_packages(12)
    night = serve(some, some.server(**STALE))
    night.review()
    before = facts(night)
    night.server.forget()
    later = "2024-08-01T00:00:00Z"
    # What was fixed before 1.0 turns out to be open still; a package without trouble gets its first.
    night.server.advise(make_advisory("PYSEC-2024-2", "pkg-02", fixed="1.1", modified=later))
    night.server.advise(make_advisory("PYSEC-2024-99", "pkg-04", modified=later))
    night.server.publish(make_package("pkg-06", {"1.0": "2023-01-02", "2.0": "2024-08-02"}, requires=("new",)))
    rows = night.review()
    server = night.server
    assert set(server.per_thing("osv-vuln")) == {"PYSEC-2024-2", "PYSEC-2024-99"}
    assert server.count("index", status=304) == 11 and server.count("index", "pkg-06", 200) == 1
    assert server.count("metadata") == server.count("metadata", "pkg-06") == 1
    assert (rows["pkg-02"].status, rows["pkg-04"].status) == (AFFECTED, AFFECTED)
    assert (rows["pkg-06"]["Latest Version"], rows["pkg-06"]["Requires"]) == ("2.0", "new")
    changed = {name for name, told in facts(night).items() if told != before[name]}
    assert changed == {"pkg-02", "pkg-04", "pkg-06"}


def test_an_advisory_that_is_withdrawn_counts_no_longer(serve: Serve) -> None:
    some = some_packages(4)
    night = serve(some, some.server(**STALE))
    assert night.review()["pkg-01"].status == AFFECTED
    for identity in ("PYSEC-2024-1", "GHSA-made-up00-0001"):
        withdrawn = {"withdrawn": "2024-08-01T00:00:00Z", "modified": "2024-08-01T00:00:00Z"}
        night.server.advise({**night.server.advisories[identity], **withdrawn})
    assert night.review()["pkg-01"].status == FREE


def test_offline_with_nothing_stored_nothing_is_known_and_files_still_judge(serve: Serve) -> None:
    some = some_packages(6)
    night = serve(some)
    rows = night.review("--start-fresh", "--offline")
    assert {row.status for row in rows.values()} == {UNKNOWN}
    assert all("not checked" in row["Latest Version"] for row in rows.values())
    assert not any("none known" in str(row.cells) for row in rows.values())
    with_files(night, some)
    rows = night.review("--start-fresh", "--offline")
    assert {name: row.status for name, row in rows.items()} == some.expected()
    for row in rows.values():
        assert "our file of 2024-06-01" in row["Recommendation"]
        assert "our file" in row["GitHub Advisory Result"] and "OSV of" not in row["GitHub Advisory Result"]
    assert night.server.requests == ()


def with_files(night: Night, some: Some) -> None:
    import json

    (night.folder.path / "records.json").write_text(json.dumps(some.advisories))
    night.options["advisories"] = {"path": "records.json", "name": "our file", "date": "2024-06-01"}
    night.set()


def test_offline_answers_have_the_day_on_which_they_were_had(serve: Serve) -> None:
    night = serve(some_packages(4))
    told = night.review()["pkg-00"]["Recommendation"]
    today = re.findall(r"(?:OSV|package index) of (\d{4}-\d\d-\d\d)", told)
    assert len(today) == 2
    path = night.folder.path / "data/cache/http-answers.db"
    # As if these answers had been stored on another day: one text of the file in place of another as long.
    path.write_bytes(path.read_bytes().replace(today[0].encode(), b"2025-02-03"))
    told = night.review("--start-fresh", "--offline")["pkg-00"]["Recommendation"]
    assert "OSV of 2025-02-03" in told and "package index of 2025-02-03" in told
    assert today[0] not in told


def overwritten(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(os.urandom(20_000))


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 3)


def other_words(path: Path) -> None:
    """The database is whole, and what it holds still is JSON: as far as anybody can see, there are no packages."""
    path.write_bytes(path.read_bytes().replace(b'"PyPI"', b'"none"'))


def a_text(path: Path) -> None:
    path.write_text("this is no database\n" * 100)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "something").write_text("of somebody")


def in_the_folder_s_place(path: Path) -> None:
    shutil.rmtree(path.parent)
    path.parent.write_text("a file where the folder of stored answers was")


@pytest.mark.parametrize("damage", [overwritten, truncated, other_words, a_text, a_folder, in_the_folder_s_place])
def test_stored_answers_that_are_damaged_are_asked_for_anew_and_the_log_says_so(
    serve: Serve, damage: Callable[[Path], None]
) -> None:
    some = some_packages(6)
    night = serve(some)
    night.review()
    path = night.folder.path / "data/cache/http-answers.db"
    damage(path)
    night.server.forget()
    assert {name: row.status for name, row in night.review().items()} == some.expected()
    said = "a stored answer is damaged" if damage is other_words else str(path)
    assert said in night.logs()
    assert night.server.per_kind()["osv-vuln"] == 12
    assert night.server.count("index") == (0 if damage is other_words else 6)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_where_answers_cannot_be_written_the_run_goes_on_without_them(serve: Serve) -> None:
    some = some_packages(4)
    night = serve(some)
    (night.folder.path / "data/cache").mkdir(parents=True, mode=0o500)
    assert {name: row.status for name, row in night.review().items()} == some.expected()
    assert "cannot be stored" in night.logs()


def test_two_runs_at_once_share_the_stored_answers(serve: Serve) -> None:
    some = some_packages(30)
    night = serve(some)
    other = Night(night.folder, night.server, night.options, {"job": "other"}, "other.xlsx", "other.yaml")
    other.lay(dict(reversed(some.in_use.items())))
    both = [night.folder.start("run", one.job_file, "--start-fresh", "--json") for one in (night, other)]
    for process in both:
        _, err = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, err
    for one in (night, other):
        assert {name: row.status for name, row in one.reviewed().items()} == some.expected()
    assert "cannot be stored" not in night.logs() and "damaged" not in night.logs()
    night.server.forget()
    told = facts(night)
    night.review("--start-fresh", "--offline")
    assert (facts(night), night.server.requests) == (told, ())
