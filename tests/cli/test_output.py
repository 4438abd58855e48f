import json
import os
import sys
from collections.abc import Callable

import pytest

from batchbook.cli import output
from batchbook.cli.output import counted, plain, show_error, show_json, table
from batchbook.errors import ConfigurationError, Finding


@pytest.fixture(autouse=True)
def manner(monkeypatch: pytest.MonkeyPatch) -> output.Manner:
    fresh = output.Manner()
    monkeypatch.setattr(output, "manner", fresh)
    return fresh


def test_text_from_a_workbook_cannot_steer_the_terminal() -> None:
    assert plain("a\x1b[2Jb\u202ec\x07") == "a\ufffd[2Jb\ufffdc\ufffd"
    assert plain("naïve 漢字 😀\n\t") == "naïve 漢字 😀\n\t"


def test_a_table_is_aligned_with_numbers_to_the_right() -> None:
    assert table(("name", "rows"), [("a", 5), ("long name", 1200)]) == [
        "name       rows",
        "a             5",
        "long name  1200",
    ]
    assert table(("name",), []) == ["name"]
    assert table(("a", "b"), [("x\ny", None)]) == ["a    b", "x y"]


def test_an_error_says_what_where_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    findings = [Finding(f"wrong {n}", file="job.yaml", line=n) for n in range(60)]
    show_error(ConfigurationError("It is wrong.", "Mend it.", findings=findings))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("batchbook: It is wrong.\n  job.yaml, line 0: wrong 0\n")
    assert err.endswith("and 10 more (--json has all)\nMend it.\n")


def test_with_json_an_error_of_a_run_has_the_fields_of_a_run(
    manner: output.Manner, capsys: pytest.CaptureFixture[str]
) -> None:
    manner.json, manner.runs = True, True
    show_error(ConfigurationError("It is wrong.", "Mend it.", findings=[Finding("a", file="f")]))
    shown = json.loads(capsys.readouterr().out)
    assert shown["status"] == "failed"
    assert shown["rows"]["selected"] == 0
    assert shown["error"] == {
        "code": "configuration",
        "what": "It is wrong.",
        "advice": "Mend it.",
        "findings": ["f: a"],
    }


def test_with_json_nothing_else_is_on_standard_output(
    manner: output.Manner, capsys: pytest.CaptureFixture[str]
) -> None:
    manner.json = True
    output.say("words")
    output.note("more words")
    assert capsys.readouterr().out == ""


def test_json_is_ascii_whatever_it_holds(capsys: pytest.CaptureFixture[str]) -> None:
    output.show_json({"name": "naïve 漢字 😀"})
    shown = capsys.readouterr().out
    assert shown.isascii()
    assert json.loads(shown) == {"name": "naïve 漢字 😀"}


@pytest.mark.parametrize("show", [lambda: output.say("words"), lambda: output.show_json({})])
def test_a_reader_that_has_gone_stops_nothing(monkeypatch: pytest.MonkeyPatch, show: Callable[[], None]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        show()
        show()


def test_without_a_standard_output_processors_can_run(
    manner: output.Manner, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    manner.json = True
    monkeypatch.setattr(sys, "stdout", None)
    with output.others_print_beside():
        print("from a processor")
    output.show_json({})
    assert capsys.readouterr().err == "from a processor\n"


def test_streams_that_were_closed_lead_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    output.fill_streams()
    with sys.stdin as given, sys.stdout as out, sys.stderr as err:
        assert given.read() == ""
        print("words")
        print("words", file=err, flush=True)
        assert not out.isatty()


@pytest.mark.parametrize("count", [0, 1, 500, 501, 1201])
def test_a_long_list_is_written_piece_by_piece_as_one_object(count: int, capsys: pytest.CaptureFixture[str]) -> None:
    rows = ({"place": place, "text": f"a\n\u00e9{place}"} for place in range(count))
    show_json({"first": 1, "rows": rows, "more": iter("ab"), "last": {"x": None}})
    shown = json.loads(capsys.readouterr().out)
    assert list(shown) == ["first", "rows", "more", "last"]
    assert [row["place"] for row in shown["rows"]] == list(range(count))
    assert (shown["more"], shown["last"]) == (["a", "b"], {"x": None})


def test_one_is_told_without_a_plural():
    assert [counted(count, "row") for count in (0, 1, 1000)] == ["0 rows", "1 row", "1,000 rows"]
