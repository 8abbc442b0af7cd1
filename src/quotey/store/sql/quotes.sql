-- name: quotes_get
SELECT q.id, q.deal_id, q.connection, q.published, q.created_at,
    v.quote_id, v.version, v.status, v.total, v.currency, v.created_at, v.actor, v.valid_until,
    v.lines, v.approver, v.note, v.price_trace, v.attachment_ref, v.attachment_sha256,
    v.attachment_bytes
FROM quote AS q JOIN quote_version AS v ON v.quote_id = q.id
WHERE q.id = :id
ORDER BY v.version DESC LIMIT 1;

-- name: quotes_list
SELECT q.id, q.deal_id, q.connection, q.published, q.created_at,
    v.quote_id, v.version, v.status, v.total, v.currency, v.created_at, v.actor, v.valid_until,
    v.lines, v.approver, v.note, v.price_trace, v.attachment_ref, v.attachment_sha256,
    v.attachment_bytes
FROM quote AS q JOIN quote_version AS v ON v.quote_id = q.id
WHERE q.id > :after AND (:deal_id IS NULL OR q.deal_id = :deal_id)
    AND v.version = (SELECT max(version) FROM quote_version WHERE quote_id = q.id)
ORDER BY q.id
LIMIT :limit;

-- name: quotes_published
SELECT q.id, q.deal_id, q.connection, q.published, q.created_at,
    v.quote_id, v.version, v.status, v.total, v.currency, v.created_at, v.actor, v.valid_until,
    v.lines, v.approver, v.note, v.price_trace, v.attachment_ref, v.attachment_sha256,
    v.attachment_bytes
FROM quote AS q JOIN quote_version AS v ON v.quote_id = q.id
WHERE q.deal_id = :deal_id AND q.published = 1
ORDER BY v.version DESC LIMIT 1;

-- name: quotes_versions
SELECT quote_id, version, status, total, currency, created_at, actor, valid_until, lines,
    approver, note, price_trace, attachment_ref, attachment_sha256, attachment_bytes
FROM quote_version
WHERE quote_id = :quote_id AND (:version IS NULL OR version = :version)
ORDER BY version;

-- name: quotes_add
INSERT INTO quote (id, deal_id, connection, published, created_at)
VALUES (:id, :deal_id, :connection, :published, :created_at);

-- name: quotes_add_version
INSERT INTO quote_version (quote_id, version, status, total, currency, created_at, actor,
    valid_until, lines, approver, note, price_trace, attachment_ref, attachment_sha256,
    attachment_bytes)
VALUES (:quote_id, :version, :status, :total, :currency, :created_at, :actor,
    :valid_until, :lines, :approver, :note, :price_trace, :attachment_ref, :attachment_sha256,
    :attachment_bytes);

-- name: quotes_unpublish
UPDATE quote SET published = 0
WHERE deal_id = :deal_id AND published = 1 AND id <> :quote_id;

-- name: quotes_publish
UPDATE quote SET published = 1 WHERE deal_id = :deal_id AND id = :quote_id;
