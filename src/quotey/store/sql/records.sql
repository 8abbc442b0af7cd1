-- name: records_by_refs
-- An alias has no row of its own in `record`, so each half costs one index look-up a ref.
SELECT wanted.value, 0 AS by_alias,
    r.connection, r.entity, r.id, r.crm_ref, r.local, r.base, r.remote, r.local_version,
    r.local_ts, r.source_ts, r.source_version, r.content_hash, r.extras, r.state
FROM json_each(?3) AS wanted
CROSS JOIN record AS r ON r.connection = ?1 AND r.entity = ?2 AND r.crm_ref = wanted.value
UNION ALL
SELECT wanted.value, 1,
    r.connection, r.entity, r.id, r.crm_ref, r.local, r.base, r.remote, r.local_version,
    r.local_ts, r.source_ts, r.source_version, r.content_hash, r.extras, r.state
FROM json_each(?3) AS wanted
CROSS JOIN alias AS a ON a.connection = ?1 AND a.entity = ?2 AND a.crm_ref = wanted.value
CROSS JOIN record AS r ON r.id = a.id;

-- name: records_hashes
SELECT wanted.value, 0 AS by_alias, r.id, r.content_hash, r.source_version, r.state
FROM json_each(?3) AS wanted
CROSS JOIN record AS r ON r.connection = ?1 AND r.entity = ?2 AND r.crm_ref = wanted.value
UNION ALL
SELECT wanted.value, 1, r.id, r.content_hash, r.source_version, r.state
FROM json_each(?3) AS wanted
CROSS JOIN alias AS a ON a.connection = ?1 AND a.entity = ?2 AND a.crm_ref = wanted.value
CROSS JOIN record AS r ON r.id = a.id;

-- name: records_ids
SELECT wanted.value, 0 AS by_alias, r.id
FROM json_each(?3) AS wanted
CROSS JOIN record AS r ON r.connection = ?1 AND r.entity = ?2 AND r.crm_ref = wanted.value
UNION ALL
SELECT wanted.value, 1, a.id
FROM json_each(?3) AS wanted
CROSS JOIN alias AS a ON a.connection = ?1 AND a.entity = ?2 AND a.crm_ref = wanted.value;

-- name: records_children
-- Asked when parents were merged, which is seldom: it looks at every living record once.
SELECT r.entity, r.crm_ref
FROM record AS r
WHERE r.connection = :connection AND r.state = 'live' AND r.crm_ref IS NOT NULL
    AND (r.entity = 'contact' OR r.entity = 'deal')
    AND coalesce(r.base, r.local) ->> '$.account_id' IN (SELECT value FROM json_each(:ids))
ORDER BY r.entity, r.id;

-- name: records_get
SELECT r.connection, r.entity, r.id, r.crm_ref, r.local, r.base, r.remote, r.local_version,
    r.local_ts, r.source_ts, r.source_version, r.content_hash, r.extras, r.state
FROM json_each(?2) AS wanted
CROSS JOIN record AS r ON r.id = wanted.value AND r.entity = ?1;

-- name: records_put
-- The binding is not in the SET list, so that its trigger costs nothing here; a row whose binding
-- differs is passed over, and records_bind_many then has the word.
INSERT INTO record (connection, entity, id, crm_ref, local, base, remote, local_version,
    local_ts, source_ts, source_version, content_hash, extras, state, search_key)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
ON CONFLICT (id) DO UPDATE SET
    local = excluded.local, base = excluded.base, remote = excluded.remote,
    local_version = excluded.local_version, local_ts = excluded.local_ts,
    source_ts = excluded.source_ts, source_version = excluded.source_version,
    content_hash = excluded.content_hash, extras = excluded.extras, state = excluded.state,
    search_key = excluded.search_key
WHERE crm_ref IS excluded.crm_ref AND connection = excluded.connection
    AND entity = excluded.entity;

-- name: records_bind_many
UPDATE record SET connection = ?1, entity = ?2, crm_ref = ?4 WHERE id = ?3;

-- name: records_bind
UPDATE record SET crm_ref = :crm_ref
WHERE id = :id AND entity = :entity AND connection = :connection;

-- name: records_alias
INSERT OR REPLACE INTO alias (connection, entity, crm_ref, id)
VALUES (:connection, :entity, :crm_ref, :id);

-- name: records_ref_of
SELECT coalesce(
    (SELECT a.crm_ref FROM alias AS a WHERE a.id = r.id ORDER BY a.seq DESC LIMIT 1),
    r.crm_ref)
FROM record AS r WHERE r.id = :id AND r.entity = :entity;

-- name: records_aliased
SELECT a.id, a.crm_ref
FROM json_each(:ids) AS wanted
CROSS JOIN alias AS a ON a.id = wanted.value AND a.entity = :entity
ORDER BY a.seq;

-- name: records_search
SELECT connection, entity, id, crm_ref, local, base, remote, local_version,
    local_ts, source_ts, source_version, content_hash, extras, state
FROM record
WHERE connection = :connection AND entity = :entity AND state = 'live'
    AND instr(search_key, :text) > 0
ORDER BY instr(search_key, :text), search_key, id
LIMIT :limit;

-- name: records_list
SELECT connection, entity, id, crm_ref, local, base, remote, local_version,
    local_ts, source_ts, source_version, content_hash, extras, state
FROM record
WHERE id > :after AND connection = :connection AND entity = :entity
ORDER BY id
LIMIT :limit;

-- name: records_count
SELECT count(*) FROM record WHERE connection = :connection AND entity = :entity;

-- name: records_count_gone
SELECT count(*) FROM record
WHERE connection = :connection AND entity = :entity AND state = 'gone';
