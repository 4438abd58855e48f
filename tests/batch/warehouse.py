"""A system of two sheets of which one refers to the other: boxes, and things that lie in them."""

from __future__ import annotations

from dataclasses import dataclass

import openpyxl

from batchbook.batch.systems import System, Turning
from batchbook.tables.plainkinds import Text
from batchbook.tables.records import Column, RecordType, Reference
from tests.batch.shelf import Bench


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    thing: str
    box: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    name: str


THINGS = RecordType(
    record=Thing, sheet="A Things", key=("thing",), help="The things.",
    columns=(
        Column("thing", "Thing", Text(), "Its name.", required=True),
        Column("box", "Box", Text(), "Where it lies.", refers=Reference("Boxes", "name")),
        Column("note", "Note", Text(), "Whatever."),
    ),
)  # fmt: skip
BOXES = RecordType(
    record=Box, sheet="Boxes", key=("name",), help="The boxes.",
    columns=(Column("name", "Name", Text(), "Its name.", required=True),),
)  # fmt: skip


class Warehouse(System):
    name = "warehouse"
    types = (THINGS, BOXES)

    def __init__(self, keeps=()):
        self.keeps = keeps

    def turned(self, workspace, verb, run, changes, actor):
        return Turning({("A Things", (name,)): "it is kept" for name in self.keeps})


class Hall(Bench):
    """A folder with a workbook of the system."""

    def __init__(self, path, things=(), boxes=()):
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        book = openpyxl.Workbook()
        book.worksheets[0].title = "A Things"
        for row in [("Thing", "Box", "Note"), *things]:
            book.worksheets[0].append(list(row))
        sheet = book.create_sheet("Boxes")
        for row in [("Name",), *boxes]:
            sheet.append(list(row))
        book.save(self.book)

    def do(self, act, **more):
        return super().do(act, "store", system=Warehouse(), **more)

    def undo(self, run, keeps=()):
        return super().undo(run, systems=lambda _: Warehouse(keeps))

    def reapply(self, run):
        return super().reapply(run, systems=lambda _: Warehouse())

    @property
    def sheets(self):
        """Things and boxes by name."""
        return [row[0] for row in self.rows("A Things")], [row[0] for row in self.rows("Boxes")]


def store(*things, box=None):
    """Things are put into a box, which is new if it is not there."""

    def act(workspace, actor):
        if box is not None and workspace.table(BOXES).get(box) is None:
            workspace.table(BOXES).insert(Box(name=box))
        for thing in things:
            workspace.table(THINGS).insert(Thing(thing=thing, box=box))

    return act
