"""Whatever people do to the workbook of a run, no edit of theirs is lost, and no result but by a listed conflict."""

from __future__ import annotations

import contextlib
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchbook.batch import writer
from batchbook.batch.controller import BatchController
from batchbook.batch.progress import BatchDone, RowsCommitted, Saved
from batchbook.batch.saving import RunSaver
from batchbook.batch.start import StartRequest
from batchbook.errors import Rejected
from batchbook.storage.lastwritten import last_written
from batchbook.storage.savelog import SaveLog, conflicts_of
from batchbook.tables.codec import decanonical, unpack
from batchbook.tables.keys import key_text
from tests.batch.helpers import Died, Site
from tests.batch.people import EDITS, WRITTEN, People, answer

WHEN = ("row", "batch", "save", "while saving")


@dataclass(frozen=True)
class Session:
    """Somebody opens the workbook at some moment, edits and saves."""

    when: str
    skip: int
    """So many such moments pass first."""
    how: str
    edits: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Attempted:
    """One attempt at a run: what people do meanwhile, where the process dies, and what they do after it."""

    sessions: tuple[Session, ...]
    dies: tuple[str, int] | None
    after: tuple[Session, ...]


@dataclass(frozen=True)
class Story:
    rows: int
    size: int
    every: int
    overwrite: bool
    sheet: bool
    runs: tuple[tuple[int, tuple[Attempted, ...]], ...]
    """Of each run: the processor's version, its attempts."""


edits = st.lists(st.tuples(st.sampled_from(EDITS), st.integers(0, 11)), min_size=1, max_size=3).map(tuple)
sessions = st.lists(
    st.builds(Session, st.sampled_from(WHEN), st.integers(0, 2), st.sampled_from(["program", "cells"]), edits),
    max_size=3,
).map(tuple)
deaths = st.none() | st.tuples(st.sampled_from(["committed", "saved", "unrecorded"]), st.integers(0, 3))
attempts = st.lists(st.builds(Attempted, sessions, deaths, sessions), min_size=1, max_size=2).map(tuple)
stories = st.builds(
    Story,
    st.integers(1, 7),
    st.integers(1, 4),
    st.integers(1, 3),
    st.booleans(),
    st.booleans(),
    st.lists(st.tuples(st.integers(0, 1), attempts), min_size=1, max_size=2).map(tuple),
)


class Play:
    """Plays a story and judges it."""

    def __init__(self, story: Story, folder: Path) -> None:
        self.story = story
        batch = {
            "strategy": "fixed", "size": story.size, "checkpoint_frequency": story.every,
            "concurrency": 1, "max_retry_attempts": 1,
        }  # fmt: skip
        self.site = Site(
            folder, processor=self.work, reads=["Key", "Name", "Size"], writes=list(WRITTEN), batch=batch,
            on_person_edit={"Rank": "overwrite"} if story.overwrite else None, conflicts_sheet=story.sheet,
        )  # fmt: skip
        overwrite = frozenset({"Rank"}) if story.overwrite else frozenset[str]()
        self.people = People(self.site.book, story.rows, overwrite)
        self.version = 0
        self.left: list[Session] = []
        self.dies: tuple[str, int] | None = None
        self.read: dict[str, tuple[Any, Any]] = {}
        self.unrecorded = False
        self.inode = 0

    def play(self) -> None:
        for version, tries in self.story.runs:
            self.version = version
            self.people.run_begins()
            self.unrecorded = False
            result, begun = None, False
            for one in tries:
                result, begun = self.attempt(one, resume=begun), True
                if result is not None and result.error is None:
                    break
            while result is None or result.error is not None:
                self.people.mend()
                result = self.attempt(Attempted((), None, ()), resume=True)
            self.judge(result)
            self.between(self.left)

    # --- one attempt -----------------------------------------------------------------------------------------------

    def attempt(self, one: Attempted, *, resume: bool) -> Any:
        """One attempt to its end; None where the process died."""
        self.left, self.dies = list(one.sessions), one.dies
        kept = self.outcomes() if resume else 0
        real = writer.splice

        def splice(book: Any, edits: Any, out: Any) -> Any:
            self.moment("while saving")
            return real(book, edits, out)

        result = None
        request = StartRequest(mode="auto" if resume else "fresh")
        with (
            patch.object(writer, "splice", splice),
            patch.object(SaveLog, "saved", self.recording(SaveLog.saved)),
            patch.object(RunSaver, "affordable", lambda _self: True),
            contextlib.suppress(Died),
        ):
            result = BatchController(self.site.job(), request, events=self.listen).run()
        if result is None or result.error is not None:
            if result is not None:
                self.refused(result)
            self.people.sync()
            self.people.mend()
            self.between(one.after)
            return result
        assert result.resumed is None or result.resumed["rows_kept"] == kept, "results of the ledger were lost"
        return result

    def refused(self, result: Any) -> None:
        """A header was missing: nothing is saved, the results are kept."""
        assert self.people.broken is not None, result.error
        assert (result.exit_code, result.error.code) == (6, "cannot-save"), result.error
        assert self.site.book.stat().st_ino == self.inode, "something was saved"

    def between(self, sessions: Any) -> None:
        if self.unrecorded:
            # Where the file was changed before anybody knew that it had been saved, a cell that looks as before the
            # save may be one that a person put back.
            self.people.frozen = frozenset(WRITTEN)
        for session in sessions:
            self.session(session, broken=False)
        self.people.frozen = frozenset()

    def session(self, session: Session, *, broken: bool = True) -> None:
        wanted = [edit for edit in session.edits if broken or edit[0] != "break_header"]
        self.people.session(session.how, wanted)
        if self.people.broken is not None:
            self.inode = self.site.book.stat().st_ino

    def moment(self, kind: str) -> None:
        if self.left and self.left[0].when == kind:
            if self.left[0].skip:
                first = self.left[0]
                self.left[0] = Session(first.when, first.skip - 1, first.how, first.edits)
            else:
                self.session(self.left.pop(0))

    def recording(self, real: Any) -> Any:
        def saved(log: Any, *rest: Any) -> None:
            self.die("unrecorded")
            real(log, *rest)

        return saved

    def die(self, kind: str) -> None:
        if self.dies is not None and self.dies[0] == kind:
            if self.dies[1] == 0:
                self.dies = None
                self.unrecorded = self.unrecorded or kind == "unrecorded"
                raise Died
            self.dies = (kind, self.dies[1] - 1)

    def listen(self, event: object) -> None:
        if isinstance(event, RowsCommitted):
            self.die("committed")
        elif isinstance(event, BatchDone):
            self.moment("batch")
        elif isinstance(event, Saved):
            self.die("saved")
            if self.pending():  # else nothing may follow that would see it
                self.moment("save")

    def work(self, row: Any) -> Any:
        self.moment("row")
        self.read[row.key[0]] = (row["Name"], row["Size"])
        if str(row["Name"]).startswith("bad"):
            raise Rejected("bad")
        return answer(row["Name"], row["Size"], self.version)

    # --- what the ledger says ----------------------------------------------------------------------------------------

    def ask(self, sql: str) -> Any:
        with self.site.ledger() as ledger:
            return [tuple(row) for row in ledger.query(sql)]

    def outcomes(self) -> int:
        return int(
            self.ask(
                """SELECT count(*) FROM outcomes WHERE superseded = 0
                   AND run = (SELECT id FROM runs ORDER BY rowid DESC LIMIT 1)"""
            )[0][0]
        )

    def pending(self) -> bool:
        return bool(
            self.ask(
                """SELECT 1 FROM selection s WHERE run = (SELECT id FROM runs ORDER BY rowid DESC LIMIT 1)
                   AND NOT EXISTS (SELECT 1 FROM outcomes o
                                   WHERE o.run = s.run AND o.ordinal = s.ordinal AND o.superseded = 0)"""
            )
        )

    def last_written(self, key: str, column: str) -> dict[str, Any]:
        with self.site.ledger() as ledger:
            found = last_written(ledger, "book.xlsx", "Data", [key_text((key,))])
        cells = decanonical(found.get(key_text((key,))) or "{}")
        return {column: cells[column]} if column in cells else {}

    # --- the judgement -----------------------------------------------------------------------------------------------

    def judge(self, result: Any) -> None:
        people = self.people
        people.sync()
        report = self.site.report(result)
        problems = {problem["key"]: problem for problem in report["problems"]}
        listed = [
            (one["key"], one["column"], unpack(one["theirs"]), unpack(one["ours"]), one["kept"], unpack(one["base"]))
            for one in report["conflict_list"]
        ]
        self.judge_lists(result, listed)
        for must in people.must_list:
            assert (must.key, must.column, must.theirs, must.ours, must.kept) in [one[:5] for one in listed], must
        expected: Counter[str] = Counter(rejected=len(people.unnamed))
        lines = {line.key: line for line in people.lines}
        for key, cells in people.selected.items():
            twins = sum(line.key == key for line in people.lines)
            if key in people.lost:
                expected["gone"] += 1
                assert problems[key]["outcome"] == "gone"
            elif twins > 1:
                expected["rejected"] += 1
                assert problems[key]["outcome"] == "rejected"
            else:
                expected[self.judge_row(lines[key], cells, listed)] += 1
        for key, column, _, _, kept, base in listed:
            if kept == "theirs" and key in people.selected:
                # Once listed it is known for a person's, also where the row came to an end without this result.
                people.last.setdefault(key, {}).setdefault(column, base)
        rows = result.rows.as_dict()
        assert rows.pop("selected") == sum(rows.values()) == len(people.selected) + len(people.unnamed)
        rows["done"] += rows.pop("unchanged")
        assert +Counter(rows) == +expected

    def judge_row(self, line: Any, cells: Any, listed: Any) -> str:
        people, key = self.people, line.key
        name, size = line.values.get("Name"), line.values.get("Size")
        assert self.read.get(key) == (name, size), f"{key} was not done again for its new inputs"
        ours = answer(name, size, self.version)
        for column, known in cells.items():
            held = line.values.get(column)
            found = [one for one in listed if one[:5] == (key, column, held, ours[column], "theirs")]
            if known.same is not None:
                # Whether a save saw it there, and it counts as the machine's, only the ledger tells.
                assert held == ours[column] or found, f"{column} of {key} is {held!r}, {ours[column]!r} is not listed"
                assert self.unrecorded or not found or {known.base, known.same} & {one[5] for one in found}
                people.last.setdefault(key, {}).update(self.last_written(key, column))
                continue
            if not known.persons:
                assert held == ours[column], f"{column} of {key} is {held!r}: the result {ours[column]!r} was lost"
                continue
            # Also where the result was there already: it stood there, and a person changed it.
            if held != ours[column]:
                assert column not in people.overwrite
                assert found, f"{column} of {key}: {held!r} was kept, {ours[column]!r} is not listed ({listed})"
                bases = [one[5] for one in found]
                if known.emptied and None in bases:
                    people.last.setdefault(key, {}).update(self.last_written(key, column))
                    continue
                assert self.unrecorded or known.base in bases, (known, found)
                people.last.setdefault(key, {}).setdefault(column, known.base)
        return "rejected" if str(name).startswith("bad") else "done"

    def judge_lists(self, result: Any, listed: Any) -> None:
        """The conflicts in the ledger, the report and the sheet are the same."""
        assert result.conflicts == len(listed)
        assert len(set(map(repr, listed))) == len(listed), f"a conflict is listed twice: {listed}"
        with self.site.ledger() as ledger:
            assert len(list(conflicts_of(ledger, result.run_id))) == len(listed)
        if self.story.sheet:
            rows = openpyxl.load_workbook(self.site.book)["Conflicts"].iter_rows(2, values_only=True)
            shown = [(row[1], row[2], row[4], row[5], row[6], row[3]) for row in rows if row[0] is not None]
            assert shown == listed


def play(story: Story) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Play(story, Path(folder) / "w").play()


def later(*edits: tuple[str, int]) -> Session:
    """Somebody's edits at a moment that does not come: made after the run, or after its process died."""
    return Session("row", 99, "program", edits)


def test_a_further_copy_of_a_row_with_a_doubled_key_made_where_the_run_had_died_may_pass_for_the_row() -> None:
    first = Attempted((Session("row", 1, "program", (("type_result", 1), ("double", 1))),), None, ())
    died = Attempted((), ("committed", 0), (later(("double", 1)),))
    play(Story(2, 1, 1, False, False, ((0, (first,)), (0, (died,)))))


def test_a_result_typed_where_a_run_that_died_had_found_a_rejected_row_emptied_is_kept_and_listed() -> None:
    first = Attempted((later(("type_bad_name", 0)),), None, ())
    died = Attempted(
        (Session("row", 0, "program", (("empty_result", 0),)),), ("saved", 0), (later(("type_result", 0)),)
    )
    play(Story(1, 1, 1, False, False, ((0, (first,)), (0, (died,)))))


def test_a_result_typed_where_the_machine_had_cleared_only_the_other_cells_of_a_doubled_row_is_not_cleared() -> None:
    emptied = Attempted((later(("empty_result", 0), ("double", 0)),), None, ())
    typed = Attempted((later(("type_result", 0)),), None, ())
    nothing = Attempted((), None, ())
    play(Story(1, 1, 1, False, False, ((0, (emptied,)), (0, (typed,)), (0, (nothing,)))))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(stories)
def test_no_edit_of_a_person_is_lost_and_no_result_but_by_a_listed_conflict(story: Story) -> None:
    play(story)


@pytest.mark.crash
@pytest.mark.timeout(3600)
@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
@given(stories)
def test_no_edit_and_no_result_is_lost_in_some_hundred_further_stories(story: Story) -> None:
    play(story)
