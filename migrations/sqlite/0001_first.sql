-- The first schema. Instants are Unix milliseconds, ids and JSON are text, flags are
-- 0 and 1. Wide rows (events, sends) lie in the order in which they came, which is also
-- the order in which they fall due together; one customer's rows are found by an index.
-- Narrow ones are clustered by their keys. `migrations/postgres` has the same numbers,
-- tables and columns; a test compares them.

-- Single values: root secret, schema notes, the engine's own marks.
CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Numbers that only rise: events, customers, quarantined bodies, starts of the service.
CREATE TABLE counters (
    name  TEXT   NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO counters (name, value) VALUES ('customer', 0), ('event', 0), ('quarantine', 0), ('start', 0);

-- One row a writing process: the number of its last commit, by which an unknown outcome
-- of COMMIT is settled, and the latest instant that it wrote at.
CREATE TABLE workers (
    id      TEXT   NOT NULL PRIMARY KEY,
    fence   INTEGER NOT NULL,
    commits INTEGER NOT NULL,
    instant INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE customers (
    id             INTEGER NOT NULL PRIMARY KEY,
    version        INTEGER NOT NULL,
    wake_at        INTEGER,
    considered_at  INTEGER,
    erased         INTEGER NOT NULL DEFAULT 0,
    absorbed       TEXT   NOT NULL DEFAULT '[]',
    failures       INTEGER NOT NULL DEFAULT 0,
    failed_because TEXT
) STRICT;

-- What is waited for, as the last plan said: one JSON list a customer.
CREATE TABLE outlooks (
    customer INTEGER NOT NULL PRIMARY KEY REFERENCES customers (id),
    detail   TEXT   NOT NULL
) STRICT;

-- By which keys somebody is found. The key is an HMAC under the root secret. Keys that
-- do not name their source may lead to several people.
CREATE TABLE aliases (
    key      TEXT   NOT NULL,
    customer INTEGER NOT NULL REFERENCES customers (id),
    PRIMARY KEY (key, customer)
) STRICT, WITHOUT ROWID;
CREATE INDEX aliases_customer ON aliases (customer);

-- Events (customer 0) that wait for somebody to turn up under a key.
CREATE TABLE parked (
    key TEXT   NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (key, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX parked_seq ON parked (seq);

-- What happened. Customer 0: shop-wide, or parked. Revision 0 is the first telling of a
-- fact; a later telling with a newer order has the order's version.
CREATE TABLE events (
    seq        INTEGER NOT NULL PRIMARY KEY,
    customer   INTEGER NOT NULL,
    source     TEXT   NOT NULL,
    id         TEXT   NOT NULL,
    revision   INTEGER NOT NULL,
    version    INTEGER,
    kind       TEXT   NOT NULL,
    time       INTEGER NOT NULL,
    recorded   INTEGER NOT NULL,
    considered INTEGER NOT NULL,
    mode       TEXT   NOT NULL,
    misdated   INTEGER NOT NULL,
    sequence   TEXT,
    partition  TEXT,
    subject    TEXT   NOT NULL,
    body       TEXT   NOT NULL
) STRICT;
CREATE INDEX events_customer ON events (customer, seq);
CREATE UNIQUE INDEX events_fact ON events (source, id, revision);
CREATE INDEX events_new ON events (customer) WHERE considered = 0;

-- Deliveries that were taken, by the key that the transport gave them.
CREATE TABLE deliveries (
    source   TEXT   NOT NULL,
    key      TEXT   NOT NULL,
    recorded INTEGER NOT NULL,
    PRIMARY KEY (source, key)
) STRICT, WITHOUT ROWID;

-- What could not be read as events, kept whole for a replay.
CREATE TABLE quarantine (
    id       INTEGER NOT NULL PRIMARY KEY,
    source   TEXT,
    event_id TEXT,
    kind     TEXT,
    body     TEXT   NOT NULL,
    reason   TEXT   NOT NULL,
    because  TEXT   NOT NULL,
    recorded INTEGER NOT NULL,
    tries    INTEGER NOT NULL DEFAULT 0,
    state    TEXT   NOT NULL DEFAULT 'held'
) STRICT;

CREATE TABLE enrolments (
    customer INTEGER NOT NULL REFERENCES customers (id),
    id       TEXT   NOT NULL,
    sequence TEXT   NOT NULL,
    state    TEXT   NOT NULL,
    detail   TEXT   NOT NULL,
    PRIMARY KEY (customer, id)
) STRICT, WITHOUT ROWID;

-- One row a mail owed. `detail` is the whole value; the other columns are what
-- statements ask about, and `state`, `phase`, `fence` and `considered` win over it.
-- Claims on SQLite do not touch this table.
CREATE TABLE sends (
    id          TEXT   NOT NULL PRIMARY KEY,
    customer    INTEGER NOT NULL REFERENCES customers (id),
    enrolment   TEXT   NOT NULL,
    sequence    TEXT   NOT NULL,
    step        TEXT   NOT NULL,
    kind        TEXT   NOT NULL,
    state       TEXT   NOT NULL,
    due         INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    not_before  INTEGER,
    considered  INTEGER NOT NULL,
    phase       TEXT,
    fence       INTEGER NOT NULL DEFAULT 0,
    owner       TEXT,
    lease_until INTEGER,
    detail      TEXT   NOT NULL
) STRICT;
CREATE INDEX sends_customer ON sends (customer, id);
CREATE INDEX sends_odd ON sends (state, customer) WHERE state NOT IN ('queued', 'accepted');
CREATE INDEX sends_new ON sends (customer) WHERE state = 'accepted' AND considered = 0;

-- What makes the bytes of a mail again; written by the barrier.
CREATE TABLE prepared (
    send      TEXT NOT NULL PRIMARY KEY,
    recipient TEXT NOT NULL,
    detail    TEXT NOT NULL
) STRICT;

-- The due queue: 'c' wake-ups of customers (id is empty), 's' queued sends. Narrow, and
-- clustered by time, so that its cost does not grow with what is pending.
CREATE TABLE due (
    what     TEXT   NOT NULL,
    at       INTEGER NOT NULL,
    customer INTEGER NOT NULL,
    id       TEXT   NOT NULL,
    PRIMARY KEY (what, at, customer, id)
) STRICT, WITHOUT ROWID;

-- The same for human eyes.
CREATE VIEW customers_readable AS
SELECT id, version, erased, failures, failed_because,
       strftime('%Y-%m-%dT%H:%M:%SZ', wake_at / 1000, 'unixepoch') AS wake_at,
       strftime('%Y-%m-%dT%H:%M:%SZ', considered_at / 1000, 'unixepoch') AS considered_at
FROM customers;
CREATE VIEW events_readable AS
SELECT seq, customer, source, id, revision, kind, subject, considered, body,
       strftime('%Y-%m-%dT%H:%M:%SZ', time / 1000, 'unixepoch') AS time,
       strftime('%Y-%m-%dT%H:%M:%SZ', recorded / 1000, 'unixepoch') AS recorded
FROM events;
CREATE VIEW sends_readable AS
SELECT id, customer, sequence, step, kind, state, phase, fence, detail,
       strftime('%Y-%m-%dT%H:%M:%SZ', due / 1000, 'unixepoch') AS due,
       strftime('%Y-%m-%dT%H:%M:%SZ', at / 1000, 'unixepoch') AS at
FROM sends;
CREATE VIEW due_readable AS
SELECT what, customer, id, strftime('%Y-%m-%dT%H:%M:%SZ', at / 1000, 'unixepoch') AS at FROM due;
