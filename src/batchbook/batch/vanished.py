"""Writes that vanished: after a run, somebody who had the workbook open saved the old state over it.

A cell that holds what it held before a save may just as well have been edited or emptied by a person. What tells the
difference is the whole: an old copy takes back everything that was written since it was opened, in every row and
column, and so the newest saves first. Saves count as vanished, from the newest backwards, while hardly a cell of theirs
still holds what they wrote, and most hold what they held before.

Runs that change records write into several sheets, and add rows: one that is not there holds nothing again, as it did
before. A person who deletes one looks the same; so here, too, it is the whole that tells.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from batchbook.batch.checkpoints import shown_key
from batchbook.batch.wording import shown_value
from batchbook.errors import ConfigurationError, WorkbookError
from batchbook.storage.celltexts import folded
from batchbook.storage.ledger import Ledger
from batchbook.storage.wrotelog import (
    LatestSave,
    Wrote,
    WroteLog,
    clear_vanished,
    count_changes,
    latest_saves,
    newest_digest,
    note_vanished,
)
from batchbook.tables.codec import canonical, decanonical, same
from batchbook.tables.table import Table, TableRow, TableSpec
from batchbook.xlsx import Book, digest_of
from batchbook.xlsx.values import CellValue

WINDOWS = (1, 10, 100, 1000)
"""So many of the newest runs are looked at: more only where the newest one's writes are not there."""
MOST_CHANGES = 100_000
"""More than ten runs are looked at only where they changed no more rows than this: commands change one or two each."""
FEWEST_ROWS = 3
"""Fewer rows than this are a person's doing."""
MOST_THERE = 0.1
"""The share of cells that may hold what was written all the same: by chance an older value was the same one."""
_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Vanished:
    """What vanished of one run."""

    run: str
    job: str
    cells: int
    rows: int
    examples: tuple[str, ...]

    @property
    def line(self) -> str:
        """In words."""
        return (
            f"{self.cells} cells in {self.rows} rows hold again what they held before run {self.run} of {self.job}: "
            f"somebody saved an older copy over the workbook (or emptied them all); such as {self.examples[0]}"
        )

    def as_dict(self) -> dict[str, object]:
        """As plain data."""
        return {
            "run_id": self.run, "job": self.job, "cells": self.cells, "rows": self.rows,
            "examples": list(self.examples),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at a workbook found: what vanished, the oldest run first, and what could not be told."""

    vanished: tuple[Vanished, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """What to do about it, in words; the order counts where several runs wrote the same cells."""
        lines = [f"{one.line}. `batchbook runs reapply {one.run}` puts them back" for one in self.vanished]
        return (*lines, *self.unknown)

    def lines_for(self, job: str) -> tuple[str, ...]:
        """The same at the start of a run of a job: what its runs wrote it writes again itself, as far as it goes."""
        lines = (
            f"{one.line}. This run writes them again in the rows that it selects; "
            f"for the rest there is `batchbook runs reapply {one.run}`"
            if one.job == job
            else line
            for one, line in zip(self.vanished, self.lines, strict=False)
        )
        return (*lines, *self.unknown)


@dataclass(slots=True)
class _Tally:
    """Of the cells of one save: how many hold what they held before it, what it (or a later one) wrote, neither."""

    back: int = 0
    there: int = 0
    other: int = 0
    rows: int = 0
    refilled: bool = False
    """Whether a cell holds a value again, and not only nothing."""
    examples: list[str] = field(default_factory=list)


Tallies = dict[int, _Tally]


def look_for_vanished(ledger: Ledger, workbook: Path) -> Look:
    """Find what vanished from a workbook. Nothing is written but temporary tables of the ledger.

    Where the file is the one that the newest save left (unless that was a reapply's), that is all that is looked at;
    otherwise the sheets that the
    newest run wrote are read once, and up to twice more where its writes are not there.
    """
    clear_vanished(ledger)
    tallies: Tallies = {}
    unknown: list[str] = []
    gone: set[int] = set()
    name = ledger.name_of(workbook)
    newest = newest_digest(ledger, name)
    try:
        if newest is None or not workbook.exists():
            return Look()
        digest, reapplied = newest
        # A reapply puts back what one run wrote: what vanished of others may still be missing.
        if not reapplied and digest_of(workbook) == digest:
            return Look()
        saves: list[LatestSave] = []
        for runs in WINDOWS:
            before, saves = saves, latest_saves(ledger, name, runs)
            if saves == before:
                break  # there are no older ones
            if runs > WINDOWS[1] and count_changes(ledger, saves) > MOST_CHANGES:
                saves = before
                break
            with Book.open(workbook) as book:
                tallies, unknown = _tallies(ledger, book, saves)
                gone = _gone(saves, tallies)
                if not _may_be_more(saves, tallies, gone):
                    break
        lost = [save for save in saves if save.id in gone]
        if not lost:
            clear_vanished(ledger)
        elif len(lost) < len(saves):
            # Of a cell that shows a state from before an older save, which did not vanish, a person has made that.
            with Book.open(workbook) as book:
                tallies, _ = _tallies(ledger, book, lost)
    except WorkbookError as error:
        return Look((), (f"whether results vanished from {workbook.name} cannot be told: {error.what}",))
    return Look(tuple(_summary(lost, tallies)), tuple(unknown))


# --- counting --------------------------------------------------------------------------------------------------------


def _tallies(ledger: Ledger, book: Book, saves: Sequence[LatestSave]) -> tuple[Tallies, list[str]]:
    clear_vanished(ledger)
    tallies: Tallies = {}
    unknown: list[str] = []
    by_table: dict[tuple[str, tuple[str, ...]], list[LatestSave]] = {}
    for save in saves:
        for one in _tables(save):
            by_table.setdefault(one, []).append(save)
    for (sheet, key), some in sorted(by_table.items()):
        wrote = WroteLog(ledger, sheet, [save.id for save in some])
        if not wrote.columns():
            continue
        try:
            table = Table(book, TableSpec(sheet, None, key, {}, (), tuple(wrote.columns())))
        except ConfigurationError as error:
            said = " ".join([error.what, *map(str, error.findings)])
            unknown.append(f"whether results vanished from the sheet {sheet!r} cannot be told: {said}")
            continue
        with ledger.temporary():
            _look_at(ledger, table, wrote, tallies)
    return tallies, unknown


def _tables(save: LatestSave) -> list[tuple[str, tuple[str, ...]]]:
    """The sheets that a save may have written into row by row, each with the headers of its key."""
    settings = json.loads(save.settings)
    records = settings.get("tables") or {}
    found = [(sheet, tuple(one["key"])) for sheet, one in records.items()]
    if save.sheet not in records:
        found.append((save.sheet, tuple((settings.get("table") or {}).get("key", ()))))
    return found


def _look_at(ledger: Ledger, table: Table, wrote: WroteLog, tallies: Tallies) -> None:
    for row in table.rows():
        done = wrote.of(row.key_text)
        if not done:
            continue
        wrote.found(row.key_text)
        held: dict[str, CellValue] = {}
        touched: dict[int, str] = {}
        for column, writes in _by_column(done).items():
            current = row.taken.get(column)
            back = _taken_back(current, writes)
            for place, (save, before, after) in enumerate(writes):
                tally = tallies.setdefault(save, _Tally())
                if back is None:
                    tally.other += 1
                elif place < back:
                    tally.there += 1
                else:
                    tally.back += 1
                    tally.refilled = tally.refilled or before not in (None, "")
                    if save not in touched:
                        touched[save] = _example(table, row, column, current, after)
                    held[table.title(column)] = current
        for save, example in touched.items():
            tallies[save].rows += 1
            if len(tallies[save].examples) < _EXAMPLES:
                tallies[save].examples.append(example)
        if held:
            note_vanished(ledger, table.sheet, row.key_text, canonical(held))

    for key in wrote.missing():
        _look_at_missing(table, key, wrote.of(key), tallies)


def _look_at_missing(table: Table, key: str, done: Sequence[Wrote], tallies: Tallies) -> None:
    """A row that is not there: if it was added, its cells hold nothing again. Of others nobody can say anything."""
    added = next((place for place, one in enumerate(done) if _adds(table, one)), None)
    if added is None:
        return
    touched: set[int] = set()
    for writes in _by_column(done[added:]).values():
        back = _taken_back(None, writes)
        for place, (save, _, _) in enumerate(writes):
            tally = tallies.setdefault(save, _Tally())
            if back is None or place < back:
                tally.there += back is not None
                tally.other += back is None
            else:
                tally.back += 1
                touched.add(save)
    for save in touched:
        tallies[save].rows += 1
        if len(tallies[save].examples) < _EXAMPLES:
            tallies[save].examples.append(f"the row {shown_key(key)} is no longer in {table.sheet}")


def _adds(table: Table, one: Wrote) -> bool:
    """Whether a save added the row: it filled the key cells."""
    titles = {folded(table.title(name)) for name in table.spec.key}
    before = {folded(title): value for title, value in json.loads(one.before).items()}
    after = {folded(title): value for title, value in json.loads(one.after).items()}
    return all(before.get(title) is None and after.get(title) is not None for title in titles)


def _example(table: Table, row: TableRow, column: str, current: CellValue, after: CellValue) -> str:
    place = f"{table.place(row.number, column)} ({shown_key(row.key_text)}, {table.title(column)})"
    return f"{place} holds {shown_value(current)}, not {shown_value(after)}"


Write = tuple[int, CellValue, CellValue]
"""Save, before, after."""


def _by_column(done: Iterable[Wrote]) -> dict[str, list[Write]]:
    """The writes of a row by column, oldest first, under the header as it was written last."""
    found: dict[str, tuple[str, list[Write]]] = {}
    for one in done:
        before = {folded(column): value for column, value in decanonical(one.before).items()}
        for column, value in decanonical(one.after).items():
            _, writes = found.get(folded(column), ("", []))
            found[folded(column)] = (column, [*writes, (one.save, before.get(folded(column)), value)])
    return dict(found.values())


def _taken_back(current: CellValue, writes: Sequence[Write]) -> int | None:
    """The place of the first write that the cell does not show; None where it shows none of the states there were."""
    last = writes[-1][2]
    if (type(current) is type(last) and current == last) or same(current, last):
        return len(writes)
    return next((place for place in range(len(writes) - 1, -1, -1) if same(current, writes[place][1])), None)


# --- judging ---------------------------------------------------------------------------------------------------------


def _gone(saves: Sequence[LatestSave], tallies: Tallies) -> set[int]:
    """The saves that vanished: from the newest backwards, while what was written since is not there.

    What a reapply put back is there again, and says nothing of what was written before it.
    """
    repeated = {save.repeats for save in saves if save.repeats}
    total = _Tally()
    seen: list[int] = []
    gone: set[int] = set()
    for save in saves:
        one = tallies.get(save.id, _Tally())
        if one.there > one.back:
            if save.repeats or save.run in repeated:
                continue
            break
        seen.append(save.id)
        total.back, total.there = total.back + one.back, total.there + one.there
        total.other, total.rows = total.other + one.other, total.rows + one.rows
        total.refilled = total.refilled or one.refilled
        if total.rows >= FEWEST_ROWS and total.back >= total.other and _hardly_there(total):
            gone = set(seen)
    return gone


def _hardly_there(total: _Tally) -> bool:
    """Cells that are empty again may have been emptied: then nothing at all may be left of what was written."""
    return total.there <= (MOST_THERE * total.back if total.refilled else 0)


def _may_be_more(saves: Sequence[LatestSave], tallies: Tallies, gone: Collection[int]) -> bool:
    """Whether older runs may have vanished too: all of these did, or their cells show something else altogether."""
    there = sum(tallies[save.id].there for save in saves if save.id in tallies)
    other = sum(tallies[save.id].other for save in saves if save.id in tallies)
    if saves and all(save.repeats for save in saves):
        return True
    back, rows = (sum(getattr(one, name) for one in tallies.values()) for name in ("back", "rows"))
    if 0 < rows < FEWEST_ROWS and there <= back:
        return True  # what there is looks taken back, but is too little to tell
    return bool(saves) and (len(gone) == len(saves) or (other >= FEWEST_ROWS and there <= MOST_THERE * other))


def _summary(lost: Sequence[LatestSave], tallies: Tallies) -> list[Vanished]:
    """By run, the oldest first."""
    found = []
    oldest_first = lost[::-1]
    for run in dict.fromkeys(save.run for save in oldest_first):
        parts = [(save, tallies.get(save.id, _Tally())) for save in oldest_first if save.run == run]
        cells = sum(tally.back for _, tally in parts)
        if cells:
            examples = tuple(example for _, tally in parts for example in tally.examples)[:_EXAMPLES]
            rows = sum(tally.rows for _, tally in parts)
            found.append(Vanished(run, parts[0][0].job, cells, rows, examples))
    return found
