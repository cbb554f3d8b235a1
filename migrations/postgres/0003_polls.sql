-- How far each source was asked for what its deliveries lost, one row a source by its name in
-- the configuration. `holder` asks now, until `lease_until`; on SQLite there is only one.
CREATE TABLE polls (
    source      TEXT   NOT NULL PRIMARY KEY,
    cursor      TEXT   NOT NULL DEFAULT '{}',
    due_at      BIGINT NOT NULL,
    asked_at    BIGINT,
    fine_at     BIGINT,
    failures    BIGINT NOT NULL DEFAULT 0,
    because     TEXT,
    found       BIGINT NOT NULL DEFAULT 0,
    known       BIGINT NOT NULL DEFAULT 0,
    holder      TEXT,
    lease_until BIGINT
);

-- When to fetch what a thin delivery names; NULL: now.
ALTER TABLE quarantine ADD COLUMN fetch_at BIGINT;
CREATE INDEX quarantine_to_fetch ON quarantine (fetch_at, id) WHERE reason = 'to_fetch' AND state = 'held';

CREATE VIEW polls_readable AS
SELECT source, found, known, failures, because,
       to_char(to_timestamp(asked_at / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS asked_at,
       to_char(to_timestamp(fine_at / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS fine_at,
       to_char(to_timestamp(due_at / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS due_at
FROM polls;
