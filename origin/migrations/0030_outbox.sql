-- Events that wait for outside relays. What is replaced or deleted meanwhile need not go out any more.
CREATE TABLE outbox (
    relay    TEXT    NOT NULL,
    event    INTEGER NOT NULL REFERENCES events (row) ON DELETE CASCADE,
    -- Unix milliseconds; put off each time the relay asks to.
    due_at   INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (relay, event)
) STRICT, WITHOUT ROWID;

CREATE INDEX outbox_by_event ON outbox (event);
CREATE INDEX outbox_by_due ON outbox (relay, due_at);
