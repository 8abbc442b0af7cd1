-- name: audit_head
SELECT seq, mac FROM audit_event ORDER BY seq DESC LIMIT 1;

-- name: audit_add
INSERT INTO audit_event (seq, kind, at, actor, correlation_id, connection, entity, entity_id,
    mode, body_digest, prev, mac)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12);

-- name: audit_add_body
INSERT INTO audit_body (seq, salt, json) VALUES (?1, ?2, ?3);

-- name: audit_list
SELECT e.kind, e.at, e.actor, e.correlation_id, e.connection, e.entity, e.entity_id, e.mode,
    coalesce(b.json, '{"erased":true}'), e.seq
FROM audit_event AS e LEFT JOIN audit_body AS b ON b.seq = e.seq
WHERE e.seq < :before AND e.kind GLOB :kind
    AND (:entity IS NULL OR e.entity = :entity)
    AND (:correlation_id IS NULL OR e.correlation_id = :correlation_id)
ORDER BY e.seq DESC
LIMIT :limit;

-- name: audit_list_of
SELECT e.kind, e.at, e.actor, e.correlation_id, e.connection, e.entity, e.entity_id, e.mode,
    coalesce(b.json, '{"erased":true}'), e.seq
FROM audit_event AS e LEFT JOIN audit_body AS b ON b.seq = e.seq
WHERE e.entity_id = :entity_id AND e.entity_id <> '' AND e.seq < :before AND e.kind GLOB :kind
    AND (:entity IS NULL OR e.entity = :entity)
    AND (:correlation_id IS NULL OR e.correlation_id = :correlation_id)
ORDER BY e.seq DESC
LIMIT :limit;

-- name: audit_walk
SELECT e.seq, e.kind, e.at, e.actor, e.correlation_id, e.connection, e.entity, e.entity_id,
    e.mode, e.body_digest, e.prev, e.mac, b.salt, b.json
FROM audit_event AS e LEFT JOIN audit_body AS b ON b.seq = e.seq
WHERE e.seq > ?1
ORDER BY e.seq
LIMIT ?2;

-- name: audit_kinds
SELECT e.seq, e.kind FROM audit_event AS e JOIN audit_body AS b ON b.seq = e.seq
WHERE e.seq IN (SELECT value FROM json_each(:seqs))
ORDER BY e.seq;

-- name: audit_name_erased
INSERT INTO audit_erasure (seq) SELECT value FROM json_each(:seqs);

-- name: audit_erase
DELETE FROM audit_body WHERE seq IN (SELECT value FROM json_each(:seqs));

-- name: audit_erasures
SELECT seq FROM audit_erasure ORDER BY seq;

-- name: audit_stray_bodies
SELECT min(seq) FROM audit_body WHERE seq NOT IN (SELECT seq FROM audit_event);
