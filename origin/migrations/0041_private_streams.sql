-- Streams that only some may watch: what their tickets are signed with, and what their media's URLs have in them.
CREATE TABLE gates (
    stream_id  TEXT NOT NULL PRIMARY KEY REFERENCES owned_streams (stream_id) ON DELETE CASCADE,
    ticket_key BLOB NOT NULL,
    epoch      TEXT NOT NULL
) STRICT;

CREATE TABLE guests (
    stream_id TEXT NOT NULL REFERENCES gates (stream_id) ON DELETE CASCADE,
    pubkey    TEXT NOT NULL,
    PRIMARY KEY (stream_id, pubkey)
) STRICT, WITHOUT ROWID;
