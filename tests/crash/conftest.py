"""What the crash tests share: folders, the zygote, the recorded scenarios, and where the counts go."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.crash.catalogue import SCENARIOS
from tests.crash.isbns import BULK, SCHEDULE, lay
from tests.crash.scenarios import RUN, Scenario, make_folder, recorded
from tests.crash.sweep import Tally
from tests.crash.tracing import Runner
from tests.integration.conftest import folder, new_folder

__all__ = ["folder", "new_folder"]

MEMORY = Path("/dev/shm")
"""Where there is one, the sweeps work in it: a kill loses nothing that the system has taken, on whatever disk."""


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for the whole session, outside of the kept ones: a sweep makes it anew thousands of times."""
    fast = MEMORY if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > 1 << 28 else None
    with tempfile.TemporaryDirectory(prefix="crash-", dir=fast or tmp_path_factory.mktemp("crash")) as path:
        yield Path(path)


@pytest.fixture(scope="session")
def runner(scratch: Path) -> Iterator[Runner]:
    """The zygote of this session, with all imported that a run needs."""
    one = Runner(scratch)
    one.warm(make_folder(scratch / "warm"), RUN)
    one.warm(lay(scratch / "warm-isbns").path, list(SCHEDULE), list(BULK))
    yield one
    one.close()


@pytest.fixture(scope="session")
def case(scratch: Path) -> Path:
    """The folder of the case at hand; always the same, so that its paths are."""
    return scratch / "case"


@pytest.fixture(scope="session")
def scenario(runner: Runner, scratch: Path, case: Path) -> Callable[[str], Scenario]:
    """Gives a scenario by its name, recorded once."""
    known: dict[str, Scenario] = {}

    def find(name: str) -> Scenario:
        if name not in known:
            known[name] = recorded(name, SCENARIOS[name], runner, scratch, case)
        return known[name]

    return find


@pytest.fixture(scope="session")
def counted(pytestconfig: pytest.Config) -> Callable[[Tally], None]:
    """Writes the counts of one sweep where `table.py` finds them."""
    build = pytestconfig.rootpath / "build" / "crash"

    def write(tally: Tally) -> None:
        build.mkdir(parents=True, exist_ok=True)
        name = f"{tally.scenario} {tally.kind}".replace(" ", "-")
        (build / f"{name}.json").write_text(json.dumps(tally.plain(), indent=1))

    return write
