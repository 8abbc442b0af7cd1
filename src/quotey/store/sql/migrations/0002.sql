-- Late looks: a slot of which a request is in doubt (sent, and never answered) is looked at once
-- more after a delivery, because that request may still land over it. `due_at` is NULL until
-- something of ours is delivered to it again. Source: reliability 1.0, G5.
CREATE TABLE late_look (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    connection   TEXT NOT NULL,
    slot         TEXT NOT NULL,
    lane         TEXT NOT NULL,
    operation_id TEXT REFERENCES outbox (id),
    due_at       TEXT,
    tries        INTEGER NOT NULL DEFAULT 0 CHECK (tries >= 0),
    lease_token  INTEGER NOT NULL DEFAULT 0 CHECK (lease_token >= 0),
    lease_until  TEXT,
    UNIQUE (connection, slot),
    CHECK (due_at IS NULL OR operation_id IS NOT NULL),
    CHECK (lease_until IS NULL OR due_at IS NOT NULL)
) STRICT;

CREATE INDEX late_look_due ON late_look (connection, due_at) WHERE due_at IS NOT NULL;

CREATE TRIGGER late_look_token_grows BEFORE UPDATE OF lease_token ON late_look
WHEN NEW.lease_token < OLD.lease_token
BEGIN
    SELECT RAISE(ABORT, 'a lease token only grows');
END;
