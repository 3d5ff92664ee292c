-- Times are Unix milliseconds.
CREATE TABLE streams (
    id            TEXT    NOT NULL PRIMARY KEY,
    created_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE keys (
    id              INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    stream_id       TEXT    NOT NULL REFERENCES streams (id),
    name            TEXT    NOT NULL,
    hash            BLOB    NOT NULL UNIQUE,
    passphrase_file TEXT,
    created_at_ms   INTEGER NOT NULL,
    revoked_at_ms   INTEGER
) STRICT;

CREATE INDEX keys_by_stream ON keys (stream_id);

CREATE TABLE errors (
    id        INTEGER NOT NULL PRIMARY KEY,
    stream_id TEXT    NOT NULL REFERENCES streams (id),
    at_ms     INTEGER NOT NULL,
    code      TEXT    NOT NULL,
    message   TEXT    NOT NULL
) STRICT;

CREATE INDEX errors_by_stream ON errors (stream_id, id);
CREATE INDEX errors_by_time ON errors (at_ms);
