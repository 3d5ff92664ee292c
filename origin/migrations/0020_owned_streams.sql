-- Streams that belong to a Nostr key. Times are Unix milliseconds, but for those that end in _s: Unix seconds.
CREATE TABLE owned_streams (
    stream_id           TEXT    NOT NULL PRIMARY KEY REFERENCES streams (id),
    owner               TEXT    NOT NULL,
    title               TEXT    NOT NULL,
    description         TEXT    NOT NULL,
    category            TEXT    NOT NULL,
    tags                TEXT    NOT NULL,
    image               TEXT,
    starts_at_s         INTEGER,
    chat                INTEGER NOT NULL,
    reactions           INTEGER NOT NULL,
    reconnect_timeout_s INTEGER NOT NULL,
    created_at_ms       INTEGER NOT NULL,
    updated_at_ms       INTEGER NOT NULL,
    started_at_ms       INTEGER,
    ended_at_ms         INTEGER,
    had_media           INTEGER NOT NULL DEFAULT 0,
    peak_viewers        INTEGER NOT NULL DEFAULT 0,
    total_viewers       INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX owned_streams_by_owner ON owned_streams (owner, created_at_ms);
CREATE INDEX owned_streams_by_creation ON owned_streams (created_at_ms);
CREATE INDEX owned_streams_that_are_on ON owned_streams (stream_id) WHERE started_at_ms IS NOT NULL AND ended_at_ms IS NULL;
CREATE INDEX streams_by_creation ON streams (created_at_ms, id);

-- The end of a live event, signed ahead by its host: published when nothing more is heard of them.
CREATE TABLE endings (
    stream_id       TEXT    NOT NULL PRIMARY KEY REFERENCES owned_streams (stream_id) ON DELETE CASCADE,
    event           TEXT    NOT NULL,
    created_at_s    INTEGER NOT NULL,
    left_at_ms      INTEGER NOT NULL,
    settled_at_ms   INTEGER
) STRICT;

CREATE TABLE thumbnails (
    stream_id  TEXT NOT NULL PRIMARY KEY REFERENCES owned_streams (stream_id) ON DELETE CASCADE,
    media_type TEXT NOT NULL,
    hash       TEXT NOT NULL,
    bytes      BLOB NOT NULL
) STRICT;

CREATE TABLE stream_metrics (
    stream_id   TEXT    NOT NULL REFERENCES owned_streams (stream_id) ON DELETE CASCADE,
    at_ms       INTEGER NOT NULL,
    viewers     INTEGER NOT NULL,
    bitrate_bps INTEGER NOT NULL,
    PRIMARY KEY (stream_id, at_ms)
) STRICT, WITHOUT ROWID;

CREATE INDEX stream_metrics_by_time ON stream_metrics (at_ms);

-- What the server remembers of itself, such as who owns it.
CREATE TABLE settings (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
