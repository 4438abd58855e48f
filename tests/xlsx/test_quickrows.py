# ruff: noqa: E501 - cells of XML read best on one line
"""The quick way of reading rows against the exact one, which parses every row."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchbook.errors import WorkbookError
from batchbook.xlsx.cells import Cell, Decoder
from batchbook.xlsx.places import letters
from batchbook.xlsx.quickrows import FEW, decoded_rows
from batchbook.xlsx.scan import SheetScan
from batchbook.xlsx.stringtable import StringTable
from batchbook.xlsx.styles import Styles
from batchbook.xlsx.xmltext import SmallPart
from tests.xlsx.helpers import MAIN

FORMATS = (0, 2, 14, 20, 22, 46)
STYLES = (
    f'<styleSheet xmlns="{MAIN}"><cellXfs>'
    + "".join(f'<xf numFmtId="{n}"/>' for n in FORMATS)
    + "</cellXfs></styleSheet>"
).encode()
STRINGS = (
    f'<sst xmlns="{MAIN}"><si><t>one</t></si><si><t>a &amp;lt; b_x0041_</t></si><si/>'
    "<si><r><t>ri</t></r><r><t>ch</t></r></si></sst>"
).encode()

Rows = list[tuple[int, dict[int, Cell]]]


def decoder(*, date1904: bool = False) -> Decoder:
    return Decoder(Styles(SmallPart(STYLES, "styles")), lambda: StringTable([STRINGS]), date1904=date1904)


def sheet(rows: str, prefix: str = "") -> bytes:
    name = f":{prefix[:-1]}" if prefix else ""
    return f'<{prefix}worksheet xmlns{name}="{MAIN}"><{prefix}sheetData>{rows}</{prefix}sheetData></{prefix}worksheet>'.encode()


def exact_rows(scan: SheetScan, exact: Decoder, wanted: frozenset[int] | None) -> Iterator[tuple[int, dict[int, Cell]]]:
    before = 0
    for segment in scan.segments():
        for span in scan.rows(segment, before):
            before = span.number
            cells = exact.row(segment.text[span.start : span.end], wanted)
            if cells:
                yield span.number, cells


def outcome(rows: Iterator[tuple[int, dict[int, Cell]]]) -> tuple[Rows, str]:
    """The rows up to an error, and its text. With the types: 1, 1.0 and True are equal."""
    found: Rows = []
    try:
        found.extend(rows)
    except WorkbookError as error:
        return found, str(error)
    return found, ""


def typed(rows: Rows) -> list[tuple[int, list[tuple[int, type, Cell]]]]:
    return [(number, [(column, type(cell.value), cell) for column, cell in cells.items()]) for number, cells in rows]


# --- sheets of odd shapes -------------------------------------------------------------------------------------------

NUMBERS = st.one_of(
    st.integers(-(10**17), 10**17).map(str),
    st.floats(allow_nan=False).map(repr),
    st.floats(-1, 60_000, allow_nan=False).map(repr),
    st.integers(0, 60_000).map(str),
    st.sampled_from(
        ["", " ", " 7 ", "1E+2", "1_0", "0x1", "nan", "inf", "-inf", "1e999", "007", "+5", "-0", "\u0663", "odd"]
    ),
    st.sampled_from(
        ["9007199254740993", "999999999999999", "1234567890123456", "3.0", "2.50", "&#53;", "\r\n5", "60.5"]
    ),
)
TEXTS = st.sampled_from(
    [
        "",
        "plain",
        " x ",
        "a&amp;lt;b",
        "&#65;&#x42;",
        "_x0041_",
        "_x005F_x0041_",
        "\r\n",
        "\r",
        "é\U0001f600",
        "]]",
        "TRUE",
    ]
)
FORMULAS = st.sampled_from(
    [
        "<@f>A1+1</@f>", "<@f></@f>", "<@f/>", "<@f />", '<@f t="shared" si="0"/>', '<@f t="shared" ref="A1:A9" si="0">B1&lt;2</@f>',
        '<@f t="array" ref="A1">SUM(A1)</@f>', '<@f ca="1">NOW()</@f>', "<@f ca='1'>NOW()</@f>", '<@f>HYPERLINK("u","a""b")</@f>',
        '<@f> hyperlink("u" , "t")</@f>', "<@f>HYPERLINK(A1)</@f>", "<@f>a&amp;b_x0041_</@f>", "<@f>x&#10;y</@f>",
    ]
)  # fmt: skip
INLINE = st.sampled_from(
    [
        "<@is><@t>{}</@t></@is>", '<@is><@t xml:space="preserve">{}</@t></@is>', "<@is><@r><@t>{}</@t></@r><@r><@t>!</@t></@r></@is>",
        "<@is/>", "<@is><@t/></@is>", "<@is> <@t>{}</@t></@is>", "<@is><@t>{}</@t><@rPh><@t>h</@t></@rPh></@is>",
    ]
)  # fmt: skip
COLUMNS = (1, 2, 3, 4, 26, 27, 30, 702, 703)


@st.composite
def bodies(draw: st.DrawFn, kind: str, odd: bool) -> str:
    """What is inside a cell of a type."""
    formula = draw(st.one_of(st.just(""), st.just(""), FORMULAS))
    if kind == "inlineStr" and draw(st.integers(0, 3)):
        return formula + draw(INLINE).replace("{}", draw(TEXTS))
    if kind == "s":
        value = draw(
            st.sampled_from(["0", "1", "2", "3", "", *([" 1 ", "4", "x", "-1", "1.0", "&#49;"] if odd else [])])
        )
    elif kind == "str":
        value = draw(TEXTS)
    elif kind == "b":
        value = draw(st.sampled_from(["0", "1", "true", "false", " 1 ", "2"]))
    elif kind == "e":
        value = draw(st.sampled_from(["#N/A", "#DIV/0!", ""]))
    elif kind == "d":
        value = draw(st.sampled_from(["2024-02-29", "2024-02-29T12:00:00", "12:00", "x"]))
    else:
        value = draw(NUMBERS)
    forms = ["<@v>{}</@v>"] * 6 + ["<@v/>", "<@v />", ""]
    if odd:
        forms += ["<@v ><![CDATA[{}]]></@v>", "<!-- <@v>0</@v> --><@v>{}</@v>", "\n<@v>{}</@v>\n"]
        forms += ['<@v xml:space="preserve">{}</@v>', "<@v>{}</@v><@extLst><@x/></@extLst>"]
    return formula + draw(st.sampled_from(forms)).replace("{}", value)


@st.composite
def cells(draw: st.DrawFn, row: int, odd: bool) -> str:
    """A cell of a row."""
    name = letters(draw(st.sampled_from(COLUMNS)))
    kind = draw(st.sampled_from(["", "", "", "n", "s", "s", "str", "b", "e", "d", "inlineStr", "odd"]))
    usual = not odd or draw(st.integers(0, 5)) > 0
    reference = f'r="{name}{row}"'
    given = [
        *draw(
            st.sampled_from([[], [], *([f's="{n}"'] for n in range(7)), ['s="x"'], ['s=" 2 "'], ["s='2'"], ['s="01"']])
        ),
        *([f't="{kind}"'] if kind else []),
    ]
    if not usual:
        references = (
            f"r='{name}{row}'", f'r="{name.lower()}{row}"', f'r="${name}${row}"', f'r="{name}{row + 1}"', f'r="&#x41;{row}"', "",
            f'r="{name}0{row}"', f' r = "{name}{row}"', f'r="{name}{row}" cm="1"', f'r="{name}{row}" x:s="1"', f'r=" {name}{row}"',
            f'r="{name}{row}" vm="a/b"', f'r="{name}{row}" ph="a&gt;b"', f'r="{name}{row}" ph="a>b"',
        )  # fmt: skip
        reference = draw(st.sampled_from(references))
        if draw(st.booleans()):
            given.append('ph="1"')
    attributes = [reference, *given] if usual or draw(st.booleans()) else draw(st.permutations([reference, *given]))
    tag = "<@c" + "".join(f" {one}" for one in attributes if one)
    return tag + draw(
        st.one_of(st.sampled_from(["/>", " />", "></@c>"]), *[bodies(kind, odd).map(lambda body: f">{body}</@c>")] * 4)
    )


@st.composite
def sheets(draw: st.DrawFn) -> str:
    """The rows of a sheet."""
    rows = []
    number = 0
    odd = draw(st.booleans())
    gap = draw(st.sampled_from(["", "", "", "\n  "])) if odd else ""
    for _ in range(draw(st.integers(1, 5))):
        number += draw(st.integers(1, 3))
        tags = [f' r="{number}"', f' r="{number}" spans="1:9" x:d="0.25"']
        shapes = ["<@row{}>{}</@row>"] * 6 + ["<@row{}/>"]
        if odd and not draw(st.integers(0, 3)):
            tags += [
                f" r='{number}'",
                f' spans="1:2" r="{number}"',
                f' r="{number}" ht="a&gt;b"',
                f' r="{number}" x="a>b"',
            ]
            tags += [f' r="0{number}"', f'  r="{number}"', f' r="{number}" ', "", " "]
            shapes += ["<@row{}>{} </@row>", "<@row{}> {}</@row >", "<!-- <@row> --><@row{}>{}</@row>"]
            shapes += [
                "<@row{}>{}<!-- </@row> --></@row>",
                "<@row{}>{}<@extLst/></@row>",
                "<@row{}>{}<?x </@row>?></@row>",
            ]
        inside = gap.join(draw(st.lists(cells(number, odd), max_size=8)))
        rows.append(
            draw(st.sampled_from(shapes)).replace("{}", draw(st.sampled_from(tags)), 1).replace("{}", inside, 1) + gap
        )
    return "".join(rows)


WANTED = st.one_of(
    st.none(),
    st.frozensets(st.sampled_from((*COLUMNS, 5, 0, 20_000)), max_size=5),
    st.just(frozenset(range(1, FEW + 9))),
)


@settings(max_examples=300, deadline=None)
@given(
    rows=sheets(),
    wanted=WANTED,
    prefix=st.sampled_from(["", "", "x:"]),
    date1904=st.booleans(),
    piece=st.integers(20, 3000),
)
def test_the_quick_way_reads_what_the_exact_way_reads(
    rows: str, wanted: frozenset[int] | None, prefix: str, date1904: bool, piece: int
) -> None:
    text = sheet(rows.replace("@", prefix), prefix)
    pieces = [text[at : at + piece] for at in range(0, len(text), piece)]
    exact, problem = outcome(exact_rows(SheetScan(pieces), decoder(date1904=date1904), wanted))
    quick, said = outcome(decoded_rows(SheetScan(pieces), decoder(date1904=date1904), wanted))
    if problem and wanted is not None and not said:
        # A cell that nobody asked for may be wrong without being looked at.
        quick = quick[: len(exact)]
    else:
        assert bool(said) == bool(problem)  # of several faults of a row, another one may be named
    assert typed(quick) == typed(exact)


class CountingDecoder(Decoder):
    """Counts the rows that are parsed."""

    parsed = 0

    def row(self, row: bytes, wanted: frozenset[int] | None) -> dict[int, Cell]:
        self.parsed += 1
        return super().row(row, wanted)


def parsed(rows: str, wanted: frozenset[int] | None = None, prefix: str = "") -> int:
    """How many of the rows are parsed one by one."""
    exact = CountingDecoder(Styles(None), lambda: StringTable([STRINGS]), date1904=False)
    for _ in decoded_rows(SheetScan([sheet(rows.replace("@", prefix), prefix)]), exact, wanted):
        pass
    return exact.parsed


USUAL = (
    '<@row r="{0}" spans="1:9" x:d="0.25"><@c r="A{0}" s="1" t="s"><@v>0</@v></@c><@c r="B{0}" s="2"/><@c r="C{0}"><@v>1.5</@v></@c>'
    '<@c r="D{0}" t="s" s="1"><@v>1</@v></@c><@c r="E{0}"><@f t="shared" si="0"/><@v>1</@v></@c><@c r="F{0}" t="b" cm="1"><@v>1</@v></@c>'
    '<@c r="G{0}" t="str"><@f>"a"&amp;A1</@f><@v>a</@v></@c><@c r="H{0}" t="inlineStr"><@is><@t>x</@t></@is></@c>'
    '<@c r="AA{0}" t="e"><@f>1/0</@f><@v>#DIV/0!</@v></@c></@row>'
)
ODD = "<@row r='{0}'><@c s='1' r='A{0}'><@v>1</@v></@c></@row>"


def test_rows_as_programs_write_them_are_not_parsed() -> None:
    rows = "".join(USUAL.format(number) for number in range(1, 50))
    for prefix in ("", "x:"):
        for wanted in (None, frozenset({1, 27}), frozenset(range(1, 60))):
            assert parsed(rows, wanted, prefix) == 0
    assert parsed(rows.replace("</@c>", "</@c>\n  ").replace("</@row>", "</@row>\n")) == 0


def test_an_odd_row_is_parsed_and_its_neighbours_are_not() -> None:
    rows = "".join((ODD if number in (7, 9) else USUAL).format(number) for number in range(1, 50))
    assert parsed(rows) == 2
    assert parsed(rows + "<!-- a comment between two rows -->" + USUAL.format(50)) == 2
    assert parsed(rows.replace('<@c r="C9"', '<!-- inside --><@c r="C9"')) == 2
    assert parsed(rows.replace('<@c r="C12"', '<!-- inside --><@c r="C12"')) == 3


def test_a_cell_that_is_not_where_it_says_is_read_where_it_stands() -> None:
    rows = '<row r="5"><c r="A6"><v>1</v></c></row><row r="6"><c r="A5"><v>2</v></c><c r="A6"><v>3</v></c></row>'
    for wanted in (None, frozenset({1})):
        found, problem = outcome(decoded_rows(SheetScan([sheet(rows)]), decoder(), wanted))
        assert not problem
        assert [(number, {c: cell.value for c, cell in cells.items()}) for number, cells in found] == [
            (5, {1: 1}),
            (6, {1: 3}),
        ]


def test_more_values_than_are_remembered_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchbook.xlsx.quickrows._VALUES", 3)
    monkeypatch.setattr("batchbook.xlsx.quickrows._KNOWN", 2)
    rows = "".join(
        f'<row r="{n}"><c r="A{n}" s="2" ph="{n}"><v>{40_000 + n % 7}</v></c><c r="B{n}" t="b" cm="{n}"><v>{n % 2}</v></c></row>'
        for n in range(1, 40)
    )
    quick, _ = outcome(decoded_rows(SheetScan([sheet(rows)]), decoder(), None))
    exact, _ = outcome(exact_rows(SheetScan([sheet(rows)]), decoder(), None))
    assert len(quick) == 39
    assert typed(quick) == typed(exact)
