-- The stub CRM's own file. `revision` is one counter for everything, so it orders all changes.

CREATE TABLE setting (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

-- One row a record. `slot` is the revision that last changed the quote written on it; `broken` says
-- why the record cannot be read at all.
CREATE TABLE record (
    revision    INTEGER PRIMARY KEY,
    entity      TEXT NOT NULL,
    ref         TEXT NOT NULL,
    payload     TEXT NOT NULL,
    at          TEXT,
    gone        INTEGER NOT NULL DEFAULT 0,
    merged_into TEXT,
    slot        INTEGER NOT NULL DEFAULT 0,
    broken      TEXT NOT NULL DEFAULT '',
    UNIQUE (entity, ref)
) STRICT;

CREATE INDEX record_by_entity ON record (entity);

-- What a record was before each change.
CREATE TABLE past (
    revision    INTEGER PRIMARY KEY,
    entity      TEXT NOT NULL,
    ref         TEXT NOT NULL,
    payload     TEXT NOT NULL,
    at          TEXT,
    gone        INTEGER NOT NULL,
    merged_into TEXT,
    slot        INTEGER NOT NULL,
    broken      TEXT NOT NULL
) STRICT;

CREATE INDEX past_by_ref ON past (entity, ref);

-- Idempotency keys: the request's digest and the answer that it was given.
CREATE TABLE answer (
    key     TEXT PRIMARY KEY,
    request TEXT NOT NULL,
    body    TEXT NOT NULL
) STRICT;

-- `times` calls left to spoil, after `skip` calls that pass. `delay` is of late effects.
CREATE TABLE fault (
    seq         INTEGER PRIMARY KEY,
    kind        TEXT NOT NULL,
    operation   TEXT NOT NULL,
    times       INTEGER NOT NULL,
    skip        INTEGER NOT NULL,
    retry_after REAL,
    delay       INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Requests that were never answered and are still on their way, for `wait` further requests.
CREATE TABLE late (
    seq     INTEGER PRIMARY KEY,
    wait    INTEGER NOT NULL,
    request TEXT NOT NULL
) STRICT;

-- Every change that came through the door or from a tool, for those who check afterwards.
CREATE TABLE effect (
    seq       INTEGER PRIMARY KEY,
    operation TEXT NOT NULL,
    entity    TEXT NOT NULL,
    ref       TEXT NOT NULL,
    revision  INTEGER NOT NULL,
    at        TEXT NOT NULL,
    key       TEXT NOT NULL,
    quote_id  TEXT NOT NULL,
    version   INTEGER NOT NULL,
    body      TEXT NOT NULL
) STRICT;
