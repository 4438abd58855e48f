import pytest

from batchbook.config.suggest import did_you_mean, nearest


@pytest.mark.parametrize(
    ("given", "meant"), [("workbok", "workbook"), ("Workbook", "workbook"), ("header-row", "header_row"), ("zzz", None)]
)
def test_a_near_miss_finds_its_name(given: str, meant: str | None) -> None:
    assert nearest(given, ["workbook", "header_row", "key"]) == meant


def test_nothing_is_said_where_nothing_is_near() -> None:
    assert did_you_mean("zzz", ["workbook"]) == ""
    assert did_you_mean("workbok", ["workbook"]) == "; did you mean 'workbook'?"
