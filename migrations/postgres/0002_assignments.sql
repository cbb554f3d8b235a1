-- Which arm of an experiment somebody is in. `drawn_for` is whose draw it was: when
-- people are merged, both rows stay, and the earlier one counts.
CREATE TABLE assignments (
    customer   BIGINT NOT NULL REFERENCES customers (id),
    experiment TEXT   NOT NULL,
    drawn_for  BIGINT NOT NULL,
    arm        TEXT   NOT NULL,
    at         BIGINT NOT NULL,
    version    TEXT   NOT NULL,
    PRIMARY KEY (customer, experiment, drawn_for)
);

-- Facts about items that the catalogue does not know yet. `began_for` is whose it was.
CREATE TABLE waiting (
    customer  BIGINT NOT NULL REFERENCES customers (id),
    id        TEXT   NOT NULL,
    began_for BIGINT NOT NULL,
    product   TEXT   NOT NULL,
    until     BIGINT NOT NULL,
    detail    TEXT   NOT NULL,
    PRIMARY KEY (customer, id, began_for)
);

CREATE VIEW assignments_readable AS
SELECT customer, experiment, arm, drawn_for,
       to_char(to_timestamp(at / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS at
FROM assignments;
CREATE VIEW waiting_readable AS
SELECT customer, product, id,
       to_char(to_timestamp(until / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS until
FROM waiting;
