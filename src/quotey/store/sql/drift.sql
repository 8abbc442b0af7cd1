-- name: schema_put
INSERT INTO crm_schema
    (connection, entity, fingerprint, mapping_fingerprint, properties, examined_at)
VALUES (:connection, :entity, :fingerprint, :mapping_fingerprint, :properties, :examined_at)
ON CONFLICT (connection, entity) DO UPDATE SET
    fingerprint = excluded.fingerprint, mapping_fingerprint = excluded.mapping_fingerprint,
    properties = excluded.properties, examined_at = excluded.examined_at;

-- name: schema_all
SELECT connection, entity, fingerprint, mapping_fingerprint, properties, examined_at
FROM crm_schema WHERE connection = :connection ORDER BY entity;

-- name: parked_fields
SELECT connection, entity, field, use, inbound, outbound, why, fix, since, was, words
FROM parked_field WHERE connection = :connection ORDER BY entity, field;

-- name: parked_fields_clear
DELETE FROM parked_field WHERE connection = :connection;

-- name: parked_fields_add
INSERT INTO parked_field
    (connection, entity, field, use, inbound, outbound, why, fix, since, was, words)
VALUES (:connection, :entity, :field, :use, :inbound, :outbound, :why, :fix, :since, :was, :words);

-- name: parked_values_add
INSERT INTO parked_value (connection, entity, entity_id, field)
VALUES (:connection, :entity, :entity_id, :field) ON CONFLICT DO NOTHING;

-- name: parked_values_of
SELECT entity_id FROM parked_value
WHERE connection = :connection AND entity = :entity AND field = :field AND entity_id > :after
ORDER BY entity_id LIMIT :limit;

-- name: parked_values_count
SELECT count(*) FROM parked_value WHERE connection = :connection;

-- name: parked_values_remove
DELETE FROM parked_value
WHERE connection = :connection AND entity = :entity AND field = :field
    AND entity_id IN (SELECT value FROM json_each(:ids));
