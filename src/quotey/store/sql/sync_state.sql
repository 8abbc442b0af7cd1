-- name: sync_state_get
SELECT connection, entity, direction, phase, cursor, fingerprint, epoch, lease_until, counts,
    error_class, error, correlation_id, started_at, finished_at, succeeded_at, diagnostics
FROM sync_state
WHERE connection = :connection AND entity = :entity AND direction = :direction;

-- name: sync_state_all
SELECT connection, entity, direction, phase, cursor, fingerprint, epoch, lease_until, counts,
    error_class, error, correlation_id, started_at, finished_at, succeeded_at, diagnostics
FROM sync_state
WHERE :connection IS NULL OR connection = :connection
ORDER BY connection, direction, entity;

-- name: sync_state_put
INSERT INTO sync_state (connection, entity, direction, phase, cursor, fingerprint, epoch,
    lease_until, counts, error_class, error, correlation_id, started_at, finished_at,
    succeeded_at, diagnostics)
VALUES (:connection, :entity, :direction, :phase, :cursor, :fingerprint, :epoch,
    :lease_until, :counts, :error_class, :error, :correlation_id, :started_at, :finished_at,
    :succeeded_at, :diagnostics)
ON CONFLICT (connection, entity, direction) DO UPDATE SET
    phase = excluded.phase, cursor = excluded.cursor, fingerprint = excluded.fingerprint,
    epoch = excluded.epoch, lease_until = excluded.lease_until, counts = excluded.counts,
    error_class = excluded.error_class, error = excluded.error,
    correlation_id = excluded.correlation_id, started_at = excluded.started_at,
    finished_at = excluded.finished_at, succeeded_at = excluded.succeeded_at,
    diagnostics = excluded.diagnostics
WHERE sync_state.epoch <= excluded.epoch;
