from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchbook.packages.names import read_name, read_version


@pytest.mark.parametrize(
    ("written", "normal"),
    [("Django", "django"), ("jw.util", "jw-util"), ("a__b--c", "a-b-c"), (" requests ", "requests"), ("7", "7")],
)
def test_names_are_compared_in_their_normal_form(written: str, normal: str) -> None:
    assert read_name(written) == normal


@pytest.mark.parametrize("written", ["", " ", "-", "a b", "requests[socks]", "requests==2", "réquests", "_x", "x\n\ny"])
def test_what_is_no_name_is_none(written: str) -> None:
    assert read_name(written) is None


@pytest.mark.parametrize("written", ["23.0.", "NEW", "", "latest", "1.x", "2019-09-12", "0.2.0-n653", "==1.0", "#N/A"])
def test_what_is_no_version_is_none(written: str) -> None:
    assert read_version(written) is None


@settings(deadline=None)
@given(st.text())
def test_reading_never_fails(text: str) -> None:
    assert read_name(text) is None or read_name(text) == read_name(str(read_name(text)))
    assert read_version(text) is None or read_version(str(read_version(text))) == read_version(text)


def test_a_version_of_more_digits_than_python_reads_is_none() -> None:
    assert read_version("9" * 5000) is None
