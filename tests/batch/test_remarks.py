"""What a processor tells of a run as a whole, at its end."""

import logging

import pytest

from batchbook.batch.processors import Processor
from batchbook.batch.progress import Warned
from tests.batch.helpers import Site


class Talking(Processor):
    writes = ("Result",)
    said = ("the server\nwas down",)

    def process(self, row):
        return {"Result": 1}

    def remarks(self):
        return self.said


class Silent(Talking):
    said = ()


class Failing(Talking):
    def remarks(self):
        raise ValueError("no")


@pytest.mark.parametrize(
    ("processor", "told"),
    [
        (Talking, ["the server was down"]),
        (Silent, []),
        (Failing, ["the processor's remarks could not be had: ValueError"]),
    ],
)
def test_a_remark_becomes_a_warning_a_line_in_the_log_and_part_of_the_result(tmp_path, caplog, processor, told):
    site = Site(tmp_path / "w", processor=processor)
    with caplog.at_level(logging.WARNING, "batchbook.batch.attempt"):
        result = site.run()
    assert result.status == "completed"
    assert result.as_dict().get("remarks", []) == told
    assert [event.message for event in site.events if isinstance(event, Warned)] == told
    assert all(one in caplog.text for one in told)
