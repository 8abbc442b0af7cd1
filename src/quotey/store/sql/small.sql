-- name: connections_get
SELECT name, provider, state, rate_limited_until, fingerprint, identity, default_currency
FROM connection WHERE name = :name;

-- name: connections_all
SELECT name, provider, state, rate_limited_until, fingerprint, identity, default_currency
FROM connection ORDER BY name;

-- name: connections_put
INSERT INTO connection
    (name, provider, state, rate_limited_until, fingerprint, identity, default_currency)
VALUES
    (:name, :provider, :state, :rate_limited_until, :fingerprint, :identity, :default_currency)
ON CONFLICT (name) DO UPDATE SET
    provider = excluded.provider, state = excluded.state,
    rate_limited_until = excluded.rate_limited_until, fingerprint = excluded.fingerprint,
    identity = excluded.identity, default_currency = excluded.default_currency;

-- name: tokens_find
SELECT answer FROM client_token WHERE token = :token;

-- name: tokens_add
INSERT INTO client_token (token, answer) VALUES (:token, :answer) ON CONFLICT DO NOTHING;

-- name: requests_put
INSERT INTO undo (item_id, before) VALUES (:item_id, :before)
ON CONFLICT (item_id) DO UPDATE SET before = excluded.before;

-- name: requests_get
SELECT before FROM undo WHERE item_id = :item_id;

-- name: requests_remove
DELETE FROM undo WHERE item_id = :item_id;
