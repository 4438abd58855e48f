import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchbook.errors import ConfigurationError
from batchbook.isbn import rangemessage
from batchbook.isbn.numbers import isbn_of, judge
from batchbook.isbn.rangemessage import ranges_in_use, read_range_message
from batchbook.isbn.ranges import shipped_ranges
from tests.isbn.helpers import DATE, boundary_cores, isbns, range_message, stdnum_content

SMALL = {"978": ([("0", "5")], {"1": ("English language", [("000", "009"), ("01", "02")])})}


@pytest.fixture(scope="module")
def same_table(tmp_path_factory):
    """The shipped table, by way of a RangeMessage file."""
    path = tmp_path_factory.mktemp("ranges") / "RangeMessage.xml"
    path.write_text(range_message(stdnum_content()), encoding="utf-8")
    return read_range_message(path)


def refusal(tmp_path, text):
    path = tmp_path / "RangeMessage.xml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigurationError) as caught:
        read_range_message(path)
    error = caught.value
    assert str(path) in error.what
    assert "ranges" in error.advice
    assert error.findings
    assert all(finding.file == str(path) for finding in error.findings)
    return " | ".join(str(finding) for finding in error.findings)


def small(tmp_path, content=SMALL, **about):
    path = tmp_path / "small.xml"
    path.write_text(range_message(content, **about), encoding="utf-8")
    return read_range_message(path)


def test_a_range_message_of_the_same_content_answers_as_the_shipped_table_at_every_boundary(same_table):
    shipped = shipped_ranges()
    for core in boundary_cores():
        isbn = isbn_of(core)
        assert same_table.split(isbn) == shipped.split(isbn), isbn
        assert same_table.agency(isbn) == shipped.agency(isbn), isbn
        assert same_table.longer_registrant(isbn[:7]) == shipped.longer_registrant(isbn[:7]), isbn
    assert same_table.groups == shipped.groups
    assert same_table.warnings == ()


@given(isbns)
def test_a_range_message_of_the_same_content_answers_as_the_shipped_table(same_table, isbn):
    assert same_table.split(isbn) == shipped_ranges().split(isbn)


def test_a_newer_file_with_one_more_range_changes_the_answer(tmp_path):
    content = stdnum_content()
    isbn = isbn_of(979_8_1_2345678)
    assert judge(isbn).outcome == "range-unknown"
    agency, ranges = content["979"][1]["8"]
    content["979"][1]["8"] = (agency, [*ranges, ("10", "14")])
    newer = small(tmp_path, content, date="Sun, 1 Nov 2026 10:00:00 GMT", serial="newer")
    judged = judge(isbn, newer)
    assert (judged.outcome, str(judged.parts)) == ("valid", f"979-8-12-345678-{isbn[-1]}")
    assert newer.date == dt.datetime(2026, 11, 1, 10, tzinfo=dt.UTC)
    assert newer.serial == "newer"
    assert newer.warnings == ()


def test_ranges_that_were_given_to_nobody_are_not_known(tmp_path):
    table = small(tmp_path)
    assert str(table.split("9781009999999")) == "978-1-009-99999-9"
    assert str(table.split("9781019999990")) == "978-1-01-999999-0"
    assert table.split("9781030000000") is None
    assert table.split("9780000000000") is None


def test_a_file_that_is_older_than_the_shipped_table_or_lacks_groups_is_used_with_a_warning(tmp_path):
    older, lacking = small(tmp_path, date="Mon, 8 Jan 2024 13:37:37 GMT").warnings
    assert "2024-01-08" in older
    assert "older" in older
    assert shipped_ranges().date.date().isoformat() in older
    assert "978-0" in lacking
    assert f"{len(shipped_ranges().groups) - 1:,} registration groups" in lacking


def test_without_a_file_the_shipped_table_is_in_use(tmp_path, same_table):
    assert ranges_in_use(None) is shipped_ranges()
    path = tmp_path / "RangeMessage.xml"
    path.write_text(range_message(stdnum_content()), encoding="utf-8")
    assert ranges_in_use(path).groups == same_table.groups


def test_other_encodings_than_utf_8_are_read(tmp_path):
    path = tmp_path / "RangeMessage.xml"
    text = range_message({"978": (SMALL["978"][0], {"1": ("Türkiye", [("00", "01")])})}).replace("utf-8", "utf-16")
    path.write_bytes(text.encode("utf-16"))
    assert read_range_message(path).agency("9781") == "Türkiye"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no sound XML"),
        (b"PK\x03\x04 what a zip begins with", "no sound XML"),
        (b"<html><body>404</body></html>", "root element is not ISBNRangeMessage (found 'html')"),
        (b"<?xml version='1.0' encoding='no-such'?><ISBNRangeMessage/>", "no sound XML"),
        (b"<ISBNRangeMessage/>", "MessageDate"),
        (b"<ISBNRangeMessage/>", "no EAN.UCCPrefixes with a EAN.UCC"),
        (b"<ISBNRangeMessage/>", "no RegistrationGroups with a Group"),
        (
            b"<!DOCTYPE a [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><ISBNRangeMessage>&b;</ISBNRangeMessage>",
            "no sound XML",
        ),
        (
            b"<!DOCTYPE a [<!ENTITY a SYSTEM 'file:///etc/hostname'>]><ISBNRangeMessage>&a;</ISBNRangeMessage>",
            "no sound XML",
        ),
    ],
)
def test_what_is_no_range_message_is_refused_with_the_reason(tmp_path, content, said):
    assert said in refusal(tmp_path, content)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (f"<MessageDate>{DATE}</MessageDate>", "", "the message has no MessageDate"),
        (DATE, "yesterday", "MessageDate is no date such as Sun, 4 Jan 2026 16:49:25 GMT (found 'yesterday')"),
        ("<Prefix>978</Prefix>", "<Prefix>977</Prefix>", "neither 978 nor 979 (found '977')"),
        ("<Prefix>978-1</Prefix>", "<Prefix>9781</Prefix>", "not like 978-1 (found '9781')"),
        ("<Prefix>978-1</Prefix>", "", "a registration group has no Prefix"),
        ("<Prefix>978-1</Prefix>", "<Prefix>978-61</Prefix>", "group 978-61 does not fit the lengths"),
        ("<Agency>English language</Agency>", "<Agency> </Agency>", "group 978-1 has no Agency"),
        ("0000000-0099999", "0000000-99999", "a range of group 978-1 is not like 0000000-1999999"),
        ("0000000-0099999", "0099999-0000000", "a range of group 978-1 is not like 0000000-1999999"),
        ("0000000-0099999", "０000000-0099999", "a range of group 978-1 is not like 0000000-1999999"),
        ("0000000-0099999", "0000000-0095000", "whole numbers of 3 digits (found '0000000-0095000')"),
        ("<Length>3</Length>", "<Length>three</Length>", "is no number from 0 to 7 (found 'three')"),
        ("<Length>3</Length>", "<Length>8</Length>", "is no number from 0 to 7 (found '8')"),
        ("<Length>3</Length>", "<Length>-1</Length>", "is no number from 0 to 7"),
        ("<Length>3</Length>", "", "group 978-1 has no Length"),
        ("<Range>0000000-0099999</Range>", "", "group 978-1 has no Range"),
        ("0100000-0299999", "0000000-0299999", "overlap"),
        ("</RegistrationGroups>", "", "no sound XML"),
    ],
)
def test_a_damaged_range_message_is_refused_with_what_is_damaged(tmp_path, old, new, said):
    text = range_message(SMALL, dtd="")
    assert old in text
    assert said in refusal(tmp_path, text.replace(old, new, 1))


def test_a_group_that_is_there_twice_is_refused(tmp_path):
    text = range_message(SMALL)
    start, end = text.index("<Group>"), text.index("</Group>") + len("</Group>")
    assert "group 978-1 is there twice" in refusal(tmp_path, text[:end] + text[start:end] + text[end:])


def test_a_registrant_that_leaves_no_digit_for_the_publication_is_refused(tmp_path):
    content = {"978": ([("99900", "99999")], {"99901": ("Somewhere", [("0000", "0001")])})}
    assert "is no number from 0 to 3 (found '4')" in refusal(tmp_path, range_message(content))


def test_all_that_is_wrong_is_told_at_once_but_not_without_end(tmp_path):
    text = range_message(stdnum_content()).replace("<Length>", "<Length>x")
    with pytest.raises(ConfigurationError) as caught:
        (tmp_path / "wrong.xml").write_text(text, encoding="utf-8")
        read_range_message(tmp_path / "wrong.xml")
    assert len(caught.value.findings) == 21
    assert "more places are wrong" in str(caught.value.findings[-1])


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    for path, said in ((tmp_path / "none.xml", "No such file"), (tmp_path, "cannot be read")):
        with pytest.raises(ConfigurationError) as caught:
            read_range_message(path)
        assert said in str(caught.value.findings[0])


def test_a_file_that_is_far_too_long_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(rangemessage, "MOST_BYTES", 100)
    assert "a range message has less than 100" in refusal(tmp_path, range_message(SMALL))


@given(st.data())
def test_a_file_with_any_bytes_changed_is_a_table_or_refused_by_name(tmp_path_factory, data):
    text = bytearray(range_message(SMALL).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del text[data.draw(st.integers(0, len(text))) :]
    path = tmp_path_factory.mktemp("damaged") / "RangeMessage.xml"
    path.write_bytes(bytes(text))
    try:
        table = read_range_message(path)
    except ConfigurationError as error:
        assert error.findings
    else:
        assert table.groups
        assert table.date
