"""Severities: CVSS vectors become scores, labels stay labels, and what is not given is said to be not given."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from cvss import CVSS2, CVSS3, CVSS4, CVSSError  # type: ignore[import-untyped]

LABELS = {"NONE": 0, "LOW": 1, "MODERATE": 2, "MEDIUM": 2, "HIGH": 3, "CRITICAL": 4}
NOT_GIVEN = "not given"


@dataclass(frozen=True, slots=True)
class Severity:
    """How bad an advisory is: a label, and the base score with its scale where a vector was given."""

    label: str
    score: float | None = None
    scale: str = ""

    def rank(self) -> tuple[int, float]:
        """Higher is worse; labels count before scores, whose scales differ."""
        return LABELS[self.label], self.score or 0.0

    def __str__(self) -> str:
        return self.label if self.score is None else f"{self.label} {self.score:.1f} ({self.scale})"


def highest(severities: Iterable[Severity | None]) -> Severity | None:
    """The worst of those that are given, None where none is."""
    return max((one for one in severities if one is not None), key=Severity.rank, default=None)


@lru_cache(maxsize=1 << 14)
def read_severity(kind: str, score: str) -> Severity | None:
    """A severity as an OSV record writes it (``CVSS_V3`` and a vector, ``LABEL`` and a word), None if not readable."""
    if kind == "LABEL":
        word = "MEDIUM" if score == "MODERATE" else score
        return Severity(word) if word in LABELS else None
    try:
        return _of_vector(score)
    except CVSSError:
        return None


def _of_vector(vector: str) -> Severity:
    """By the vector's own prefix: records have put vectors under the wrong type."""
    if vector.startswith("CVSS:4"):
        four = CVSS4(vector)
        return Severity(four.severity.upper(), float(four.base_score), "CVSS 4.0")
    if vector.startswith("CVSS:3"):
        three = CVSS3(vector)
        return Severity(three.severities()[0].upper(), float(three.scores()[0]), f"CVSS {vector[5:8]}")
    two = CVSS2(vector)
    return Severity(two.severities()[0].upper(), float(two.scores()[0]), "CVSS 2.0")
