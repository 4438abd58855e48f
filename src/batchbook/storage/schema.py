"""The ledger's tables.

Rows of `outcomes` and `commits` are written once; only `save` and `superseded` of an outcome change later, and they
are outside the hash chain that runs over the commits of a run. Those, what saves changed and the values last written
have seals (see `seals`).
"""

from __future__ import annotations

VERSION = 4
"""Version 1 had no blocks, no facts, and no index of saves by run; version 2 no pruned runs, no attempts' times, no
seals, and did not keep what selected rows held; version 3 did not know which state a restore had put back."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, job TEXT NOT NULL, workbook TEXT NOT NULL, source TEXT NOT NULL, sheet TEXT NOT NULL,
    definition TEXT NOT NULL, processor TEXT NOT NULL, reference TEXT NOT NULL, settings TEXT NOT NULL,
    started TEXT NOT NULL, active TEXT NOT NULL, ended TEXT, status TEXT NOT NULL,
    selected INTEGER NOT NULL, selection_hash TEXT NOT NULL, digest TEXT NOT NULL, note TEXT NOT NULL DEFAULT '',
    summary TEXT
);
CREATE INDEX IF NOT EXISTS runs_by_workbook ON runs (workbook, job, started);
CREATE TABLE IF NOT EXISTS attempts (
    run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE, number INTEGER NOT NULL,
    started TEXT NOT NULL, ended TEXT, holder TEXT NOT NULL, how TEXT NOT NULL, result TEXT,
    PRIMARY KEY (run, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS selection (
    run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE, ordinal INTEGER NOT NULL,
    key TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (run, ordinal)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS selection_by_key ON selection (run, key);
CREATE TABLE IF NOT EXISTS held (
    run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE, ordinal INTEGER NOT NULL, cells TEXT NOT NULL,
    PRIMARY KEY (run, ordinal)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS commits (
    run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE, seq INTEGER NOT NULL, batch INTEGER NOT NULL,
    attempt INTEGER NOT NULL, at TEXT NOT NULL, rows INTEGER NOT NULL, seconds REAL NOT NULL, chain TEXT NOT NULL,
    PRIMARY KEY (run, seq)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outcomes (
    run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE, seq INTEGER NOT NULL, ordinal INTEGER NOT NULL,
    key TEXT NOT NULL, number INTEGER NOT NULL, outcome TEXT NOT NULL, reason TEXT NOT NULL, inputs TEXT NOT NULL,
    taken TEXT NOT NULL, writes TEXT NOT NULL, details TEXT NOT NULL,
    save INTEGER, superseded INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (run, seq, ordinal)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS outcomes_by_row ON outcomes (run, ordinal, superseded);
CREATE INDEX IF NOT EXISTS outcomes_unsaved ON outcomes (run, number) WHERE save IS NULL AND superseded = 0;
CREATE TABLE IF NOT EXISTS checkpoints (
    run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE, number INTEGER NOT NULL, seq INTEGER NOT NULL,
    batch INTEGER NOT NULL, at TEXT NOT NULL, digest TEXT NOT NULL, counts TEXT NOT NULL, chain TEXT NOT NULL,
    PRIMARY KEY (run, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS saves (
    id INTEGER PRIMARY KEY, run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE, workbook TEXT NOT NULL,
    old TEXT NOT NULL, new TEXT NOT NULL, temporary TEXT NOT NULL, state TEXT NOT NULL, at TEXT NOT NULL,
    backup TEXT
);
CREATE INDEX IF NOT EXISTS saves_by_run ON saves (run);
CREATE INDEX IF NOT EXISTS saves_open ON saves (workbook) WHERE state = 'intent';
CREATE INDEX IF NOT EXISTS saves_pending ON saves (workbook) WHERE state = 'pending';
CREATE TABLE IF NOT EXISTS lineage (save INTEGER PRIMARY KEY, workbook TEXT NOT NULL, parent INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS places (workbook TEXT PRIMARY KEY, place INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS left_states (
    id INTEGER PRIMARY KEY, workbook TEXT NOT NULL, digest TEXT NOT NULL, place INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS left_states_by_workbook ON left_states (workbook);
CREATE TABLE IF NOT EXISTS changes (
    save INTEGER NOT NULL REFERENCES saves (id) ON DELETE CASCADE, sheet TEXT NOT NULL, key TEXT NOT NULL,
    number INTEGER NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL, PRIMARY KEY (save, sheet, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS seals (
    save INTEGER PRIMARY KEY REFERENCES saves (id) ON DELETE CASCADE, changes TEXT NOT NULL, conflicts TEXT NOT NULL,
    outcomes TEXT NOT NULL, seal TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS conflicts (
    id INTEGER PRIMARY KEY, run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    save INTEGER REFERENCES saves (id) ON DELETE CASCADE, sheet TEXT NOT NULL, key TEXT NOT NULL,
    number INTEGER NOT NULL, column TEXT NOT NULL, base TEXT NOT NULL, theirs TEXT NOT NULL, ours TEXT NOT NULL,
    kept TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS conflicts_by_run ON conflicts (run);
CREATE INDEX IF NOT EXISTS conflicts_by_save ON conflicts (save);
CREATE TABLE IF NOT EXISTS times (
    run TEXT NOT NULL, attempt INTEGER NOT NULL, rows INTEGER NOT NULL, process REAL NOT NULL, ledger REAL NOT NULL,
    save REAL NOT NULL, total REAL NOT NULL, PRIMARY KEY (run, attempt),
    FOREIGN KEY (run, attempt) REFERENCES attempts (run, number) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pruned (
    run TEXT PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE, at TEXT NOT NULL, counts TEXT NOT NULL,
    batches INTEGER NOT NULL, saves INTEGER NOT NULL, conflicts INTEGER NOT NULL, finished INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS conflicts_by_row ON conflicts (run, sheet, key);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blocks (
    workbook TEXT NOT NULL, digest TEXT NOT NULL, part TEXT NOT NULL, content BLOB NOT NULL,
    PRIMARY KEY (workbook, digest, part)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS written (
    workbook TEXT NOT NULL, sheet TEXT NOT NULL, key TEXT NOT NULL, cells TEXT NOT NULL,
    PRIMARY KEY (workbook, sheet, key)
) WITHOUT ROWID;
"""

RENEWAL = (
    # Before version 4 every save came after the one before it, whatever had been put back between the two.
    """INSERT OR IGNORE INTO lineage SELECT id, workbook, coalesce((SELECT max(p.id) FROM saves p
           WHERE p.workbook = s.workbook AND p.id < s.id AND p.state IN ('saved', 'undone')), 0) FROM saves s""",
    """INSERT OR IGNORE INTO places SELECT workbook, max(id) FROM saves WHERE state IN ('saved', 'undone')
       GROUP BY workbook""",
    # A restore after the last save of them: nothing before it is missed.
    """UPDATE places SET place = 0 WHERE EXISTS (SELECT 1 FROM facts f
           WHERE f.name = 'restored ' || places.workbook AND CAST(f.value AS INTEGER) >= places.place)""",
    """UPDATE lineage SET parent = 0 WHERE EXISTS (SELECT 1 FROM facts f WHERE f.name = 'restored ' || lineage.workbook
           AND CAST(f.value AS INTEGER) BETWEEN lineage.parent AND lineage.save - 1)""",
    "DELETE FROM facts WHERE name LIKE 'restored %'",
)
"""What brings older forms to this one, after the tables are made."""

STAGING = """
CREATE TEMP TABLE IF NOT EXISTS staged (
    sheet TEXT NOT NULL, key TEXT NOT NULL, number INTEGER NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL,
    PRIMARY KEY (sheet, key)
) WITHOUT ROWID;
CREATE TEMP TABLE IF NOT EXISTS staged_conflicts (
    sheet TEXT NOT NULL, key TEXT NOT NULL, number INTEGER NOT NULL, column TEXT NOT NULL,
    base TEXT NOT NULL, theirs TEXT NOT NULL, ours TEXT NOT NULL, kept TEXT NOT NULL
);
CREATE TEMP TABLE IF NOT EXISTS staged_confirmed (
    sheet TEXT NOT NULL, key TEXT NOT NULL, cells TEXT NOT NULL, PRIMARY KEY (sheet, key)
) WITHOUT ROWID;
CREATE TEMP TABLE IF NOT EXISTS staged_selection (
    ordinal INTEGER PRIMARY KEY, key TEXT NOT NULL, number INTEGER NOT NULL, held TEXT NOT NULL
);
CREATE TEMP TABLE IF NOT EXISTS staged_outcomes (
    seq INTEGER NOT NULL, ordinal INTEGER NOT NULL, PRIMARY KEY (seq, ordinal)
) WITHOUT ROWID;
CREATE TEMP TABLE IF NOT EXISTS run_rows (
    key TEXT PRIMARY KEY, ordinal INTEGER NOT NULL UNIQUE, number INTEGER NOT NULL, seq INTEGER, saved INTEGER NOT NULL,
    found INTEGER NOT NULL DEFAULT 0, verdict TEXT, reason TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE TEMP TABLE IF NOT EXISTS run_changes (
    sheet TEXT NOT NULL, key TEXT NOT NULL, number INTEGER NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL,
    found INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (sheet, key)
) WITHOUT ROWID;
CREATE TEMP TABLE IF NOT EXISTS wrote (
    key TEXT NOT NULL, save INTEGER NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL, PRIMARY KEY (key, save)
) WITHOUT ROWID;
CREATE TEMP TABLE IF NOT EXISTS wrote_found (key TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TEMP TABLE IF NOT EXISTS turned (
    sheet TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (sheet, key)
) WITHOUT ROWID;
CREATE TEMP TABLE IF NOT EXISTS vanished (
    sheet TEXT NOT NULL, key TEXT NOT NULL, cells TEXT NOT NULL, PRIMARY KEY (sheet, key)
) WITHOUT ROWID;
"""
