"""Any series of commands, undos and people's edits: what the sheet holds is what the rules say, and nothing is lost."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.batch.shelf import Bench, NotAllowed, change, take, take_next

FIRST = {"0001": ("free", "one", 1), "0002": ("free", "two", 2), "0003": ("free", "three", 3)}
TITLES = st.sampled_from(["x", "y", "z"])


class Series(RuleBasedStateMachine):
    """A shelf, beside a model of it: by code its state, title and count; and of each run what it did to one code."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        rows = [(f"{code[:2]}-{code[2:]}", *values, None) for code, values in FIRST.items()]
        self.bench = Bench(self.folder / "w", rows)
        self.model = dict(FIRST)
        self.runs = []
        self.given = set()
        self.log = 0

    def teardown(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def did(self, run, code, before):
        self.runs.append((run, code, before, self.model.get(code)))
        self.log += 1

    @rule(title=TITLES)
    def give_the_next(self, title):
        done = self.bench.do(take_next(title))
        assert done.value not in self.given, "a number was given twice"
        assert done.value not in self.model
        self.given.add(done.value)
        self.model[done.value] = ("taken", title, None)
        self.did(done.run, done.value, None)

    @rule(data=st.data(), title=TITLES)
    def take_one(self, data, title):
        code = data.draw(st.sampled_from(sorted(self.model) or ["0001"]))
        before = self.model.get(code)
        try:
            done = self.bench.do(take(code, title))
        except NotAllowed:
            assert before is not None
            assert before[0] != "free"
            return
        self.given.add(code)
        self.model[code] = ("taken", title, before[2] if before else None)
        self.did(done.run, code, before)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), title=TITLES)
    def change_one(self, data, title):
        code = data.draw(st.sampled_from(sorted(self.model)))
        before = self.model[code]
        done = self.bench.do(change(code, title=title))
        self.model[code] = (before[0], title, before[2])
        self.did(done.run, code, before)

    @precondition(lambda self: self.runs)
    @rule(data=st.data())
    def undo_one(self, data):
        run, code, before, after = data.draw(st.sampled_from(self.runs[-6:]))
        undone = self.bench.undo(run)
        now = self.model.get(code)
        wanted = self._turned(now, before, after)
        if wanted == now:
            assert undone.undo_run is None
            return
        assert list(undone.kept) == []
        if wanted is None:
            del self.model[code]
            self.given.discard(code)  # it is free again
        else:
            self.model[code] = wanted
            self.given.add(code)
        self.did(undone.undo_run, code, now)

    @staticmethod
    def _turned(now, before, after):
        """What becomes of a record: as a whole what it was before, or what it is."""
        if before is None or after is None or now is None:
            return before if now == after else now
        changed = [n for n in range(3) if before[n] != after[n]]
        if any(now[n] != after[n] for n in changed):
            return now
        return tuple(before[n] if n in changed else now[n] for n in range(3))

    @precondition(lambda self: self.model)
    @rule(data=st.data(), title=TITLES)
    def a_person_edits(self, data, title):
        code = data.draw(st.sampled_from(sorted(self.model)))
        state, _, count = self.model[code]
        self._rows(lambda rows: [row.__setitem__(2, title) for row in rows if self._code(row) == code])
        self.model[code] = (state, title, count)

    @rule()
    def a_person_sorts(self):
        self._rows(lambda rows: rows.sort(key=lambda row: str(row[0]), reverse=True))

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def a_person_deletes(self, data):
        code = data.draw(st.sampled_from(sorted(self.model)))
        self._rows(lambda rows: rows.__setitem__(slice(None), [row for row in rows if self._code(row) != code]))
        del self.model[code]

    @staticmethod
    def _code(row):
        return str(row[0]).replace("-", "")

    def _rows(self, edit):
        def save(sheet):
            rows = [list(row) for row in sheet.iter_rows(2, values_only=True) if row[0] is not None]
            edit(rows)
            sheet.delete_rows(2, sheet.max_row)
            for row in rows:
                sheet.append(row)

        self.bench.edit(save)

    @invariant()
    def the_sheet_holds_what_the_rules_say(self):
        assert {self._code(row): tuple(row[1:4]) for row in self.bench.rows()} == self.model
        entries = [row[0] for row in self.bench.rows("Log")]
        assert len(set(entries)) == len(entries) == self.log


TestSeries = Series.TestCase
TestSeries.settings = settings(
    max_examples=12, stateful_step_count=14, deadline=None, suppress_health_check=list(HealthCheck)
)
