"""How the sources fared over a run: what is in no single row, such as that one was down all night."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence

from batchbook.packages.reviewed import Reviewed
from batchbook.packages.wording import MOST_QUOTED, count, shorten

MOST_MISSING = 0.5
"""More packages than this share that an index does not know make its address suspect."""
FEWEST = 5
"""Of fewer packages nothing is concluded."""


class Tally:
    """Counts the rows of one attempt at a run, from several threads."""

    def __init__(self, sources: Sequence[str]) -> None:
        """`sources` are the names of the sources of advisories."""
        self._sources = tuple(sources)
        self._lock = threading.Lock()
        self._rows = 0
        self._failed: Counter[str] = Counter()
        self._asked: Counter[str] = Counter()
        self._last: dict[str, str] = {}
        self._missing: Counter[str] = Counter()

    def add(self, reviewed: Reviewed) -> None:
        """One row more."""
        with self._lock:
            self._rows += 1
            troubles = reviewed.verdict.answers.troubles if reviewed.verdict.answers is not None else ()
            for name in self._sources:
                self._count(name, next((one for one in troubles if one.startswith(f"{name} could not be asked")), ""))
            index = reviewed.index
            if index.name:
                self._count(index.name, index.problem if "could not be asked" in index.problem else "")
                self._missing[index.name] += bool(index.not_found)
            problems = [one.problem for one in reviewed.facts if "could not be asked" in one.problem]
            if reviewed.facts:
                self._count(reviewed.cve_source, problems[-1] if problems else "")

    def _count(self, name: str, trouble: str) -> None:
        self._asked[name] += 1
        if trouble:
            self._failed[name] += 1
            self._last[name] = trouble

    def remarks(self) -> Iterator[str]:
        """What has to be told of the sources, a sentence each; nothing where all is well."""
        with self._lock:
            for name, failed in self._failed.items():
                asked = count(self._asked[name], "package", "packages")
                last = shorten(_reason(self._last[name]), 3 * MOST_QUOTED)
                yield f"{name} could not be asked about {failed} of {asked}, the last time: {last}"
            for name, missing in self._missing.items():
                asked_of = self._asked[name] - self._failed[name]
                if asked_of >= FEWEST and missing > MOST_MISSING * asked_of:
                    yield f"{name} knows no such package as {missing} of {asked_of}; is its address right?"


def _reason(trouble: str) -> str:
    """What came of asking, without who was asked."""
    _, _, reason = trouble.partition("could not be asked")
    reason = reason.strip(" :")
    return reason[1:-1] if reason.startswith("(") and reason.endswith(")") else reason
