-- The register: one head row, the entries in their one order, and what stands after the last of them.

CREATE TABLE head (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    size bigint NOT NULL DEFAULT 0,             -- the seq that the next entry takes
    position bigint NOT NULL DEFAULT 0,         -- the next position to read on the events topic
    start bigint NOT NULL DEFAULT 0,            -- the first position ever read
    recorded_at timestamptz(3) NOT NULL DEFAULT '1970-01-01Z',
    revision bigint NOT NULL DEFAULT 0,         -- the last revision given to a record
    status_index bigint NOT NULL DEFAULT 0,     -- the status list index that the next token takes; never reused
    duplicates bigint NOT NULL DEFAULT 0,
    leader text NOT NULL DEFAULT '',            -- the active worker …
    leader_pid integer NOT NULL DEFAULT 0,      -- … its backend …
    lease_until timestamptz NOT NULL DEFAULT '1970-01-01Z'  -- … and until when standbys leave it alone
);
INSERT INTO head DEFAULT VALUES;

CREATE TABLE entries (
    seq bigint PRIMARY KEY,
    kind text NOT NULL,                         -- event, token
    digest text NOT NULL,
    event_id text,
    source text,
    type text,
    subject text NOT NULL,
    sequence bigint,
    decision text NOT NULL,                     -- accepted, or refused:<slug>
    detail text,
    pointer text,
    hint text,
    effective_at date,
    received_at timestamptz(3),
    recorded_at timestamptz(3) NOT NULL,
    position bigint,
    state_digest text,
    state text,                                 -- state/v1 after this entry, canonical JSON; null where nothing changed
    leaf text NOT NULL,                         -- the log's leaf, canonical JSON, as published
    jws text                                    -- the evidence: the event's exact bytes, which are ASCII
)
-- Rows stay in one piece up to a page: compressing base64 gains nothing and costs a third of the time of a batch.
WITH (toast_tuple_target = 8160);
CREATE UNIQUE INDEX entries_digest ON entries (digest) WHERE kind = 'event';
CREATE UNIQUE INDEX entries_event_id ON entries (event_id, source) WHERE event_id IS NOT NULL;
CREATE INDEX entries_subject ON entries (subject, seq);

CREATE TABLE records (
    key text PRIMARY KEY,                       -- certificate/…, body/…, key/… as on the state topic
    revision bigint NOT NULL,
    seq bigint NOT NULL,
    recorded_at timestamptz(3) NOT NULL,
    digest text NOT NULL,                       -- of the event behind it
    state text NOT NULL,                        -- state/v1, canonical JSON
    tokens text NOT NULL,                       -- JSON list
    under_review boolean NOT NULL,
    event text                                  -- the signed event, on key/… records
)
WITH (toast_tuple_target = 8160, fillfactor = 80);
CREATE UNIQUE INDEX records_revision ON records (revision);

CREATE TABLE marks (
    mark_no text PRIMARY KEY,
    certificate_no text NOT NULL
);

CREATE TABLE chains (
    source text NOT NULL,
    subject text NOT NULL,
    sequence bigint NOT NULL,
    digest text NOT NULL,
    PRIMARY KEY (source, subject)
);

CREATE TABLE pending (
    digest text PRIMARY KEY,
    source text NOT NULL,
    subject text NOT NULL,
    sequence bigint NOT NULL,
    event_id text NOT NULL,
    position bigint NOT NULL,
    received_at timestamptz(3) NOT NULL,
    jws text NOT NULL
);
CREATE INDEX pending_subject ON pending (subject);
CREATE INDEX pending_event_id ON pending (event_id);

CREATE TABLE quarantine (
    position bigint PRIMARY KEY,
    digest text,
    code text NOT NULL,
    detail text NOT NULL,
    pointer text NOT NULL,
    received_at timestamptz(3) NOT NULL,
    recorded_at timestamptz(3) NOT NULL,
    record_key text NOT NULL,
    value bytea NOT NULL
);
CREATE INDEX quarantine_digest ON quarantine (digest);

CREATE TABLE relayed (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    revision bigint NOT NULL DEFAULT 0,         -- the last revision on the state topic
    tail bigint NOT NULL DEFAULT 0,             -- the next position of the state topic to look back at
    quarantined bigint NOT NULL DEFAULT -1      -- the last position copied to the dead-letter topic
);
INSERT INTO relayed DEFAULT VALUES;
