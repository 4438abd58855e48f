# ruff: noqa: E501 - strings of XML read best on one line
import tracemalloc
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchbook.errors import WorkbookDamaged
from batchbook.xlsx import stringtable
from batchbook.xlsx.stringtable import StringTable, rich_text
from batchbook.xlsx.xmltext import outline
from tests.xlsx.helpers import MAIN

ITEMS = st.sampled_from(
    [
        "<@si><@t>{}</@t></@si>", "<@si><@t>{}</@t></@si>", "<@si><@t>{}</@t></@si>", '<@si><@t xml:space="preserve"> {} </@t></@si>',
        "<@si/>", "<@si></@si>", "<@si><@t/></@si>", "<@si><@r><@t>{}</@t></@r><@r><@rPr/><@t>!</@t></@r></@si>",
        '<@si ><@t>{}</@t></@si >', "<@si>\n<@t>{}</@t>\n</@si>", "<@si><@t>{}</@t><@rPh><@t>hint</@t></@rPh></@si>",
        "<!-- <@si> --><@si><@t>{}</@t></@si>", "<@si><@t><![CDATA[{}</si>]]></@t></@si>",
    ]
)  # fmt: skip
TEXTS = st.one_of(
    st.sampled_from(
        [
            "a&amp;lt;b",
            "&#65;&#x42;",
            "&lt;&gt;&quot;&apos;&amp;",
            "_x0041_",
            "_x0000_",
            "_x000D_\r\n",
            "\r",
            "x" * 3000,
        ]
    ),
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="<&]@"), max_size=9),
)


def table(items: str, prefix: str = "", piece: int = 1 << 18) -> StringTable:
    name = f":{prefix[:-1]}" if prefix else ""
    text = f'<?xml version="1.0"?>\n<{prefix}sst xmlns{name}="{MAIN}" count="1">{items}</{prefix}sst>'.encode()
    return StringTable(text[at : at + piece] for at in range(0, len(text), piece))


def parsed(items: str) -> list[str]:
    return [rich_text(item) for item in outline(f"<sst>{items}</sst>".encode()).children]


@settings(max_examples=150, deadline=None)
@given(
    items=st.lists(st.tuples(ITEMS, TEXTS).map(lambda pair: pair[0].replace("{}", pair[1])), min_size=1, max_size=80),
    gap=st.sampled_from(["", "", "\n"]),
    prefix=st.sampled_from(["", "x:"]),
    piece=st.integers(40, 5000),
    order=st.randoms(use_true_random=False),
)
def test_strings_are_what_a_parser_reads(items: list[str], gap: str, prefix: str, piece: int, order: Random) -> None:
    text = gap.join(items)
    expected = parsed(text.replace("@", ""))
    found = table(text.replace("@", prefix), prefix, piece)
    assert len(found) == len(expected)
    places = [*range(len(expected)), *range(len(expected))]
    order.shuffle(places)
    assert [found[place] for place in places] == [expected[place] for place in places]


def test_a_small_cache_gives_the_same_strings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stringtable, "_CACHE", 1)
    found = table("".join(f"<si><t>text {n}</t></si>" for n in range(1000)))
    assert [found[n * 37 % 1000] for n in range(2000)] == [f"text {n * 37 % 1000}" for n in range(2000)]


def test_long_strings_and_those_with_odd_bytes_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stringtable, "_LONG", 500)
    items = "".join(f"<si><t>{'long ' * 40}{n}</t></si>" for n in range(70)) + "<si><r><t>a\x00b</t></r></si>"
    found = table(items + "<si><t>zero \x00 inside</t></si>" + "".join(f"<si><t>{n}</t></si>" for n in range(70)))
    assert found[69] == "long " * 40 + "69"
    assert found[71] == "zero \x00 inside"
    assert found[72] == "0"
    assert found[141] == "69"
    with pytest.raises(WorkbookDamaged):  # as XML cannot hold it
        found[70]


@pytest.mark.parametrize("place", [-1, 3, 31, 32, 10**30])
def test_strings_that_are_not_there_are_damage(place: int) -> None:
    found = table("<si><t>a</t></si>" * 3)
    assert found[2] == "a"
    with pytest.raises(WorkbookDamaged, match="there are 3"):
        found[place]


def test_bytes_that_are_no_text_are_replaced_string_by_string() -> None:
    raw = [b"a\xe2\x82", b"\x82b", b"\xff", b"\xf0\x9f\x98", b"fine"]
    found = StringTable([b"<sst>" + b"".join(b"<si><t>%b</t></si>" % one for one in raw) + b"</sst>"])
    assert [found[n] for n in range(5)] == [one.decode("utf-8", "replace") for one in raw]


def test_the_part_is_not_held_while_it_is_read() -> None:
    alive = 0

    class Piece(bytes):
        def __new__(cls, content: bytes) -> "Piece":
            nonlocal alive
            alive += 1
            return super().__new__(cls, content)

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def pieces() -> Iterator[bytes]:
        yield b"<sst>"
        for n in range(50):
            assert alive <= 1
            yield Piece(b"".join(b"<si><t>text %d of %d</t></si>" % (m, n) for m in range(100)))
        yield b"</sst>"

    found = StringTable(pieces())
    assert found[4999] == "text 99 of 49"


def test_a_table_takes_less_memory_than_its_part() -> None:
    part = (
        b"<sst>" + b"".join(b"<si><t>Title %d of the list &amp; more</t></si>" % n for n in range(40_000)) + b"</sst>"
    )
    tracemalloc.start()
    try:
        found = StringTable(part[at : at + 65_536] for at in range(0, len(part), 65_536))
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found[39_999] == "Title 39999 of the list & more"
    assert held < len(part) / 2
    assert peak < len(part)
