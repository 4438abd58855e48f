"""Kinds of values that a typed column holds: how a cell or a text is read as one, and what is written for one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Generic, TypeVar

from batchbook.xlsx.values import CellValue as CellValue
from batchbook.xlsx.values import ErrorValue as ErrorValue

V = TypeVar("V")

Stored = str | int | float | None
"""What scratch tables can hold and compare."""


class Wrong(ValueError):
    """A cell or text that is no value of its kind: the rule that it breaks (for programs), and what is wrong."""

    def __init__(self, rule: str, said: str) -> None:
        super().__init__(rule, said)
        self.rule = rule
        self.said = said


class Kind(ABC, Generic[V]):
    """One kind of value. Blank cells and texts never get here: whether a value may be missing is the column's rule."""

    name: ClassVar[str]
    """For people: ``date``, ``whole number``."""
    format: ClassVar[str] = "General"
    """Number format code of the cells in a new workbook."""
    sql: ClassVar[str] = "TEXT"
    """Type of the column in scratch tables; `store` gives values of it that sort as the values themselves do."""
    plain: ClassVar[bool] = False
    """Whether values are stored as they are: `store` and `load` give what they are given."""

    @abstractmethod
    def read(self, value: CellValue, shown: str) -> V:
        """The value of a cell: its value as Python and the text that people see. Raises Wrong."""

    @abstractmethod
    def parse(self, text: str) -> V:
        """The value of a text that was typed on a command line or stands in a CSV file. Raises Wrong."""

    @abstractmethod
    def write(self, value: V) -> CellValue:
        """What a cell gets for the value; `read` gives the value back from it. Raises Wrong where no cell can."""

    @abstractmethod
    def store(self, value: V) -> Stored:
        """The value as scratch tables hold it."""

    @abstractmethod
    def load(self, stored: Stored) -> V:
        """The inverse of `store`."""

    def show(self, value: V) -> str:
        """The value for people and for CSV and JSON: `parse` gives the value back from it."""
        return str(self.write(value))
