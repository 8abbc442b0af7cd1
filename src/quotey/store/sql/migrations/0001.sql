-- The first schema. Times are ISO 8601 text in UTC with six decimals, so that they sort.
-- CHECKs hold a row's shape; which moves are legal is decided elsewhere.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The mirror. A record's row holds its binding, so that binding is unique both ways for one index.
-- `base` is NULL where it equals `local`, as it mostly does. This is the hot table: no json_valid(),
-- and OR in place of IN, for which SQLite would build a temporary table for every row.
CREATE TABLE record (
    seq            INTEGER PRIMARY KEY,
    id             TEXT NOT NULL UNIQUE,
    connection     TEXT NOT NULL,
    entity         TEXT NOT NULL
        CHECK (entity = 'account' OR entity = 'contact' OR entity = 'deal'),
    crm_ref        TEXT CHECK (crm_ref <> ''),
    local          TEXT NOT NULL,
    base           TEXT,
    remote         TEXT NOT NULL,
    local_version  INTEGER NOT NULL CHECK (local_version >= 1),
    local_ts       TEXT NOT NULL,
    source_ts      TEXT,
    source_version TEXT NOT NULL,
    content_hash   TEXT NOT NULL,
    extras         TEXT NOT NULL,
    state          TEXT NOT NULL CHECK (state = 'live' OR state = 'gone'),
    search_key     TEXT NOT NULL,
    UNIQUE (connection, entity, crm_ref)
) STRICT;

CREATE INDEX record_gone ON record (connection, entity) WHERE state = 'gone';

CREATE TRIGGER record_has_one_home BEFORE UPDATE OF crm_ref, connection, entity ON record
WHEN (OLD.crm_ref IS NOT NULL AND NEW.crm_ref IS NOT OLD.crm_ref)
    OR NEW.connection <> OLD.connection OR NEW.entity <> OLD.entity
BEGIN
    SELECT RAISE(ABORT, 'a binding is never changed');
END;

CREATE TRIGGER record_stays BEFORE DELETE ON record
BEGIN
    SELECT RAISE(ABORT, 'a mirrored record is never deleted; it becomes gone');
END;

CREATE TABLE alias (
    seq        INTEGER PRIMARY KEY,
    connection TEXT NOT NULL,
    entity     TEXT NOT NULL,
    crm_ref    TEXT NOT NULL CHECK (crm_ref <> ''),
    id         TEXT NOT NULL REFERENCES record (id),
    UNIQUE (connection, entity, crm_ref)
) STRICT;

CREATE INDEX alias_of_record ON alias (id);

CREATE TABLE field_lock (
    entity    TEXT NOT NULL,
    entity_id TEXT NOT NULL,
    field     TEXT NOT NULL,
    actor     TEXT NOT NULL,
    reason    TEXT NOT NULL,
    since     TEXT NOT NULL,
    until     TEXT NOT NULL CHECK (until > since),
    ended_at  TEXT,
    ended_by  TEXT,
    PRIMARY KEY (entity, entity_id, field)
) STRICT, WITHOUT ROWID;

CREATE TABLE sync_state (
    connection     TEXT NOT NULL,
    entity         TEXT NOT NULL,
    direction      TEXT NOT NULL CHECK (direction IN ('inbound', 'outbound')),
    phase          TEXT NOT NULL CHECK (phase IN ('idle', 'syncing', 'error')),
    cursor         TEXT NOT NULL,
    fingerprint    TEXT NOT NULL,
    epoch          INTEGER NOT NULL CHECK (epoch >= 0),
    lease_until    TEXT,
    counts         TEXT NOT NULL CHECK (json_valid(counts)),
    error_class    TEXT,
    error          TEXT NOT NULL,
    correlation_id TEXT NOT NULL,
    started_at     TEXT,
    finished_at    TEXT,
    succeeded_at   TEXT,
    diagnostics    TEXT NOT NULL CHECK (json_valid(diagnostics)),
    PRIMARY KEY (connection, entity, direction)
) STRICT, WITHOUT ROWID;

CREATE TABLE quarantine (
    connection     TEXT NOT NULL,
    entity         TEXT NOT NULL,
    crm_ref        TEXT NOT NULL,
    payload        BLOB,
    source_ts      TEXT NOT NULL,
    source_version TEXT NOT NULL,
    fingerprint    TEXT NOT NULL,
    reasons        TEXT NOT NULL CHECK (json_valid(reasons)),
    first_seen     TEXT NOT NULL,
    correlation_id TEXT NOT NULL,
    parent_ref     TEXT NOT NULL,
    UNIQUE (connection, entity, crm_ref)
) STRICT;

CREATE INDEX quarantine_waiting ON quarantine (connection, entity, parent_ref)
WHERE parent_ref <> '';

-- The outbox. `head` marks the operation of each lane that has its turn: the one in flight, else the
-- first pending one. Triggers keep it, so that a claim costs the same whatever waits behind heads
-- that are held.
CREATE TABLE outbox (
    seq            INTEGER PRIMARY KEY AUTOINCREMENT,
    id             TEXT NOT NULL UNIQUE,
    connection     TEXT NOT NULL,
    lane           TEXT NOT NULL,
    kind           TEXT NOT NULL
        CHECK (kind IN ('create_deal', 'update_deal', 'update_account', 'write_quote')),
    entity         TEXT NOT NULL,
    entity_id      TEXT NOT NULL,
    version        INTEGER NOT NULL,
    key            TEXT NOT NULL UNIQUE,
    payload        TEXT NOT NULL CHECK (json_valid(payload)),
    digest         TEXT NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('queued', 'leased', 'unknown', 'held',
        'delivered', 'superseded', 'conflict', 'dead', 'discarded')),
    hold           TEXT CHECK (hold IN ('auth', 'mapping', 'parent', 'operator')),
    fingerprint    TEXT NOT NULL,
    attempts       INTEGER NOT NULL CHECK (attempts >= 0),
    created_at     TEXT NOT NULL,
    due_at         TEXT NOT NULL,
    first_sent_at  TEXT,
    sent_at        TEXT,
    lease_token    INTEGER NOT NULL CHECK (lease_token >= 0),
    lease_until    TEXT,
    error_class    TEXT,
    error          TEXT NOT NULL,
    replaces       TEXT,
    actor          TEXT NOT NULL,
    correlation_id TEXT NOT NULL,
    finished_at    TEXT,
    head           INTEGER NOT NULL DEFAULT 0 CHECK (head IN (0, 1)),
    CHECK ((state = 'held') = (hold IS NOT NULL)),
    CHECK ((state = 'leased') = (lease_until IS NOT NULL)),
    CHECK ((state IN ('queued', 'leased', 'unknown', 'held')) = (finished_at IS NULL)),
    CHECK (state <> 'unknown' OR sent_at IS NOT NULL),
    CHECK (sent_at IS NULL OR (first_sent_at IS NOT NULL AND attempts >= 1)),
    CHECK (head = 0 OR state IN ('queued', 'leased', 'unknown', 'held'))
) STRICT;

-- Source: reliability G6 and section 6. `unknown` blocks its lane as a lease does.
CREATE UNIQUE INDEX outbox_one_in_flight ON outbox (connection, lane)
WHERE state IN ('leased', 'unknown');

CREATE UNIQUE INDEX outbox_one_head ON outbox (connection, lane) WHERE head = 1;

CREATE INDEX outbox_due ON outbox (connection, due_at, seq)
WHERE head = 1 AND state IN ('queued', 'unknown');

CREATE INDEX outbox_pending ON outbox (connection, lane, seq)
WHERE state IN ('queued', 'leased', 'unknown', 'held');

CREATE INDEX outbox_pending_for ON outbox (entity_id, seq)
WHERE state IN ('queued', 'leased', 'unknown', 'held');

CREATE INDEX outbox_unsettled ON outbox (connection, state, hold)
WHERE state NOT IN ('delivered', 'superseded', 'discarded');

CREATE TRIGGER outbox_added AFTER INSERT ON outbox
WHEN NEW.state IN ('queued', 'leased', 'unknown', 'held')
BEGIN
    UPDATE outbox SET head = 1
    WHERE seq = NEW.seq AND NOT EXISTS (
        SELECT 1 FROM outbox AS other
        WHERE other.connection = NEW.connection AND other.lane = NEW.lane AND other.head = 1
    );
END;

-- An operation that comes back from a final state takes its old place in the lane, but not before
-- the one in flight is settled: that stays the head, so that an unknown outcome is looked at.
CREATE TRIGGER outbox_moved AFTER UPDATE OF state ON outbox
BEGIN
    UPDATE outbox SET head = 0
    WHERE connection = NEW.connection AND lane = NEW.lane AND head = 1 AND seq <> coalesce(
        (SELECT seq FROM outbox AS flying
            WHERE flying.connection = NEW.connection AND flying.lane = NEW.lane
                AND flying.state IN ('leased', 'unknown')),
        (SELECT min(seq) FROM outbox AS first
            WHERE first.connection = NEW.connection AND first.lane = NEW.lane
                AND first.state IN ('queued', 'leased', 'unknown', 'held')));
    UPDATE outbox SET head = 1
    WHERE head = 0 AND seq = coalesce(
        (SELECT seq FROM outbox AS flying
            WHERE flying.connection = NEW.connection AND flying.lane = NEW.lane
                AND flying.state IN ('leased', 'unknown')),
        (SELECT min(seq) FROM outbox AS first
            WHERE first.connection = NEW.connection AND first.lane = NEW.lane
                AND first.state IN ('queued', 'leased', 'unknown', 'held')));
END;

CREATE TRIGGER outbox_token_grows BEFORE UPDATE OF lease_token ON outbox
WHEN NEW.lease_token < OLD.lease_token
BEGIN
    SELECT RAISE(ABORT, 'a lease token only grows');
END;

CREATE TRIGGER outbox_stays BEFORE DELETE ON outbox
BEGIN
    SELECT RAISE(ABORT, 'an operation is never deleted');
END;

CREATE TABLE item (
    seq               INTEGER PRIMARY KEY,
    id                TEXT NOT NULL UNIQUE,
    connection        TEXT NOT NULL,
    entity_type       TEXT NOT NULL,
    entity_id         TEXT NOT NULL,
    field_name        TEXT NOT NULL,
    conflict_type     TEXT NOT NULL CHECK (conflict_type IN ('stale_outbound_write',
        'locked_field_overwrite', 'schema_mapping_mismatch', 'undecided_merge',
        'identity_mismatch', 'missing_parent', 'remote_gone', 'partial_success',
        'unknown_outcome', 'attempts_exhausted', 'mass_change')),
    local_value       TEXT,
    remote_value      TEXT,
    base_value        TEXT,
    field_policy_mode TEXT CHECK (field_policy_mode IN
        ('crm_wins', 'local_wins', 'merge_with_audit', 'immutable_after_bind')),
    first_seen_ts     TEXT NOT NULL,
    last_attempt_ts   TEXT NOT NULL,
    correlation_id    TEXT NOT NULL,
    key               TEXT NOT NULL CHECK (json_valid(key)),
    detail            TEXT NOT NULL,
    state             TEXT NOT NULL CHECK (state IN ('open', 'deferred', 'resolved')),
    occurrences       INTEGER NOT NULL CHECK (occurrences >= 1),
    operation_id      TEXT,
    deferred_until    TEXT,
    resolution        TEXT NOT NULL,
    resolved_at       TEXT,
    resolved_by       TEXT NOT NULL,
    rev               INTEGER NOT NULL CHECK (rev >= 1),
    CHECK ((state = 'deferred') = (deferred_until IS NOT NULL)),
    CHECK ((state = 'resolved') = (resolved_at IS NOT NULL))
) STRICT;

CREATE UNIQUE INDEX item_open ON item
    (entity_id, field_name, conflict_type, entity_type, connection)
WHERE state IN ('open', 'deferred');

CREATE INDEX item_by_state ON item (state);

CREATE TRIGGER item_rev_grows BEFORE UPDATE OF rev ON item
WHEN NEW.rev < OLD.rev
BEGIN
    SELECT RAISE(ABORT, 'the revision of an item only grows');
END;

-- Source: seed 5.2, with what tells two occurrences with the same four parts apart.
CREATE TABLE occurrence (
    entity_id                   TEXT NOT NULL,
    field_name                  TEXT NOT NULL,
    local_version               TEXT NOT NULL,
    remote_version_or_timestamp TEXT NOT NULL,
    conflict_type               TEXT NOT NULL,
    entity_type                 TEXT NOT NULL,
    connection                  TEXT NOT NULL,
    item_id                     TEXT NOT NULL REFERENCES item (id),
    PRIMARY KEY (entity_id, field_name, local_version, remote_version_or_timestamp,
        conflict_type, entity_type, connection)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_event (
    seq            INTEGER PRIMARY KEY CHECK (seq >= 1),
    kind           TEXT NOT NULL,
    at             TEXT NOT NULL,
    actor          TEXT NOT NULL,
    correlation_id TEXT NOT NULL,
    connection     TEXT NOT NULL,
    entity         TEXT NOT NULL,
    entity_id      TEXT NOT NULL,
    mode           TEXT NOT NULL,
    body_digest    BLOB NOT NULL CHECK (length(body_digest) = 32),
    prev           BLOB NOT NULL CHECK (length(prev) = 32),
    mac            BLOB NOT NULL CHECK (length(mac) = 32)
) STRICT;

CREATE INDEX audit_of_entity ON audit_event (entity_id, entity, seq) WHERE entity_id <> '';

CREATE TABLE audit_body (
    seq  INTEGER PRIMARY KEY REFERENCES audit_event (seq),
    salt BLOB NOT NULL,
    json TEXT NOT NULL
) STRICT;

-- Only a body that is named here may be deleted; the erase command names it and audits that.
CREATE TABLE audit_erasure (
    seq INTEGER PRIMARY KEY REFERENCES audit_event (seq)
) STRICT;

CREATE TRIGGER audit_event_stays BEFORE DELETE ON audit_event
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;

CREATE TRIGGER audit_event_is_fixed BEFORE UPDATE ON audit_event
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;

CREATE TRIGGER audit_body_stays BEFORE DELETE ON audit_body
WHEN NOT EXISTS (SELECT 1 FROM audit_erasure WHERE seq = OLD.seq)
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;

CREATE TRIGGER audit_body_is_fixed BEFORE UPDATE ON audit_body
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;

CREATE TRIGGER audit_erasure_stays BEFORE DELETE ON audit_erasure
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;

CREATE TRIGGER audit_erasure_is_fixed BEFORE UPDATE ON audit_erasure
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;

CREATE TABLE quote (
    id         TEXT PRIMARY KEY,
    deal_id    TEXT NOT NULL REFERENCES record (id),
    connection TEXT NOT NULL,
    published  INTEGER NOT NULL CHECK (published IN (0, 1)),
    created_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX quote_of_deal ON quote (deal_id);

CREATE UNIQUE INDEX quote_one_published ON quote (deal_id) WHERE published = 1;

CREATE TABLE quote_version (
    quote_id          TEXT NOT NULL REFERENCES quote (id),
    version           INTEGER NOT NULL CHECK (version >= 1),
    status            TEXT NOT NULL CHECK (status IN ('draft', 'priced', 'pending_approval',
        'approved', 'sent', 'accepted', 'rejected', 'expired', 'cancelled', 'superseded')),
    total             TEXT NOT NULL,
    currency          TEXT NOT NULL CHECK (length(currency) = 3),
    created_at        TEXT NOT NULL,
    actor             TEXT NOT NULL,
    valid_until       TEXT,
    lines             TEXT NOT NULL CHECK (json_valid(lines)),
    approver          TEXT NOT NULL,
    note              TEXT NOT NULL,
    price_trace       TEXT NOT NULL,
    attachment_ref    TEXT,
    attachment_sha256 TEXT NOT NULL,
    attachment_bytes  INTEGER NOT NULL CHECK (attachment_bytes >= 0),
    UNIQUE (quote_id, version)
) STRICT;

CREATE TRIGGER quote_version_grows BEFORE INSERT ON quote_version
WHEN NEW.version <= (SELECT max(version) FROM quote_version WHERE quote_id = NEW.quote_id)
BEGIN
    SELECT RAISE(ABORT, 'quote versions only grow');
END;

CREATE TRIGGER quote_version_is_fixed BEFORE UPDATE ON quote_version
BEGIN
    SELECT RAISE(ABORT, 'a quote version is never changed');
END;

CREATE TRIGGER quote_version_stays BEFORE DELETE ON quote_version
BEGIN
    SELECT RAISE(ABORT, 'a quote version is never deleted');
END;

CREATE TRIGGER quote_stays BEFORE DELETE ON quote
BEGIN
    SELECT RAISE(ABORT, 'a quote is never deleted');
END;

CREATE TABLE connection (
    name               TEXT PRIMARY KEY,
    provider           TEXT NOT NULL,
    state              TEXT NOT NULL CHECK (state IN ('active', 'auth_stopped')),
    rate_limited_until TEXT,
    fingerprint        TEXT NOT NULL,
    identity           TEXT NOT NULL,
    default_currency   TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE client_token (
    token  TEXT PRIMARY KEY,
    answer TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE undo (
    item_id TEXT PRIMARY KEY REFERENCES item (id),
    before  TEXT NOT NULL CHECK (json_valid(before))
) STRICT, WITHOUT ROWID;
