-- name: locks_put
INSERT INTO field_lock (entity, entity_id, field, actor, reason, since, until)
VALUES (:entity, :entity_id, :field, :actor, :reason, :since, :until)
ON CONFLICT (entity, entity_id, field) DO UPDATE SET
    actor = excluded.actor, reason = excluded.reason, since = excluded.since,
    until = excluded.until, ended_at = NULL, ended_by = NULL;

-- name: locks_active
SELECT l.entity, l.entity_id, l.field, l.actor, l.reason, l.since, l.until
FROM json_each(:ids) AS wanted
CROSS JOIN field_lock AS l ON l.entity = :entity AND l.entity_id = wanted.value
WHERE l.ended_at IS NULL AND l.since <= :now AND l.until > :now;

-- name: locks_end
UPDATE field_lock SET ended_at = :at, ended_by = :actor
WHERE entity = :entity AND entity_id = :entity_id AND field = :field
    AND ended_at IS NULL AND until > :at
RETURNING entity, entity_id, field, actor, reason, since, until;

-- name: locks_list
SELECT entity, entity_id, field, actor, reason, since, until
FROM field_lock
WHERE ended_at IS NULL AND since <= :now AND until > :now
ORDER BY until, entity, entity_id, field;

-- name: locks_ended_with_items
SELECT DISTINCT r.connection, r.entity, r.id, r.crm_ref, r.local, r.base, r.remote,
    r.local_version, r.local_ts, r.source_ts, r.source_version, r.content_hash, r.extras, r.state
FROM item AS i
JOIN field_lock AS l
    ON l.entity = i.entity_type AND l.entity_id = i.entity_id AND l.field = i.field_name
JOIN record AS r ON r.id = i.entity_id
WHERE i.state IN ('open', 'deferred') AND i.conflict_type = 'locked_field_overwrite'
    AND i.connection = :connection AND (l.ended_at IS NOT NULL OR l.until <= :now)
ORDER BY r.id;
