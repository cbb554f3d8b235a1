-- How far each source was asked for what its deliveries lost, one row a source by its name in
-- the configuration. `holder` asks now, until `lease_until`; on SQLite there is only one.
CREATE TABLE polls (
    source      TEXT   NOT NULL PRIMARY KEY,
    cursor      TEXT   NOT NULL DEFAULT '{}',
    due_at      INTEGER NOT NULL,
    asked_at    INTEGER,
    fine_at     INTEGER,
    failures    INTEGER NOT NULL DEFAULT 0,
    because     TEXT,
    found       INTEGER NOT NULL DEFAULT 0,
    known       INTEGER NOT NULL DEFAULT 0,
    holder      TEXT,
    lease_until INTEGER
) STRICT, WITHOUT ROWID;

-- When to fetch what a thin delivery names; NULL: now.
ALTER TABLE quarantine ADD COLUMN fetch_at INTEGER;
CREATE INDEX quarantine_to_fetch ON quarantine (fetch_at, id) WHERE reason = 'to_fetch' AND state = 'held';

CREATE VIEW polls_readable AS
SELECT source, found, known, failures, because,
       strftime('%Y-%m-%dT%H:%M:%SZ', asked_at / 1000, 'unixepoch') AS asked_at,
       strftime('%Y-%m-%dT%H:%M:%SZ', fine_at / 1000, 'unixepoch') AS fine_at,
       strftime('%Y-%m-%dT%H:%M:%SZ', due_at / 1000, 'unixepoch') AS due_at
FROM polls;
