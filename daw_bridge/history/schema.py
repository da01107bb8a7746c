"""The tables, and the numbered steps that lead to them from any earlier version.

A BLOB column here holds text, and bytes only where a file name is not valid Unicode.
"""

from __future__ import annotations

# The file says by it that it is ours: "DAWB" as SQLite's application_id.
APPLICATION_ID = 0x44415742

_FIRST = """
CREATE TABLE specs (
  spec_id INTEGER PRIMARY KEY AUTOINCREMENT,
  digest TEXT NOT NULL UNIQUE,
  json TEXT NOT NULL,             -- canonical, of engine.spec_json
  task TEXT NOT NULL,
  model TEXT NOT NULL,
  prompt TEXT NOT NULL,
  words TEXT NOT NULL             -- prompt and text conditions, casefolded: what a search looks at
);
CREATE TABLE inputs (             -- the files that a spec reads
  spec_id INTEGER NOT NULL REFERENCES specs ON DELETE CASCADE,
  path BLOB NOT NULL,
  PRIMARY KEY (spec_id, path)
) WITHOUT ROWID;
CREATE TABLE jobs (
  job_seq INTEGER PRIMARY KEY AUTOINCREMENT,  -- the order: clocks are set back, this is not
  id TEXT NOT NULL UNIQUE,
  spec_id INTEGER NOT NULL REFERENCES specs,
  state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'finished', 'failed', 'cancelled')),
  priority INTEGER NOT NULL,
  rank REAL NOT NULL,
  slot BLOB NOT NULL,
  parent_id TEXT,                 -- may name a job that was deleted
  folder BLOB NOT NULL,
  stem BLOB NOT NULL,
  file_stem BLOB NOT NULL,
  created_s REAL NOT NULL,
  started_s REAL,
  ended_s REAL,
  attempts INTEGER NOT NULL,
  is_cancelling INTEGER NOT NULL
);
CREATE INDEX unfinished ON jobs (state) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_of_spec ON jobs (spec_id);
CREATE INDEX jobs_of_parent ON jobs (parent_id);
CREATE TABLE errors (
  error_seq INTEGER PRIMARY KEY AUTOINCREMENT,
  job_seq INTEGER NOT NULL REFERENCES jobs ON DELETE CASCADE,
  code TEXT NOT NULL,
  message TEXT NOT NULL,
  hint TEXT NOT NULL
);
CREATE INDEX errors_of_job ON errors (job_seq);
CREATE TABLE takes (
  take_seq INTEGER PRIMARY KEY AUTOINCREMENT,
  job_seq INTEGER NOT NULL REFERENCES jobs ON DELETE CASCADE,
  path BLOB NOT NULL,
  seed TEXT NOT NULL,             -- the last take of the highest seed does not fit 64 bits
  clap_score REAL NOT NULL,
  peak_db REAL NOT NULL,
  rms_db REAL NOT NULL,
  length_samples INTEGER NOT NULL,
  spec_digest TEXT NOT NULL,
  audio_bytes INTEGER NOT NULL,   -- size and time of the file as it was written: another is not ours
  audio_mtime_ns INTEGER NOT NULL,
  total_bytes INTEGER NOT NULL,   -- with recipe and picture
  file TEXT NOT NULL CHECK (file IN ('present', 'missing', 'removed')),
  rating INTEGER NOT NULL DEFAULT 0 CHECK (rating BETWEEN -1 AND 1),
  is_favourite INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX takes_of_job ON takes (job_seq);
CREATE INDEX takes_by_path ON takes (path);
CREATE INDEX takes_present ON takes (take_seq) WHERE file = 'present';
CREATE TABLE folders (            -- where takes are written; nothing elsewhere is ever removed
  path BLOB PRIMARY KEY,
  real_path BLOB NOT NULL
);
CREATE TABLE durations (
  duration_seq INTEGER PRIMARY KEY AUTOINCREMENT,
  model TEXT NOT NULL,
  task TEXT NOT NULL,
  audio_s REAL NOT NULL,
  steps INTEGER NOT NULL,
  takes INTEGER NOT NULL,
  elapsed_s REAL NOT NULL
);
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""

_INPUT_FACTS = """
CREATE TABLE job_inputs (         -- the files that a job reads, as they were when it was accepted
  job_seq INTEGER NOT NULL REFERENCES jobs ON DELETE CASCADE,
  path BLOB NOT NULL,
  size_bytes INTEGER NOT NULL,
  mtime_ns INTEGER NOT NULL,
  PRIMARY KEY (job_seq, path)
) WITHOUT ROWID;
"""

_STAGES = """
DELETE FROM durations;            -- they do not tell the load of a model from the work
ALTER TABLE durations ADD COLUMN voices INTEGER NOT NULL DEFAULT 1;
ALTER TABLE durations ADD COLUMN canvas_s REAL NOT NULL DEFAULT 0;
ALTER TABLE durations ADD COLUMN load_s REAL NOT NULL DEFAULT 0;
ALTER TABLE durations ADD COLUMN sample_s REAL NOT NULL DEFAULT 0;
ALTER TABLE durations ADD COLUMN finish_s REAL NOT NULL DEFAULT 0;
"""

# For the disk budget, which looks after each job.
_ROOM = "CREATE INDEX takes_room ON takes (path, total_bytes) WHERE file = 'present';"

# With how many threads a job's takes are calculated; 0: not known.
_THREADS = "ALTER TABLE jobs ADD COLUMN threads INTEGER NOT NULL DEFAULT 0;"

# NULL: a take of an earlier version, or nothing to compare it with.
_SCORES = "ALTER TABLE takes ADD COLUMN score REAL; ALTER TABLE takes ADD COLUMN source_score REAL;"

# Why effects are not heard in a take ('' where they are, or where there are none), and a sentence about it.
_DELIVERIES = """
ALTER TABLE takes ADD COLUMN dry TEXT NOT NULL DEFAULT '';
ALTER TABLE takes ADD COLUMN note TEXT NOT NULL DEFAULT '';
"""

# Which take of the parent a job varies or makes again, counted from 1; 0: it is a retry, or has no parent.
_PARENT_TAKES = "ALTER TABLE jobs ADD COLUMN parent_take INTEGER NOT NULL DEFAULT 0;"

# Step N leads from version N to N + 1 and is never changed once released.
MIGRATIONS: tuple[str, ...] = (
    _FIRST,
    _INPUT_FACTS,
    _STAGES,
    _THREADS,
    _ROOM,
    _SCORES,
    _DELIVERIES,
    _PARENT_TAKES,
)
