-- The private live event that an event belongs to; nothing for what everybody may read.
ALTER TABLE events ADD COLUMN private_to TEXT;

CREATE INDEX events_that_are_private ON events (private_to) WHERE private_to IS NOT NULL;
