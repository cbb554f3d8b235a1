-- Which arm of an experiment somebody is in. `drawn_for` is whose draw it was: when
-- people are merged, both rows stay, and the earlier one counts.
CREATE TABLE assignments (
    customer   INTEGER NOT NULL REFERENCES customers (id),
    experiment TEXT   NOT NULL,
    drawn_for  INTEGER NOT NULL,
    arm        TEXT   NOT NULL,
    at         INTEGER NOT NULL,
    version    TEXT   NOT NULL,
    PRIMARY KEY (customer, experiment, drawn_for)
) STRICT, WITHOUT ROWID;

-- Facts about items that the catalogue does not know yet. `began_for` is whose it was.
CREATE TABLE waiting (
    customer  INTEGER NOT NULL REFERENCES customers (id),
    id        TEXT   NOT NULL,
    began_for INTEGER NOT NULL,
    product   TEXT   NOT NULL,
    until     INTEGER NOT NULL,
    detail    TEXT   NOT NULL,
    PRIMARY KEY (customer, id, began_for)
) STRICT, WITHOUT ROWID;

CREATE VIEW assignments_readable AS
SELECT customer, experiment, arm, drawn_for,
       strftime('%Y-%m-%dT%H:%M:%SZ', at / 1000, 'unixepoch') AS at
FROM assignments;
CREATE VIEW waiting_readable AS
SELECT customer, product, id,
       strftime('%Y-%m-%dT%H:%M:%SZ', until / 1000, 'unixepoch') AS until
FROM waiting;
