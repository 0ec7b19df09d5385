-- Checks of listings: what was sent, how far the check is, what was found. All of it can be thrown away and done again.

CREATE TABLE checks (
    id text PRIMARY KEY,                        -- 32 hexadecimal digits of chance
    holder text NOT NULL,                       -- whose token handed it in
    state text NOT NULL DEFAULT 'receiving',    -- receiving, queued, running, done, failed, cancelled
    name text NOT NULL,                         -- of the file, as its sender called it
    kind text,                                  -- csv, xlsx, jsonl
    mapping jsonb NOT NULL,                     -- heading → column, by hand
    columns jsonb,                              -- [[heading, column or null] …], as they were understood
    platform text,
    sheet text,
    sha256 text,                                -- of the material as received
    seq bigint NOT NULL,                        -- the register's entry that it is judged by
    day date NOT NULL,                          -- the register's day
    rule_set text NOT NULL,
    about bigint NOT NULL DEFAULT 0,            -- roughly how many rows there are
    total bigint,                               -- how many there are, once that is known
    again_of text REFERENCES checks (id) ON DELETE CASCADE, -- the check that this one repeats for what has changed
    code text,                                  -- why it failed
    detail text,
    created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz(3)
);
CREATE INDEX checks_holder ON checks (holder, created_at DESC);
CREATE INDEX checks_open ON checks (created_at) WHERE state IN ('queued', 'running');

CREATE TABLE check_material (                   -- the file and the pictures as received, in parts
    check_id text NOT NULL REFERENCES checks (id) ON DELETE CASCADE,
    what text NOT NULL,                         -- file, images
    part integer NOT NULL,
    content bytea NOT NULL,
    PRIMARY KEY (check_id, what, part)
);
ALTER TABLE check_material ALTER COLUMN content SET STORAGE EXTERNAL;

CREATE TABLE check_frames (                     -- findings, a frame of rows in one piece; its transaction is the progress
    check_id text NOT NULL REFERENCES checks (id) ON DELETE CASCADE,
    first bigint NOT NULL,                      -- place of its first row
    rows integer NOT NULL,
    verdicts jsonb NOT NULL,
    rules jsonb NOT NULL,
    relied text[] NOT NULL,                     -- the certificates that its rows were judged by
    lines bytea NOT NULL,                       -- JSON lines, deflated
    PRIMARY KEY (check_id, first)
);
ALTER TABLE check_frames ALTER COLUMN lines SET STORAGE EXTERNAL;

CREATE TABLE check_matters (                    -- what is not ok, for those who sort and decide
    check_id text NOT NULL REFERENCES checks (id) ON DELETE CASCADE,
    place bigint NOT NULL,
    verdict text NOT NULL,
    rules text[] NOT NULL,
    certificate_no text,
    seller text,
    listing_url text,
    image text,
    PRIMARY KEY (check_id, place)
);
CREATE INDEX check_matters_verdict ON check_matters (check_id, verdict, place);

CREATE TABLE check_mappings (                   -- how the columns of a platform's exports are understood
    holder text NOT NULL,
    platform text NOT NULL,
    mapping jsonb NOT NULL,
    PRIMARY KEY (holder, platform)
);

CREATE TABLE certificate_parties (              -- by credit code, and by name in one form: for listings without a number
    party text NOT NULL,
    certificate_no text NOT NULL,
    PRIMARY KEY (party, certificate_no)
);
CREATE TABLE certificate_parties_known (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    revision bigint NOT NULL DEFAULT 0          -- the last revision of a record that the parties were taken from
);
INSERT INTO certificate_parties_known DEFAULT VALUES;
