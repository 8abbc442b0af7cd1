-- name: sweeps_get
SELECT connection, entity, place, listed_all, started_at, finished_at, counts, examples,
    missed_total, correlation_id
FROM sweep
WHERE connection = :connection AND entity = :entity;

-- name: sweeps_put
INSERT INTO sweep (connection, entity, place, listed_all, started_at, finished_at, counts,
    examples, missed_total, correlation_id)
VALUES (:connection, :entity, :place, :listed_all, :started_at, :finished_at, :counts,
    :examples, :missed_total, :correlation_id)
ON CONFLICT (connection, entity) DO UPDATE SET
    place = excluded.place, listed_all = excluded.listed_all, started_at = excluded.started_at,
    finished_at = excluded.finished_at, counts = excluded.counts, examples = excluded.examples,
    missed_total = excluded.missed_total, correlation_id = excluded.correlation_id;

-- name: sweeps_see
INSERT OR IGNORE INTO sweep_seen (connection, entity, crm_ref) VALUES (?1, ?2, ?3);

-- name: sweeps_forget
DELETE FROM sweep_seen WHERE connection = :connection AND entity = :entity;

-- name: sweeps_unseen
-- The order is that of the binding; what is asked about is the newest alias, if there is one.
SELECT r.crm_ref, coalesce(
    (SELECT a.crm_ref FROM alias AS a WHERE a.id = r.id ORDER BY a.seq DESC LIMIT 1), r.crm_ref)
FROM record AS r
WHERE r.connection = :connection AND r.entity = :entity AND r.crm_ref > :after
    AND r.state = 'live'
    AND NOT EXISTS (
        SELECT 1 FROM sweep_seen AS s
        WHERE s.connection = :connection AND s.entity = :entity AND s.crm_ref = r.crm_ref)
    AND NOT EXISTS (
        SELECT 1 FROM alias AS a
        JOIN sweep_seen AS s
            ON s.connection = :connection AND s.entity = :entity AND s.crm_ref = a.crm_ref
        WHERE a.id = r.id)
ORDER BY r.crm_ref
LIMIT :limit;
