"""A review that is killed, and resumed: who was done is not asked about again."""

from __future__ import annotations

import os
import signal
from collections import Counter

import pytest

from tests.integration.helpers import SECONDS
from tests.integration.online import Night, Serve, some_packages
from tests.servers.faults import Latency

PACKAGES = 60


def interrupted(night: Night, after: int, number: int) -> int:
    """Start a review and end it by a signal after some index pages; gives the exit code."""
    process = night.folder.start("run", night.job_file, "--start-fresh", "--json")
    try:
        assert night.server.wait_for(after, "index"), process.communicate(timeout=1)
        os.kill(process.pid, number)
        process.communicate(timeout=SECONDS)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    return process.returncode


def packages_asked(night: Night) -> Counter[str]:
    """How often OSV was asked for the list of each package."""
    return Counter(name for seen in night.server.asked("osv-batch") for name in seen.packages)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 143)])
def test_a_review_that_is_ended_and_resumed_asks_nothing_again_about_what_was_done(
    serve: Serve, number: int, code: int
) -> None:
    some = some_packages(PACKAGES)
    # No page is fresh: what is asked about again is seen.
    night = serve(some, some.server(max_age=0))
    night.job.update(batch={"strategy": "fixed", "size": 5, "checkpoint_frequency": 2, "concurrency": 5})
    night.set().server.faults.add(Latency(0.03))
    assert interrupted(night, 32, number) == code
    before = (night.server.per_thing("index"), packages_asked(night), night.server.per_thing("osv-vuln"))
    night.server.forget()

    called = night.run("--resume-auto")
    kept = called.json["resumed"]["rows_kept"]
    assert 20 <= kept < PACKAGES, "what was done by then, but for the batch in hand"
    assert called.json["rows"]["selected"] == called.json["rows"]["done"] == PACKAGES
    again = night.server.per_thing("index")
    # Every row that was not done asks for its page, so that none of those that were done did.
    assert sum(again.values()) == len(again) == PACKAGES - kept
    assert set(again) == set(packages_asked(night)) and packages_asked(night).total() == len(again)
    twice = set(again) & set(before[0])
    assert len(twice) <= (0 if number == signal.SIGTERM else 10), "at most those in hand, and those not committed yet"
    # Records are stored as they come: those of a package in hand may be fetched again, no others.
    fetched_again = set(night.server.per_thing("osv-vuln")) & set(before[2])
    assert fetched_again <= {one["id"] for one in some.advisories if one["affected"][0]["package"]["name"] in twice}
    rows = night.reviewed()
    assert {name: row.status for name, row in rows.items()} == some.expected()

    told = {name: row.text(*(one for one in row.cells if one != "Checked At")) for name, row in rows.items()}
    straight = serve(some, some.server(max_age=0))
    after = {
        name: row.text(*(one for one in row.cells if one != "Checked At")) for name, row in straight.review().items()
    }
    assert told == after, "as a run straight through"
