-- name: quarantine_put
INSERT INTO quarantine (connection, entity, crm_ref, payload, source_ts, source_version,
    fingerprint, reasons, first_seen, correlation_id, parent_ref)
VALUES (:connection, :entity, :crm_ref, :payload, :source_ts, :source_version,
    :fingerprint, :reasons, :first_seen, :correlation_id, :parent_ref)
ON CONFLICT (connection, entity, crm_ref) DO UPDATE SET
    payload = excluded.payload, source_ts = excluded.source_ts,
    source_version = excluded.source_version, fingerprint = excluded.fingerprint,
    reasons = excluded.reasons, correlation_id = excluded.correlation_id,
    parent_ref = excluded.parent_ref;

-- name: quarantine_remove
DELETE FROM quarantine
WHERE connection = :connection AND entity = :entity
    AND crm_ref IN (SELECT value FROM json_each(:crm_refs));

-- name: quarantine_list
SELECT connection, entity, crm_ref, payload, source_ts, source_version, fingerprint, reasons,
    first_seen, correlation_id, parent_ref
FROM quarantine
WHERE connection = :connection AND (:entity IS NULL OR entity = :entity) AND crm_ref > :after
ORDER BY entity, crm_ref
LIMIT :limit;

-- name: quarantine_by_refs
SELECT q.connection, q.entity, q.crm_ref, q.payload, q.source_ts, q.source_version,
    q.fingerprint, q.reasons, q.first_seen, q.correlation_id, q.parent_ref
FROM json_each(:crm_refs) AS wanted
CROSS JOIN quarantine AS q
    ON q.connection = :connection AND q.entity = :entity AND q.crm_ref = wanted.value;

-- name: quarantine_count
SELECT count(*) FROM quarantine
WHERE connection = :connection AND (:entity IS NULL OR entity = :entity);

-- name: quarantine_stale
SELECT connection, entity, crm_ref, payload, source_ts, source_version, fingerprint, reasons,
    first_seen, correlation_id, parent_ref
FROM quarantine
WHERE connection = :connection AND entity = :entity AND fingerprint <> :fingerprint
ORDER BY crm_ref
LIMIT :limit;

-- name: quarantine_waiting
SELECT q.connection, q.entity, q.crm_ref, q.payload, q.source_ts, q.source_version,
    q.fingerprint, q.reasons, q.first_seen, q.correlation_id, q.parent_ref
FROM json_each(:parent_refs) AS parent
CROSS JOIN quarantine AS q
    ON q.connection = :connection AND q.entity = :entity AND q.parent_ref = parent.value
    AND q.parent_ref <> ''
ORDER BY q.crm_ref;

-- name: quarantine_unread
SELECT crm_ref FROM quarantine
WHERE connection = :connection AND entity = :entity AND payload IS NULL
ORDER BY crm_ref;
