-- name: looks_doubt
INSERT INTO late_look (connection, slot, lane) VALUES (:connection, :slot, :lane)
ON CONFLICT (connection, slot) DO UPDATE SET lease_token = lease_token + 1, lease_until = NULL;

-- name: looks_delivered
UPDATE late_look
SET tries = iif(operation_id IS :operation_id, tries, 0), operation_id = :operation_id,
    due_at = :due_at, lease_token = lease_token + 1, lease_until = NULL
WHERE connection = :connection AND slot = :slot;

-- name: looks_claim
UPDATE late_look SET lease_token = lease_token + 1, lease_until = :until
WHERE seq = (
    SELECT seq FROM late_look AS look
    WHERE connection = :connection AND due_at <= :now
        AND (lease_until IS NULL OR lease_until <= :now OR lease_until > :too_far)
        AND NOT EXISTS (
            SELECT 1 FROM outbox AS flying
            WHERE flying.connection = look.connection AND flying.lane = look.lane
                AND flying.state IN ('leased', 'unknown'))
    ORDER BY due_at, seq
    LIMIT 1
)
RETURNING seq, connection, slot, lane, operation_id, due_at, tries, lease_token, lease_until;

-- name: looks_put_off
UPDATE late_look SET due_at = :due_at, tries = :tries, lease_until = NULL
WHERE seq = :seq AND lease_token = :token AND lease_until IS NOT NULL;

-- name: looks_close
DELETE FROM late_look
WHERE seq = :seq AND lease_token = :token AND lease_until IS NOT NULL;

-- name: looks_next_due
SELECT min(max(due_at, coalesce(lease_until, due_at))) FROM late_look AS look
WHERE connection = :connection AND due_at IS NOT NULL
    AND NOT EXISTS (
        SELECT 1 FROM outbox AS flying
        WHERE flying.connection = look.connection AND flying.lane = look.lane
            AND flying.state IN ('leased', 'unknown'));

-- name: looks_count
SELECT count(*) FROM late_look
WHERE connection = :connection AND due_at IS NOT NULL AND (:now IS NULL OR due_at <= :now);
