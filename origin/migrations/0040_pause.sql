-- The host of a live stream takes a break.
ALTER TABLE owned_streams ADD COLUMN is_paused INTEGER NOT NULL DEFAULT 0;
