"""All commands that the sweeps put faults into, by name."""

from __future__ import annotations

from tests.crash.isbns import ISBNS
from tests.crash.scenarios import SMALL, Prepare

SCENARIOS: dict[str, Prepare] = {**SMALL, **ISBNS}
