-- Consumers' reports: restricted. What a public reader may know of one is its commitment, which is an entry.

CREATE TABLE complaints (
    no           text        PRIMARY KEY,
    secret_hash  text        NOT NULL,
    received_at  timestamptz NOT NULL,
    received_on  date        NOT NULL,           -- at UTC+8
    due_on       date        NOT NULL,
    region       text,                           -- whose business it is: place of purchase, else the holder's district
    content      bytea,                          -- the record as it was appended; null once it has been forgotten
    commitment   text        NOT NULL,           -- its salted hash
    seq          bigint,                         -- of the entry with the commitment; null until the worker has made it
    outcome      text,
    note         text,                           -- to the reporter
    decided_on   date,
    decided_by   text,                           -- the token's or account's name, never shown to the reporter
    forgotten_on date
);

CREATE INDEX complaints_uncommitted ON complaints (no) WHERE seq IS NULL;
CREATE INDEX complaints_open ON complaints (due_on, no) WHERE outcome IS NULL;
CREATE INDEX complaints_kept ON complaints (received_on) WHERE content IS NOT NULL;

-- How far the restricted topic was read: moves together with what was read.
CREATE TABLE complaints_read (
    single    boolean PRIMARY KEY DEFAULT true CHECK (single),
    position  bigint  NOT NULL
);
INSERT INTO complaints_read (position) VALUES (0);
