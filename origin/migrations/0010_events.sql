-- What the relay keeps. Dates are Unix seconds, as Nostr counts.
CREATE TABLE events (
    row        INTEGER NOT NULL PRIMARY KEY,
    id         BLOB    NOT NULL UNIQUE,
    pubkey     BLOB    NOT NULL,
    kind       INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    -- The `d` of an addressable event, empty for a replaceable one, nothing for others.
    identifier TEXT,
    expires_at INTEGER,
    json       TEXT    NOT NULL
) STRICT;

CREATE UNIQUE INDEX events_by_address ON events (kind, pubkey, identifier) WHERE identifier IS NOT NULL;
CREATE INDEX events_by_time ON events (created_at);
CREATE INDEX events_by_kind ON events (kind, created_at);
CREATE INDEX events_by_pubkey ON events (pubkey, created_at);
CREATE INDEX events_by_expiry ON events (expires_at) WHERE expires_at IS NOT NULL;

-- Tags that filters can ask for: those with names of one letter.
CREATE TABLE event_tags (
    name       TEXT    NOT NULL,
    value      TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    event      INTEGER NOT NULL REFERENCES events (row) ON DELETE CASCADE,
    PRIMARY KEY (name, value, created_at, event)
) STRICT, WITHOUT ROWID;

CREATE INDEX event_tags_by_event ON event_tags (event);
