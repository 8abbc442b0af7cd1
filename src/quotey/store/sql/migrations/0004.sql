-- How the CRM defines the properties that a mapping uses, as last seen; `properties` is JSON.
CREATE TABLE crm_schema (
    connection          TEXT NOT NULL,
    entity              TEXT NOT NULL,
    fingerprint         TEXT NOT NULL,
    mapping_fingerprint TEXT NOT NULL,
    properties          TEXT NOT NULL CHECK (json_valid(properties)),
    examined_at         TEXT NOT NULL,
    PRIMARY KEY (connection, entity)
) STRICT, WITHOUT ROWID;

-- Fields that do not flow because of how the CRM defines them now.
CREATE TABLE parked_field (
    connection TEXT NOT NULL,
    entity     TEXT NOT NULL,
    field      TEXT NOT NULL,
    use        TEXT NOT NULL,
    inbound    INTEGER NOT NULL CHECK (inbound IN (0, 1)),
    outbound   INTEGER NOT NULL CHECK (outbound IN (0, 1)),
    why        TEXT NOT NULL,
    fix        TEXT NOT NULL,
    since      TEXT NOT NULL,
    was        TEXT NOT NULL,
    words      TEXT NOT NULL CHECK (json_valid(words)),
    PRIMARY KEY (connection, entity, field),
    CHECK (inbound OR outbound)
) STRICT, WITHOUT ROWID;

-- Values that an update went without because their field was parked: sent once it is not.
CREATE TABLE parked_value (
    connection TEXT NOT NULL,
    entity     TEXT NOT NULL,
    entity_id  TEXT NOT NULL,
    field      TEXT NOT NULL,
    PRIMARY KEY (connection, entity, field, entity_id)
) STRICT, WITHOUT ROWID;
