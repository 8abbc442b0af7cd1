-- Sweeps: what is there is listed past every window, and compared with the mirror. `sweep_seen` holds
-- the refs that the sweep under way has met, so that memory stays flat and a dead one goes on where
-- it was. Source: reliability R7.
CREATE TABLE sweep (
    connection     TEXT NOT NULL,
    entity         TEXT NOT NULL,
    place          TEXT NOT NULL,
    listed_all     INTEGER NOT NULL CHECK (listed_all IN (0, 1)),
    started_at     TEXT,
    finished_at    TEXT,
    counts         TEXT NOT NULL CHECK (json_valid(counts)),
    examples       TEXT NOT NULL CHECK (json_valid(examples)),
    missed_total   INTEGER NOT NULL CHECK (missed_total >= 0),
    correlation_id TEXT NOT NULL,
    PRIMARY KEY (connection, entity)
) STRICT, WITHOUT ROWID;

CREATE TABLE sweep_seen (
    connection TEXT NOT NULL,
    entity     TEXT NOT NULL,
    crm_ref    TEXT NOT NULL,
    PRIMARY KEY (connection, entity, crm_ref)
) STRICT, WITHOUT ROWID;
