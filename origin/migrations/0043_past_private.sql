-- Live events of private streams that are no more: nobody may announce or talk about them as if they were public.
CREATE TABLE past_private (
    stream TEXT NOT NULL PRIMARY KEY
) STRICT;
