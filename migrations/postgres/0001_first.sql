-- The first schema. Instants are Unix milliseconds, ids and JSON are text, flags are
-- 0 and 1. Wide rows (events, sends) lie in the order in which they came, which is also
-- the order in which they fall due together; one customer's rows are found by an index.
-- Narrow ones are clustered by their keys. `migrations/sqlite` has the same numbers,
-- tables and columns; a test compares them.

-- Single values: root secret, schema notes, the engine's own marks.
CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- Numbers that only rise: events, customers, quarantined bodies, starts of the service.
CREATE TABLE counters (
    name  TEXT   NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('customer', 0), ('event', 0), ('quarantine', 0), ('start', 0);

-- One row a writing process: the number of its last commit, by which an unknown outcome
-- of COMMIT is settled, and the latest instant that it wrote at.
CREATE TABLE workers (
    id      TEXT   NOT NULL PRIMARY KEY,
    fence   BIGINT NOT NULL,
    commits BIGINT NOT NULL,
    instant BIGINT
);

CREATE TABLE customers (
    id             BIGINT NOT NULL PRIMARY KEY,
    version        BIGINT NOT NULL,
    wake_at        BIGINT,
    considered_at  BIGINT,
    erased         BIGINT NOT NULL DEFAULT 0,
    absorbed       TEXT   NOT NULL DEFAULT '[]',
    failures       BIGINT NOT NULL DEFAULT 0,
    failed_because TEXT
);

-- What is waited for, as the last plan said: one JSON list a customer.
CREATE TABLE outlooks (
    customer BIGINT NOT NULL PRIMARY KEY REFERENCES customers (id),
    detail   TEXT   NOT NULL
);

-- By which keys somebody is found. The key is an HMAC under the root secret. Keys that
-- do not name their source may lead to several people.
CREATE TABLE aliases (
    key      TEXT   NOT NULL,
    customer BIGINT NOT NULL REFERENCES customers (id),
    PRIMARY KEY (key, customer)
);
CREATE INDEX aliases_customer ON aliases (customer);

-- Events (customer 0) that wait for somebody to turn up under a key.
CREATE TABLE parked (
    key TEXT   NOT NULL,
    seq BIGINT NOT NULL,
    PRIMARY KEY (key, seq)
);
CREATE INDEX parked_seq ON parked (seq);

-- What happened. Customer 0: shop-wide, or parked. Revision 0 is the first telling of a
-- fact; a later telling with a newer order has the order's version.
CREATE TABLE events (
    seq        BIGINT NOT NULL PRIMARY KEY,
    customer   BIGINT NOT NULL,
    source     TEXT   NOT NULL,
    id         TEXT   NOT NULL,
    revision   BIGINT NOT NULL,
    version    BIGINT,
    kind       TEXT   NOT NULL,
    time       BIGINT NOT NULL,
    recorded   BIGINT NOT NULL,
    considered BIGINT NOT NULL,
    mode       TEXT   NOT NULL,
    misdated   BIGINT NOT NULL,
    sequence   TEXT,
    partition  TEXT,
    subject    TEXT   NOT NULL,
    body       TEXT   NOT NULL
);
CREATE INDEX events_customer ON events (customer, seq);
CREATE UNIQUE INDEX events_fact ON events (source, id, revision);
CREATE INDEX events_new ON events (customer) WHERE considered = 0;

-- Deliveries that were taken, by the key that the transport gave them.
CREATE TABLE deliveries (
    source   TEXT   NOT NULL,
    key      TEXT   NOT NULL,
    recorded BIGINT NOT NULL,
    PRIMARY KEY (source, key)
);

-- What could not be read as events, kept whole for a replay.
CREATE TABLE quarantine (
    id       BIGINT NOT NULL PRIMARY KEY,
    source   TEXT,
    event_id TEXT,
    kind     TEXT,
    body     TEXT   NOT NULL,
    reason   TEXT   NOT NULL,
    because  TEXT   NOT NULL,
    recorded BIGINT NOT NULL,
    tries    BIGINT NOT NULL DEFAULT 0,
    state    TEXT   NOT NULL DEFAULT 'held'
);

CREATE TABLE enrolments (
    customer BIGINT NOT NULL REFERENCES customers (id),
    id       TEXT   NOT NULL,
    sequence TEXT   NOT NULL,
    state    TEXT   NOT NULL,
    detail   TEXT   NOT NULL,
    PRIMARY KEY (customer, id)
);

-- One row a mail owed. `detail` is the whole value; the other columns are what
-- statements ask about, and `state`, `phase`, `fence` and `considered` win over it.
-- A claim sets owner, fence and lease here, and takes the row out of the due queue.
CREATE TABLE sends (
    id          TEXT   NOT NULL PRIMARY KEY,
    customer    BIGINT NOT NULL REFERENCES customers (id),
    enrolment   TEXT   NOT NULL,
    sequence    TEXT   NOT NULL,
    step        TEXT   NOT NULL,
    kind        TEXT   NOT NULL,
    state       TEXT   NOT NULL,
    due         BIGINT NOT NULL,
    at          BIGINT NOT NULL,
    not_before  BIGINT,
    considered  BIGINT NOT NULL,
    phase       TEXT,
    fence       BIGINT NOT NULL DEFAULT 0,
    owner       TEXT,
    lease_until BIGINT,
    detail      TEXT   NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX sends_customer ON sends (customer, id);
CREATE INDEX sends_odd ON sends (state, customer) WHERE state NOT IN ('queued', 'accepted');
CREATE INDEX sends_new ON sends (customer) WHERE state = 'accepted' AND considered = 0;

-- What makes the bytes of a mail again; written by the barrier.
CREATE TABLE prepared (
    send      TEXT NOT NULL PRIMARY KEY,
    recipient TEXT NOT NULL,
    detail    TEXT NOT NULL
);

-- The due queue: 'c' wake-ups of customers (id is empty), 's' queued sends. Narrow, and
-- clustered by time, so that its cost does not grow with what is pending.
CREATE TABLE due (
    what     TEXT   NOT NULL,
    at       BIGINT NOT NULL,
    customer BIGINT NOT NULL,
    id       TEXT   NOT NULL,
    PRIMARY KEY (what, at, customer, id)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01);

-- The same for human eyes.
CREATE VIEW customers_readable AS
SELECT id, version, erased, failures, failed_because,
       to_char(to_timestamp(wake_at / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS wake_at,
       to_char(to_timestamp(considered_at / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS considered_at
FROM customers;
CREATE VIEW events_readable AS
SELECT seq, customer, source, id, revision, kind, subject, considered, body,
       to_char(to_timestamp(time / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS time,
       to_char(to_timestamp(recorded / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS recorded
FROM events;
CREATE VIEW sends_readable AS
SELECT id, customer, sequence, step, kind, state, phase, fence, detail,
       to_char(to_timestamp(due / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS due,
       to_char(to_timestamp(at / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS at
FROM sends;
CREATE VIEW due_readable AS
SELECT what, customer, id, to_char(to_timestamp(at / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS at FROM due;
