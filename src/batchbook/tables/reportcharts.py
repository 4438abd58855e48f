"""Charts of reports: drawn from columns of a sheet's table, beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any, Literal, TypeAlias

from batchbook.xlsx.places import letters

ChartKind: TypeAlias = Literal["bar", "column", "stacked", "line", "pie"]

_Cells: TypeAlias = Callable[[str, int, int], str]
"""A reference to cells of a column, by its header and the first and last row."""

COLOURS = ("2F75B5", "ED7D31", "548235", "7B3F61", "BF9000", "00868B", "C00000", "7F7F7F")
_INK, _LINES = "404040", "D9D9D9"
_CM = 360_000
"""English metric units, in which places of charts are given."""
_POINT = 12_700
_TOP = 0.3
_GAP = 0.6
"""Centimetres between charts, and between a chart and the table."""
_BELOW = 15.0
"""Points that rows are high that nobody gave a height."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart over all rows of a report's table; columns are named by their headers.

    bar: lies, for long names. column: stands. stacked: columns on top of each other. line: for what goes on in time.
    pie: the shares of a whole, with one column of values.
    """

    kind: ChartKind
    title: str
    category: str
    """The column with what the values are of."""
    values: Sequence[str]
    """The columns with the values: numbers. Where there are several, a legend names them."""
    category_title: str = ""
    value_title: str = ""
    format: str = ""
    """Number format of the values, such as ``0%``; that of the cells where empty."""
    colours: Sequence[str] = ()
    """RRGGBB of the columns of values (of a pie: of its slices); repeated where there are more."""

    def __post_init__(self) -> None:
        if not self.values or (self.kind == "pie" and len(self.values) > 1):
            raise ValueError(f"chart {self.title!r} has {len(self.values)} columns of values")


@dataclass(frozen=True, slots=True)
class ChartTable:
    """The table that charts are drawn from: its headers, in the first row of its sheet, and how many rows follow."""

    headers: Sequence[str]
    rows: int
    heights: Sequence[float]
    """Points, of the header and the first rows."""


def add_charts(page: Any, charts: Sequence[Chart], table: ChartTable) -> None:
    """Put charts right of a table, one below the other."""
    quoted = page.title.replace("'", "''")

    def cells(header: str, first: int, last: int) -> str:
        letter = letters(list(table.headers).index(header) + 1)
        return f"'{quoted}'!${letter}${first}:${letter}${last}"

    top = _TOP
    for chart in charts:
        drawn, width, height = _drawn(chart, table.rows, cells)
        drawn.anchor = _anchor(table, top, width, height)
        page.add_chart(drawn)
        top += height + _GAP


def _drawn(chart: Chart, count: int, cells: _Cells) -> tuple[Any, float, float]:
    """The chart with its width and height in centimetres."""
    drawn = _empty(chart)
    drawn.title = _rich(chart.title, 1300, bold=True)
    for number in range(len(chart.values)):
        drawn.series.append(_series(chart, number, count, cells))
    if chart.kind == "pie":
        _slices(drawn, chart, count)
    else:
        _axes(drawn, chart)
    _legend(drawn, chart)
    rows = min(count, 60)
    if chart.kind == "bar":
        return drawn, 16.0, max(7.5, 3.0 + 0.6 * rows * (1 if len(chart.values) == 1 else 1.6))
    if chart.kind == "pie":
        return drawn, 13.0, max(8.0, 3.0 + 0.5 * rows)
    return drawn, max(16.0, min(32.0, 4.0 + 0.8 * rows)), 8.5


def _empty(chart: Chart) -> Any:
    from openpyxl.chart import BarChart, LineChart, PieChart

    if chart.kind == "pie":
        return PieChart(varyColors=True)
    if chart.kind == "line":
        return LineChart()
    stacked = chart.kind == "stacked"
    drawn = BarChart(barDir="bar" if chart.kind == "bar" else "col", gapWidth=60, overlap=100 if stacked else None)
    drawn.grouping = "stacked" if stacked else "clustered"
    return drawn


def _series(chart: Chart, number: int, count: int, cells: _Cells) -> Any:
    from openpyxl.chart.data_source import AxDataSource, NumDataSource, NumRef, StrRef
    from openpyxl.chart.series import Series, SeriesLabel
    from openpyxl.chart.shapes import GraphicalProperties

    header, last = chart.values[number], count + 1
    series = Series(idx=number, order=number)
    series.tx = SeriesLabel(strRef=StrRef(f=cells(header, 1, 1)))
    series.cat = AxDataSource(strRef=StrRef(f=cells(chart.category, 2, last)))
    series.val = NumDataSource(numRef=NumRef(f=cells(header, 2, last)))
    colour = _colours(chart, len(chart.values))[number]
    if chart.kind == "line":
        series.graphicalProperties = GraphicalProperties()
        series.graphicalProperties.line.solidFill = colour
        series.graphicalProperties.line.width = 28_000
        series.smooth = False
    elif chart.kind != "pie":
        series.graphicalProperties = GraphicalProperties(solidFill=colour)
        series.invertIfNegative = False
    return series


def _colours(chart: Chart, count: int) -> list[str]:
    return list(islice(cycle(chart.colours or COLOURS), count))


def _slices(drawn: Any, chart: Chart, rows: int) -> None:
    from openpyxl.chart.label import DataLabelList
    from openpyxl.chart.marker import DataPoint
    from openpyxl.chart.shapes import GraphicalProperties

    for number, colour in enumerate(_colours(chart, rows)):
        shape = GraphicalProperties(solidFill=colour)
        shape.line.solidFill = "FFFFFF"
        drawn.series[0].dPt.append(DataPoint(idx=number, spPr=shape))
    labels = DataLabelList(showPercent=True, showVal=False, showSerName=False, showCatName=False, showLegendKey=False)
    labels.position = "outEnd"  # inside, the text of some would be hard to read on the slice's colour
    drawn.dataLabels = labels


def _axes(drawn: Any, chart: Chart) -> None:
    from openpyxl.chart.label import DataLabelList
    from openpyxl.chart.shapes import GraphicalProperties

    names, numbers = drawn.x_axis, drawn.y_axis
    # Left out, Excel takes it for true and shows no axis.
    names.delete = numbers.delete = False
    names.title = _rich(chart.category_title, 1000) if chart.category_title else None
    numbers.title = _rich(chart.value_title, 1000) if chart.value_title else None
    if chart.format:
        numbers.number_format, numbers.numFmt.sourceLinked = chart.format, False
    names.tickLblPos, numbers.tickLblPos = "low", "nextTo"
    numbers.majorGridlines.spPr = GraphicalProperties()
    numbers.majorGridlines.spPr.line.solidFill = _LINES
    if chart.kind == "bar":
        names.scaling.orientation = "maxMin"  # the first row on top
        numbers.crosses = "max"  # and its numbers at the bottom all the same
    if len(chart.values) == 1 and chart.kind in ("bar", "column"):
        drawn.dataLabels = DataLabelList(
            showVal=True, showSerName=False, showCatName=False, showLegendKey=False, showPercent=False
        )


def _legend(drawn: Any, chart: Chart) -> None:
    if len(chart.values) == 1 and chart.kind != "pie":
        drawn.legend = None
        return
    drawn.legend.position = "r" if chart.kind == "pie" else "b"
    drawn.legend.overlay = False


def _rich(text: str, size: int, *, bold: bool = False) -> Any:
    """A title: openpyxl's own say nothing of whether they lie over the chart, and then they do in Excel."""
    from openpyxl.chart.text import RichText, Text
    from openpyxl.chart.title import Title
    from openpyxl.drawing.text import CharacterProperties, Paragraph, ParagraphProperties, RegularTextRun

    look = CharacterProperties(sz=size, b=bold, solidFill=_INK)
    run = RegularTextRun(rPr=look, t=text)
    paragraph = Paragraph(pPr=ParagraphProperties(defRPr=look), r=[run])
    return Title(tx=Text(rich=RichText(p=[paragraph])), overlay=False)


def _anchor(table: ChartTable, top: float, width: float, height: float) -> Any:
    """The place of a chart: so many centimetres below the sheet's top, a gap right of the table."""
    from openpyxl.drawing.spreadsheet_drawing import AnchorMarker, OneCellAnchor
    from openpyxl.drawing.xdr import XDRPositiveSize2D

    row, rest = 0, top * _CM
    while rest >= (high := (table.heights[row] if row < len(table.heights) else _BELOW) * _POINT):
        row, rest = row + 1, rest - high
    start = AnchorMarker(col=len(table.headers), colOff=int(_GAP * _CM), row=row, rowOff=int(rest))
    return OneCellAnchor(_from=start, ext=XDRPositiveSize2D(int(width * _CM), int(height * _CM)))
