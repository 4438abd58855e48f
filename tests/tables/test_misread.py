"""Texts that were read in another encoding are recognised, and no others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchbook.tables.misread import mended, said_of_misread

LETTERS = "äöüßÄéèêçñøåœ–’€ŠžÆ"


@pytest.mark.parametrize(
    ("read", "written"), [("FlÃ¼sse", "Flüsse"), ("CafÃ© â€“ Bar", "Café – Bar"), ("â‚¬ 5", "€ 5")]
)
def test_utf_8_that_was_read_as_windows_1252_is_recognised(read: str, written: str) -> None:
    assert mended(read) == written
    assert repr(written) in (said_of_misread(read) or "")


@pytest.mark.parametrize(
    "text", ["", "Thief", "Flüsse", "SÃO PAULO", "Œuvres – complètes", "São Tomé", "Ελλάδα", "日本", "Ã", "10 € ©"]
)
def test_texts_as_they_are_written_are_left_alone(text: str) -> None:
    assert mended(text) is None and said_of_misread(text) is None


@given(st.text(st.sampled_from(LETTERS + "abc "), min_size=1).filter(lambda text: not text.isascii()))
def test_whatever_windows_1252_can_hold_is_recognised_when_it_was_misread(text: str) -> None:
    try:
        read = text.encode("utf-8").decode("cp1252")
    except UnicodeDecodeError:  # one of the five bytes that mean nothing there
        return
    assert mended(read) == text
