"""Rows of a result as table, JSON and CSV."""

from __future__ import annotations

import csv
import io
import json

import pytest

from batchbook.cli import listing as module
from batchbook.cli import output
from batchbook.cli.listing import Formats, Listing, check_format, show_listing
from batchbook.errors import UsageError

ROWS = [
    {"name": "=1+1", "count": 5, "share": 0.25, "blank": None, "note": "a,b"},
    {"name": "naïve 漢字", "count": 1200, "share": 1.0, "blank": None, "note": 'two\nlines "quoted"'},
]
HEADERS = {"name": "Name", "count": "count", "share": "share", "blank": "nothing", "note": "note"}


@pytest.fixture
def manner(monkeypatch: pytest.MonkeyPatch) -> output.Manner:
    fresh = output.Manner()
    for one in (output, module):
        monkeypatch.setattr(one, "manner", fresh)
    return fresh


def listing(rows: list[dict[str, object]] | None = None) -> Listing:
    return Listing("rows", HEADERS, lambda: ROWS if rows is None else rows, "There is nothing.", frozenset({"share"}))


def test_a_table_leaves_out_columns_in_which_nothing_stands_and_puts_numbers_to_the_right(
    manner: output.Manner, capsys: pytest.CaptureFixture[str]
) -> None:
    assert show_listing(listing()) == 2
    assert capsys.readouterr().out.splitlines() == [
        "Name      count   share  note",
        "=1+1          5   25.0%  a,b",
        'naïve 漢字   1200  100.0%  two lines "quoted"',
    ]


def test_a_table_without_rows_says_so(manner: output.Manner, capsys: pytest.CaptureFixture[str]) -> None:
    assert show_listing(listing([])) == 0
    assert capsys.readouterr().out == "There is nothing.\n"


def test_a_long_text_is_cut_in_a_table_and_whole_in_json_and_csv(
    manner: output.Manner, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"name": "x" * 5000, "note": "last"}]
    show_listing(listing(rows))
    assert f"{'x' * 59}…  last" in capsys.readouterr().out
    manner.json = True
    show_listing(listing(rows))
    assert json.loads(capsys.readouterr().out)["rows"][0]["name"] == "x" * 5000
    manner.json, manner.csv = False, True
    show_listing(listing(rows))
    assert "x" * 5000 in capsys.readouterr().out


def test_json_is_one_object_with_error_null_and_what_belongs_to_the_rows(
    manner: output.Manner, capsys: pytest.CaptureFixture[str]
) -> None:
    manner.json = True
    assert show_listing(listing(), {"workbook": "b.xlsx"}) == 2
    assert json.loads(capsys.readouterr().out) == {"workbook": "b.xlsx", "rows": ROWS, "error": None}


def test_csv_is_what_rfc_4180_says_and_no_text_passes_for_a_formula(
    manner: output.Manner, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    manner.csv = True
    assert show_listing(listing()) == 2
    out = capfdbinary.readouterr().out
    lines = list(csv.reader(io.StringIO(out.decode("utf-8"), newline="")))
    assert lines == [
        list(HEADERS),
        ["'=1+1", "5", "0.25", "", "a,b"],
        ["naïve 漢字", "1200", "1.0", "", 'two\nlines "quoted"'],
    ]
    assert out.startswith(b'name,count,share,blank,note\r\n\'=1+1,5,0.25,,"a,b"\r\n')


@pytest.mark.parametrize("text", ["=A1", "+1", "-1", "@x", "\t=A1", " =A1", "＝A1"])
def test_each_sign_that_begins_a_formula_gets_an_apostrophe_in_csv(
    text: str, manner: output.Manner, capsys: pytest.CaptureFixture[str]
) -> None:
    manner.csv = True
    show_listing(listing([{"name": text}]))
    line = list(csv.reader(io.StringIO(capsys.readouterr().out, newline="")))[1]
    assert line[0] == f"'{text}"


def test_nothing_else_is_on_standard_output_with_csv(manner: output.Manner, capsys: pytest.CaptureFixture[str]) -> None:
    manner.csv = True
    output.say("3 rows")
    output.note("a warning")
    out, err = capsys.readouterr()
    assert (out, err) == ("", "a warning\n")


def test_json_and_csv_do_not_go_together() -> None:
    with pytest.raises(UsageError, match="do not go together"):
        check_format(Formats.CSV, True)
    check_format(Formats.JSON, True)
    check_format(Formats.CSV, False)


def test_a_table_of_very_many_rows_is_not_held_in_memory(
    manner: output.Manner, capsys: pytest.CaptureFixture[str]
) -> None:
    alive = most = 0

    class Counted(dict[str, object]):
        def __init__(self, **values: object) -> None:
            nonlocal alive, most
            super().__init__(values)
            alive += 1
            most = max(most, alive)

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    many = Listing("rows", {"name": "Name"}, lambda: (Counted(name=f"r{n}") for n in range(2000)), "")
    assert show_listing(many) == 2000
    assert len(capsys.readouterr().out.splitlines()) == 2001
    assert most < 10
