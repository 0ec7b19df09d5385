-- The console: visits, wrong tokens, refusals that a source has dealt with. None of it is part of the register.

CREATE TABLE console_visits (
    digest text PRIMARY KEY,                    -- SHA-256 of the cookie, which is kept nowhere
    token text NOT NULL,                        -- id of the access token: the visit ends with it
    role text NOT NULL,                         -- source, regulator
    source text,                                -- URN; null: a regulator looks at every source
    begun_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL
);

CREATE TABLE console_knocks (
    address text PRIMARY KEY,                   -- forgotten a quarter of an hour after the last
    wrong integer NOT NULL,
    last_at timestamptz NOT NULL
);

CREATE TABLE console_settled (
    source text NOT NULL,
    digest text NOT NULL,                       -- of a refused event that the source says it has dealt with
    settled_at timestamptz NOT NULL,
    PRIMARY KEY (source, digest)
);

-- Refusals are few beside what is accepted, and an accepted event pays nothing for this index.
CREATE INDEX entries_refused ON entries (source, seq) WHERE kind = 'event' AND decision <> 'accepted';
CREATE INDEX pending_source ON pending (source, position);
