from __future__ import annotations

import pytest

from batchbook.packages.severity import Severity, highest, read_severity


@pytest.mark.parametrize(
    ("vector", "shown"),
    [
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "CRITICAL 9.8 (CVSS 3.1)"),
        ("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", "MEDIUM 6.1 (CVSS 3.0)"),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", "CRITICAL 10.0 (CVSS 3.1)"),
        ("CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:N/I:N/A:N", "NONE 0.0 (CVSS 3.1)"),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", "CRITICAL 9.3 (CVSS 4.0)"),
        ("AV:N/AC:L/Au:N/C:P/I:P/A:P", "HIGH 7.5 (CVSS 2.0)"),
    ],
)
def test_vectors_become_scores(vector: str, shown: str) -> None:
    assert str(read_severity("CVSS_V3", vector)) == shown


def test_the_vector_counts_and_not_its_type() -> None:
    vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
    assert read_severity("CVSS_V2", vector) == read_severity("CVSS_V3", vector)


@pytest.mark.parametrize(("kind", "score"), [("CVSS_V3", ""), ("CVSS_V3", "CVSS:3.1/AV:N"), ("LABEL", "DREADFUL")])
def test_what_cannot_be_read_is_not_given(kind: str, score: str) -> None:
    assert read_severity(kind, score) is None


def test_labels_are_severities_without_a_score() -> None:
    assert str(read_severity("LABEL", "MODERATE")) == "MEDIUM"


def test_the_highest_is_by_label_then_score_and_none_does_not_count() -> None:
    low, high, higher = Severity("LOW", 3.9), Severity("HIGH"), Severity("HIGH", 7.1)
    assert highest([low, None, high, higher]) == higher
    assert highest([None]) is None
