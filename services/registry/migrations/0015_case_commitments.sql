-- What is done in cases, and the trail, join the public log as salted hashes; deeds go sealed to the restricted topic too.

ALTER TABLE case_deeds
    ADD COLUMN record text,                     -- what the commitment is made over: canonical JSON, with its salt
    ADD COLUMN commitment text,
    ADD COLUMN seq bigint,                      -- of the entry with the commitment; null until the worker has made it
    ADD COLUMN position bigint;                 -- on the restricted topic; null until it has been appended
CREATE INDEX case_deeds_uncommitted ON case_deeds (case_no, number) WHERE seq IS NULL AND commitment IS NOT NULL;
CREATE INDEX case_deeds_unpublished ON case_deeds (case_no, number) WHERE position IS NULL AND record IS NOT NULL;

-- How far the trail had come at some instants: the digest of that line stands for all lines before it.
CREATE TABLE trail_heads (
    number bigint PRIMARY KEY REFERENCES trail,
    at timestamptz(3) NOT NULL,
    digest text NOT NULL,
    salt text NOT NULL,
    commitment text NOT NULL,
    seq bigint
);
CREATE INDEX trail_heads_uncommitted ON trail_heads (number) WHERE seq IS NULL;
