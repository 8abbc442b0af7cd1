-- name: items_seen
INSERT INTO occurrence (entity_id, field_name, local_version, remote_version_or_timestamp,
    conflict_type, entity_type, connection, item_id)
VALUES (:entity_id, :field_name, :local_version, :remote_version_or_timestamp,
    :conflict_type, :entity_type, :connection, :item_id)
ON CONFLICT DO NOTHING;

-- name: items_of_occurrence
SELECT item_id FROM occurrence
WHERE entity_id = :entity_id AND field_name = :field_name AND local_version = :local_version
    AND remote_version_or_timestamp = :remote_version_or_timestamp
    AND conflict_type = :conflict_type AND entity_type = :entity_type
    AND connection = :connection;

-- name: items_open_same
SELECT id, connection, entity_type, entity_id, field_name, conflict_type, local_value,
    remote_value, field_policy_mode, first_seen_ts, last_attempt_ts, correlation_id, key,
    base_value, detail, state, occurrences, operation_id, deferred_until, resolution, resolved_at,
    resolved_by, rev
FROM item
WHERE entity_id = :entity_id AND field_name = :field_name AND conflict_type = :conflict_type
    AND entity_type = :entity_type AND connection = :connection
    AND state IN ('open', 'deferred');

-- name: items_add
INSERT INTO item (id, connection, entity_type, entity_id, field_name, conflict_type, local_value,
    remote_value, field_policy_mode, first_seen_ts, last_attempt_ts, correlation_id, key,
    base_value, detail, state, occurrences, operation_id, deferred_until, resolution, resolved_at,
    resolved_by, rev)
VALUES (:id, :connection, :entity_type, :entity_id, :field_name, :conflict_type, :local_value,
    :remote_value, :field_policy_mode, :first_seen_ts, :last_attempt_ts, :correlation_id, :key,
    :base_value, :detail, :state, :occurrences, :operation_id, :deferred_until, :resolution,
    :resolved_at, :resolved_by, :rev);

-- name: items_again
UPDATE item
SET local_value = :local_value, remote_value = :remote_value, base_value = :base_value,
    field_policy_mode = :field_policy_mode, last_attempt_ts = :last_attempt_ts,
    correlation_id = :correlation_id, key = :key, detail = :detail,
    operation_id = :operation_id, occurrences = occurrences + 1, rev = rev + 1
WHERE id = :id
RETURNING id, connection, entity_type, entity_id, field_name, conflict_type, local_value,
    remote_value, field_policy_mode, first_seen_ts, last_attempt_ts, correlation_id, key,
    base_value, detail, state, occurrences, operation_id, deferred_until, resolution, resolved_at,
    resolved_by, rev;

-- name: items_back
UPDATE item
SET state = 'open', deferred_until = NULL, resolution = '', resolved_at = NULL, resolved_by = '',
    local_value = :local_value, remote_value = :remote_value, base_value = :base_value,
    field_policy_mode = :field_policy_mode, last_attempt_ts = :last_attempt_ts,
    correlation_id = :correlation_id, key = :key, detail = :detail,
    operation_id = :operation_id, rev = rev + 1
WHERE id = :id
RETURNING id, connection, entity_type, entity_id, field_name, conflict_type, local_value,
    remote_value, field_policy_mode, first_seen_ts, last_attempt_ts, correlation_id, key,
    base_value, detail, state, occurrences, operation_id, deferred_until, resolution, resolved_at,
    resolved_by, rev;

-- name: items_attempted
UPDATE item SET last_attempt_ts = :last_attempt_ts WHERE id = :id;

-- name: items_get
SELECT id, connection, entity_type, entity_id, field_name, conflict_type, local_value,
    remote_value, field_policy_mode, first_seen_ts, last_attempt_ts, correlation_id, key,
    base_value, detail, state, occurrences, operation_id, deferred_until, resolution, resolved_at,
    resolved_by, rev
FROM item WHERE id = :id;

-- name: items_list
SELECT id, connection, entity_type, entity_id, field_name, conflict_type, local_value,
    remote_value, field_policy_mode, first_seen_ts, last_attempt_ts, correlation_id, key,
    base_value, detail, state, occurrences, operation_id, deferred_until, resolution, resolved_at,
    resolved_by, rev
FROM item
WHERE state IN (SELECT value FROM json_each(:states))
    AND (:connection IS NULL OR connection = :connection)
    AND (:conflict_type IS NULL OR conflict_type = :conflict_type)
    AND (:entity_type IS NULL OR entity_type = :entity_type)
    AND (:entity_id IS NULL OR entity_id = :entity_id)
    AND (:field_name IS NULL OR field_name = :field_name)
    AND (:detail IS NULL OR detail = :detail)
ORDER BY seq
LIMIT :limit OFFSET :after;

-- name: items_groups
SELECT entity_type, field_name, conflict_type, detail, count(*) AS count, min(first_seen_ts)
FROM item
WHERE state IN ('open', 'deferred') AND (:connection IS NULL OR connection = :connection)
GROUP BY entity_type, field_name, conflict_type, detail
ORDER BY count DESC, entity_type, field_name, conflict_type, detail;

-- name: items_open_for
SELECT i.id, i.connection, i.entity_type, i.entity_id, i.field_name, i.conflict_type,
    i.local_value, i.remote_value, i.field_policy_mode, i.first_seen_ts, i.last_attempt_ts,
    i.correlation_id, i.key, i.base_value, i.detail, i.state, i.occurrences, i.operation_id,
    i.deferred_until, i.resolution, i.resolved_at, i.resolved_by, i.rev
FROM json_each(:ids) AS wanted
CROSS JOIN item AS i ON i.entity_id = wanted.value AND i.entity_type = :entity_type
    AND i.state IN ('open', 'deferred')
ORDER BY i.seq;

-- name: items_resolve
UPDATE item
SET state = 'resolved', deferred_until = NULL, resolution = :resolution, resolved_at = :at,
    resolved_by = :actor, rev = rev + 1
WHERE id = :id AND rev = :rev AND state IN ('open', 'deferred');

-- name: items_holding
SELECT count(*) FROM item
WHERE entity_id = :entity_id AND entity_type = :entity_type
    AND (local_value IS NOT NULL OR remote_value IS NOT NULL OR base_value IS NOT NULL
        OR detail <> '');

-- name: items_forget
UPDATE item
SET local_value = NULL, remote_value = NULL, base_value = NULL, detail = '', rev = rev + 1
WHERE entity_id = :entity_id AND entity_type = :entity_type
    AND (local_value IS NOT NULL OR remote_value IS NOT NULL OR base_value IS NOT NULL
        OR detail <> '');

-- name: items_defer
UPDATE item SET state = 'deferred', deferred_until = :until, rev = rev + 1
WHERE id = :id AND rev = :rev AND state IN ('open', 'deferred');

-- name: items_reopen
UPDATE OR IGNORE item
SET state = 'open', deferred_until = NULL, resolution = '', resolved_at = NULL, resolved_by = '',
    rev = rev + 1
WHERE id = :id AND rev = :rev AND state <> 'open';

-- name: items_wake
UPDATE item SET state = 'open', deferred_until = NULL, rev = rev + 1
WHERE state = 'deferred' AND deferred_until <= :now;

-- name: items_counts
SELECT state, count(*) FROM item
WHERE :connection IS NULL OR connection = :connection
GROUP BY state;
