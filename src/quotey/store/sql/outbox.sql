-- name: outbox_add
INSERT INTO outbox (id, connection, lane, kind, entity, entity_id, version, key, payload, digest,
    state, hold, fingerprint, attempts, created_at, due_at, first_sent_at, sent_at, lease_token,
    lease_until, error_class, error, replaces, actor, correlation_id, finished_at)
VALUES (:id, :connection, :lane, :kind, :entity, :entity_id, :version, :key, :payload, :digest,
    :state, :hold, :fingerprint, :attempts, :created_at, :due_at, :first_sent_at, :sent_at,
    :lease_token, :lease_until, :error_class, :error, :replaces, :actor, :correlation_id,
    :finished_at)
RETURNING seq;

-- name: outbox_get
SELECT seq, id, connection, lane, kind, entity, entity_id, version, key, payload, digest, state,
    hold, fingerprint, attempts, created_at, due_at, first_sent_at, sent_at, lease_token,
    lease_until, error_class, error, replaces, actor, correlation_id, finished_at
FROM outbox WHERE id = :id;

-- name: outbox_by_key
SELECT seq, id, connection, lane, kind, entity, entity_id, version, key, payload, digest, state,
    hold, fingerprint, attempts, created_at, due_at, first_sent_at, sent_at, lease_token,
    lease_until, error_class, error, replaces, actor, correlation_id, finished_at
FROM outbox WHERE key = :key;

-- name: outbox_pending
SELECT seq, id, connection, lane, kind, entity, entity_id, version, key, payload, digest, state,
    hold, fingerprint, attempts, created_at, due_at, first_sent_at, sent_at, lease_token,
    lease_until, error_class, error, replaces, actor, correlation_id, finished_at
FROM outbox
WHERE connection = :connection AND lane = :lane
    AND state IN ('queued', 'leased', 'unknown', 'held')
ORDER BY seq;

-- name: outbox_pending_for
SELECT seq, id, connection, lane, kind, entity, entity_id, version, key, payload, digest, state,
    hold, fingerprint, attempts, created_at, due_at, first_sent_at, sent_at, lease_token,
    lease_until, error_class, error, replaces, actor, correlation_id, finished_at
FROM outbox
WHERE entity_id = :entity_id AND entity = :entity
    AND state IN ('queued', 'leased', 'unknown', 'held')
ORDER BY seq;

-- name: outbox_in_flight
SELECT o.entity_id, o.payload
FROM json_each(:wanted) AS wanted
CROSS JOIN outbox AS o
    ON o.entity_id = wanted.value AND o.entity = :entity AND o.connection = :connection
    AND o.state IN ('queued', 'leased', 'unknown', 'held') AND o.sent_at IS NOT NULL
ORDER BY o.seq;

-- name: outbox_may_land
SELECT o.entity_id, o.payload
FROM json_each(:wanted) AS wanted
CROSS JOIN outbox AS o
    ON o.entity_id = wanted.key AND o.entity = :entity AND o.connection = :connection
    AND o.kind IN ('update_deal', 'update_account') AND o.finished_at >= wanted.value
    AND o.attempts > (o.state = 'delivered')
ORDER BY o.seq;

-- name: outbox_claim
UPDATE outbox
SET state = 'leased', lease_token = lease_token + 1, lease_until = :until
WHERE seq IN (
    SELECT seq FROM outbox
    WHERE connection = :connection AND head = 1 AND state IN ('queued', 'unknown')
        AND due_at <= :now
    ORDER BY due_at, seq
    LIMIT :limit
)
RETURNING seq, id, connection, lane, kind, entity, entity_id, version, key, payload, digest,
    state, hold, fingerprint, attempts, created_at, due_at, first_sent_at, sent_at, lease_token,
    lease_until, error_class, error, replaces, actor, correlation_id, finished_at;

-- name: outbox_renew
UPDATE outbox SET lease_until = :until
WHERE id = :id AND lease_token = :token AND state = 'leased';

-- name: outbox_mark_sent
UPDATE outbox
SET attempts = attempts + 1, sent_at = :at, first_sent_at = coalesce(first_sent_at, :at)
WHERE id = :id AND lease_token = :token AND state = 'leased';

-- name: outbox_settle
UPDATE outbox
SET state = :state, hold = :hold, lease_until = NULL, finished_at = :finished_at,
    due_at = coalesce(:due_at, due_at), error_class = :error_class, error = :error,
    fingerprint = coalesce(:fingerprint, fingerprint),
    sent_at = iif(:keep_sent_at, sent_at, :sent_at),
    attempts = max(attempts - :unburnt, 0),
    head = iif(:finished_at IS NULL, head, 0)
WHERE id = :id AND lease_token = :token AND state = 'leased';

-- name: outbox_set_state
UPDATE outbox
SET state = :state, hold = :hold, finished_at = :finished_at,
    due_at = coalesce(:due_at, due_at), error_class = :error_class, error = :error,
    replaces = coalesce(:replaces, replaces), head = iif(:finished_at IS NULL, head, 0)
WHERE id IN (SELECT value FROM json_each(:ids)) AND state <> 'leased';

-- name: outbox_expired
SELECT seq, id, connection, lane, kind, entity, entity_id, version, key, payload, digest, state,
    hold, fingerprint, attempts, created_at, due_at, first_sent_at, sent_at, lease_token,
    lease_until, error_class, error, replaces, actor, correlation_id, finished_at
FROM outbox
WHERE connection = :connection AND state = 'leased'
    AND (lease_until <= :now OR lease_until > :too_far)
    AND state IN ('leased', 'unknown') -- so that the index is used
ORDER BY seq;

-- name: outbox_release
UPDATE outbox SET state = 'queued', hold = NULL
WHERE connection = :connection AND state = 'held' AND hold = :hold
    AND state NOT IN ('delivered', 'superseded', 'discarded') -- so that the index is used
    AND (:fingerprint IS NULL OR fingerprint <> :fingerprint);

-- name: outbox_count_unsettled
SELECT state, count(*) FROM outbox
WHERE connection = :connection AND state NOT IN ('delivered', 'superseded', 'discarded')
GROUP BY state;

-- name: outbox_count_settled
SELECT state, count(*) FROM outbox
WHERE connection = :connection AND state IN ('delivered', 'superseded', 'discarded')
GROUP BY state;

-- name: outbox_next_due
SELECT due_at FROM outbox
WHERE connection = :connection AND head = 1 AND state IN ('queued', 'unknown')
ORDER BY due_at LIMIT 1;

-- name: outbox_list
SELECT seq, id, connection, lane, kind, entity, entity_id, version, key, payload, digest, state,
    hold, fingerprint, attempts, created_at, due_at, first_sent_at, sent_at, lease_token,
    lease_until, error_class, error, replaces, actor, correlation_id, finished_at
FROM outbox
WHERE seq > :after AND connection = :connection
    AND (:states = '[]' OR state IN (SELECT value FROM json_each(:states)))
    AND (:entity IS NULL OR entity = :entity)
    AND (:entity_id IS NULL OR entity_id = :entity_id)
    AND (:lane IS NULL OR lane = :lane)
ORDER BY seq
LIMIT :limit;

-- name: outbox_doubt_pending
UPDATE outbox
SET sent_at = :at, first_sent_at = coalesce(first_sent_at, :at), attempts = max(attempts, 1)
WHERE state IN ('queued', 'leased', 'unknown', 'held') AND sent_at IS NULL;
