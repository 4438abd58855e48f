"""Records that the machine wrote, or wrote into, and that their sheet no longer has: rows that a person deleted, or
that an older copy of the workbook took back. What they stand for (a number that is never given twice) is not free. Nor
is a record that an older copy set back to the value by which it counts as free.

The ledger's values last written tell which records there were; those whose key cells the machine emptied again itself
(an undo takes new records out) are none of them. A restore sets these values back too; so after one, the changes of
all saves count as well. To compare them with the sheet takes a look at each; so what was found is kept in the ledger
for the state of the workbook that it was found in.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from batchbook.config import BaseConfig
from batchbook.storage import seals
from batchbook.storage.celltexts import folded
from batchbook.storage.ledger import Ledger
from batchbook.storage.restored import saves_in
from batchbook.tables.codec import dumps
from batchbook.tables.keys import key_text
from batchbook.tables.records import RecordChange, RecordType
from batchbook.tables.recordsheet import canonical_key
from batchbook.tables.workspace import Workspace

Key = tuple[str, ...]
_FACT = "lost "


class LostKeys(Collection[Key]):
    """The canonical keys of the lost records of one type; found out when they are first asked for."""

    def __init__(self, known: LostRecords, workspace: Workspace, kind: RecordType[Any]) -> None:
        self._known = known
        self._workspace = workspace
        self._kind = kind
        self._found: frozenset[Key] | None = None

    def _keys(self) -> frozenset[Key]:
        if self._found is None:
            self._found = self._known.find(self._workspace, self._kind)
        return self._found

    def __contains__(self, key: object) -> bool:
        return key in self._keys()

    def __iter__(self) -> Iterator[Key]:
        return iter(sorted(self._keys()))

    def __len__(self) -> int:
        return len(self._keys())


class LostRecords:
    """What a ledger knows of lost records of one workbook in one state."""

    def __init__(self, ledger: Ledger | None, workbook: str, digest: str) -> None:
        """`workbook` is its name in the ledger, `digest` that of the state that was read; None: there is no ledger."""
        self._ledger = ledger
        self._workbook = workbook
        self._place = _place(ledger, workbook)
        self._digest = digest
        self._kept: dict[str, list[Key]] = {}
        """What is known of this state, by sheet of a type."""
        self._fields: dict[str, str] = {}
        """By sheet of a type: the column that says whether a record is free."""
        self._freed: dict[str, list[Key]] = {}
        """By sheet of a type: records that were set free by nobody's command, before anything was staged."""
        fact = ledger.one("SELECT value FROM facts WHERE name = ?", [_FACT + workbook]) if ledger is not None else None
        plain = json.loads(fact[0]) if fact is not None else {}
        if (plain.get("digest"), plain.get("place")) == (digest, self._place):
            self._kept = {sheet: [tuple(key) for key in keys] for sheet, keys in plain["sheets"].items()}

    def of(self, workspace: Workspace, kind: RecordType[Any]) -> LostKeys:
        """Those of a type; what is staged from now on is not looked at."""
        if kind.free is not None and kind.sheet not in self._kept:
            self._freed[kind.sheet] = list(self._set_free(workspace, kind))
        return LostKeys(self, workspace, kind)

    def find(self, workspace: Workspace, kind: RecordType[Any]) -> frozenset[Key]:
        """The keys of a type that are lost."""
        if kind.free is not None:
            self._fields[kind.sheet] = kind.free[0]
        if kind.sheet not in self._kept:
            self._kept[kind.sheet] = sorted(set(self._look(workspace, kind)))
        return frozenset(self._kept[kind.sheet])

    def _look(self, workspace: Workspace, kind: RecordType[Any]) -> Iterator[Key]:
        table = workspace.table(kind)
        titles = {folded(title) for name in kind.key for title in kind.column(name).headers}
        for sheet in {kind.sheet, table.sheet}:  # jobs without a system name it as it stands in the workbook
            for text in table.absent(self._written(sheet)):
                key = canonical_key(kind, text)
                if not table.there(key) and not self._was_emptied(sheet, text, titles):
                    yield key
        freed = self._freed.get(kind.sheet)
        yield from self._set_free(workspace, kind) if freed is None else freed

    def _set_free(self, workspace: Workspace, kind: RecordType[Any]) -> Iterator[Key]:
        """The keys of records that show themselves free, though the machine wrote another value last."""
        if kind.free is None or self._ledger is None:
            return
        table, (field, free) = workspace.table(kind), kind.free
        titles = {folded(title) for title in kind.column(field).headers}
        for record in table.where(**{field: free}):
            key = table.key_of(*(getattr(record, name) for name in kind.key))
            standing = table.standing_of(key)
            if standing is None or standing.number is None:
                continue
            for sheet in {kind.sheet, table.sheet}:
                cells = self._cells(sheet, key_text(standing.key_cells))
                written = [value for title, value in (cells or {}).items() if folded(title) in titles]
                if cells is None or any(str(value).casefold() != free.casefold() for value in written):
                    yield key

    def _cells(self, sheet: str, key: str) -> dict[str, Any] | None:
        """What the machine wrote last into a row, by header; None where the record of that is damaged."""
        assert self._ledger is not None
        sql = "SELECT cells FROM written WHERE workbook = ? AND sheet = ? AND key = ?"
        row = self._ledger.one(sql, [self._workbook, sheet, key])
        if row is None:
            return {}
        text = seals.unsealed(self._workbook, sheet, key, row[0])
        if text is None:
            return None
        return {**json.loads(text), **(self._last_change(sheet, key) if self._restored else {})}

    def _written(self, sheet: str) -> Iterator[str]:
        sql = "SELECT key FROM written WHERE workbook = ? AND sheet = ?"
        for row in self._ledger.query(sql, [self._workbook, sheet]) if self._ledger is not None else ():
            yield row[0]

    def _was_emptied(self, sheet: str, text: str, titles: set[str]) -> bool:
        """Whether the machine emptied the key cells of a row; not where the record of that is damaged."""
        cells = self._cells(sheet, text) or {}
        return any(folded(title) in titles and value is None for title, value in cells.items())

    @cached_property
    def _restored(self) -> bool:
        """Whether a restore ever took saves back: then what was written last is not all that was ever written."""
        assert self._ledger is not None
        sql = "SELECT count(*) FROM saves WHERE workbook = ? AND state IN ('saved', 'undone')"
        row = self._ledger.one(sql, [self._workbook])
        return row is not None and len(saves_in(self._ledger, self._workbook)) < row[0]

    def _last_change(self, sheet: str, text: str) -> dict[str, Any]:
        """What the newest save that changed a row left in it, also one that a restore took back."""
        assert self._ledger is not None
        row = self._ledger.one(
            """SELECT c.after FROM saves s JOIN changes c ON c.save = s.id AND c.sheet = ? AND c.key = ?
               WHERE s.workbook = ? AND s.state IN ('saved', 'undone') ORDER BY s.id DESC LIMIT 1""",
            [sheet, text, self._workbook],
        )
        return json.loads(row[0]) if row is not None else {}

    def keep(self, digest: str, changes: Iterable[RecordChange]) -> None:
        """A save of these changes left the workbook in another state: keep for that what is known of this one.

        Within a transaction.
        """
        if self._ledger is None or not self._kept:
            return
        # A record that a command has put in, or stepped on, is what the machine wrote last.
        new = {
            (change.sheet, change.key)
            for change in changes
            if change.before is None or self._fields.get(change.sheet) in change.after
        }
        sheets = {sheet: [key for key in keys if (sheet, key) not in new] for sheet, keys in sorted(self._kept.items())}
        place = _place(self._ledger, self._workbook)
        text = dumps({"digest": digest, "place": place, "sheets": sheets})
        self._ledger.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", [_FACT + self._workbook, text])


class LostRecordsRead(LostRecords):
    """The same for somebody who only reads: the ledger is opened when it is asked for, and closed again."""

    def __init__(self, base: BaseConfig, workbook: Path, digest: str) -> None:
        self._base = base
        self._path = workbook
        self._state = digest

    def of(self, workspace: Workspace, kind: RecordType[Any]) -> LostKeys:
        """Those of a type; nothing is staged where somebody only reads."""
        return LostKeys(self, workspace, kind)

    def find(self, workspace: Workspace, kind: RecordType[Any]) -> frozenset[Key]:
        """The keys of a type that are lost."""
        base = self._base
        ledger = Ledger.reading(base.ledger, root=base.folder, allow_network=base.state.allow_network)
        if ledger is None:
            return frozenset()
        with ledger:
            return LostRecords(ledger, ledger.name_of(self._path), self._state).find(workspace, kind)


def _place(ledger: Ledger | None, workbook: str) -> int:
    """After which save the workbook is, as far as the ledger knows (see `restored`)."""
    row = ledger.one("SELECT place FROM places WHERE workbook = ?", [workbook]) if ledger is not None else None
    return int(row[0]) if row else 0


def tell_lost(
    workspace: Workspace, lost: LostRecords, kinds: Iterable[RecordType[Any]], *, at_once: bool = False
) -> None:
    """Let a workspace know which records are lost; those of append-only types are not asked for.

    at_once: they are found out here, for somebody who asks in a thread of their own, where the ledger cannot be read.
    """
    for kind in kinds:
        if not kind.append_only:
            keys = lost.of(workspace, kind)
            workspace.set_lost(kind, frozenset(keys) if at_once else keys)
