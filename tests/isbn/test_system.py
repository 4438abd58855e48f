"""The settings of the ISBN system."""

import datetime as dt

import pytest

from batchbook.errors import ConfigurationError
from batchbook.isbn.system import isbn_system
from tests.isbn.desks import Desk, small_desk
from tests.isbn.helpers import range_message, stdnum_content


def test_further_formats_can_be_chosen():
    assert isbn_system({"formats": ["braille", "ebook"]}).formats == (
        "paperback", "hardcover", "ebook", "audiobook", "braille",
    )  # fmt: skip


def test_everything_that_is_wrong_in_the_section_is_told_with_what_was_meant():
    with pytest.raises(ConfigurationError) as refused:
        isbn_system({"format": ["a"], "date_order": "dym", "formats": "x"}, file="config/batchbook.yaml")
    found = sorted(str(one) for one in refused.value.findings)
    assert len(found) == 3
    assert all(one.startswith("config/batchbook.yaml: isbn.") for one in found)
    assert "did you mean 'formats'" in " ".join(found)
    assert "dmy" in " ".join(found)


def test_a_newer_range_table_changes_how_numbers_are_written(tmp_path):
    content = stdnum_content()
    groups = content["978"][1]
    agency, registrants = groups["1"]
    groups["1"] = (agency, [one for one in registrants if not one[0] <= "60888"[: len(one[0])] <= one[1]])
    (tmp_path / "RangeMessage.xml").write_text(range_message(content, date="Sun, 1 Nov 2026 10:00:00 GMT"), "utf-8")
    desk = Desk(system=isbn_system({"ranges": "RangeMessage.xml"}, tmp_path))
    assert "2026-11-01" in desk.system.ranges_date
    row = desk.system.assignments.column("isbn").kind.write("9781608880003")
    assert row == "9781608880003"
    assert small_desk().system.isbn.write("9781608880003") == "978-1-60888-000-3"
    warnings = desk.add_block(block="978-1-60888").warnings
    assert [one.rule for one in warnings] == ["range-unknown"]


def test_a_range_table_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be used"):
        isbn_system({"ranges": "nowhere.xml"}, tmp_path)


def test_entries_of_the_history_are_numbered_on_within_a_run():
    desk = small_desk()
    actor = desk.actor
    from batchbook.isbn.session import Session

    session = Session(desk.workspace, desk.system)
    names = [session.record(actor, "x", "9781608880003", "title", None, "y").entry for _ in range(11)]
    assert names[-1] == f"{actor.run}.11"
    assert Session(desk.saved().workspace, desk.system).next_entry(actor.run) == f"{actor.run}.12"
    assert session.history.count(at=actor.now) == 11
    assert actor.now > dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
