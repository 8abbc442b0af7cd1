-- name: meta_get
SELECT value FROM meta WHERE name = :name;

-- name: meta_put
INSERT INTO meta (name, value) VALUES (:name, :value)
ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: snapshot_pin
SELECT 1 FROM meta LIMIT 1;
