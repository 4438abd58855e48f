"""What a sheet of a new workbook tells people while they type: drop-downs, warnings, and colours by value.

All of it reaches down to Excel's last row, so that it is there for rows that are added later.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from batchbook.tables.newlooks import TONES
from batchbook.tables.plainkinds import MOST_CHARACTERS, Date, Text, Whole
from batchbook.tables.records import Column, Reference
from batchbook.xlsx.places import MAX_ROW

_MOST_LISTED = 255
"""Characters that a drop-down with its values in it can have."""
_MOST_TITLE, _MOST_MESSAGE = 32, 225
_EARLIEST = "DATE(1901,1,1)"


def over(letter: str, header: int = 1) -> str:
    """The cells of a column below its header."""
    return f"{letter}{header + 1}:{letter}{MAX_ROW}"


def listed(values: tuple[str, ...]) -> str | None:
    """The values of a drop-down as a formula that holds them; None where one cannot."""
    joined = ",".join(values)
    plain = not any(mark in value for value in values for mark in ',"') and values == tuple(map(str.strip, values))
    return f'"{joined}"' if plain and len(joined) <= _MOST_LISTED else None


def validation(column: Column, letter: str, lists: Mapping[str, str], keys: Mapping[Reference, str]) -> Any | None:
    """What Excel checks when somebody types into a column; None where any value will do.

    lists: where the values of the columns stand that a drop-down cannot hold. keys: where those of other sheets stand.
    People are warned, not kept from typing: what `check` would find they may have a reason for.
    """
    from openpyxl.worksheet.datavalidation import DataValidation

    rule = _rule(column, lists, keys)
    if rule is None:
        return None
    given, message = rule
    made = DataValidation(**given, allow_blank=not column.required, errorStyle="warning", showErrorMessage=True)
    made.errorTitle, made.error = column.header[:_MOST_TITLE], message[:_MOST_MESSAGE]
    made.add(over(letter))
    return made


def _rule(column: Column, lists: Mapping[str, str], keys: Mapping[Reference, str]) -> tuple[dict[str, Any], str] | None:
    kind = column.kind
    if column.allowed:
        return _choice(column, lists)
    if column.refers is not None and column.refers in keys:
        where = f"the sheet {column.refers.sheet}"
        return {"type": "list", "formula1": keys[column.refers]}, f"{column.header} has to stand in {where}."
    if isinstance(kind, Whole):
        return (
            {"type": "whole", "operator": "between", "formula1": str(kind.low), "formula2": str(kind.high)},
            f"{column.header} is a whole number from {kind.low} to {kind.high}.",
        )
    if isinstance(kind, Date):
        return (
            {"type": "date", "operator": "greaterThanOrEqual", "formula1": _EARLIEST},
            f"{column.header} is a date such as 2026-11-22, without a time.",
        )
    if isinstance(kind, Text) and kind.most < MOST_CHARACTERS:
        return (
            {"type": "textLength", "operator": "lessThanOrEqual", "formula1": str(kind.most)},
            f"{column.header} has at most {kind.most:,} characters.",
        )
    return None


def _choice(column: Column, lists: Mapping[str, str]) -> tuple[dict[str, Any], str]:
    formula = listed(column.allowed) or lists[column.name]
    return {"type": "list", "formula1": formula}, f"{column.header} is one of: {', '.join(column.allowed)}."


def colours(column: Column, letter: str, last: str) -> Iterator[tuple[str, Any]]:
    """The conditional formats of a column, each with the cells that it is for.

    A colour marks the cell, so that the colours that people give to rows stay in sight; `quiet` greys the row's text.
    """
    from openpyxl.formatting.rule import Rule
    from openpyxl.styles import Font, PatternFill
    from openpyxl.styles.differential import DifferentialStyle

    for value, colour in column.colours.items():
        fill, ink = TONES[colour]
        quoted = value.replace('"', '""')
        cells = over(letter) if fill else f"A2:{last}{MAX_ROW}"
        yield (
            cells,
            Rule(
                type="expression",
                formula=[f'${letter}2="{quoted}"'],
                dxf=DifferentialStyle(
                    font=Font(color=ink),
                    fill=PatternFill("solid", start_color=fill, end_color=fill) if fill else None,
                ),
            ),
        )
