-- Unit codes: what sets were announced, and the codes that came for them, as salted, truncated hashes.

CREATE TABLE code_runs (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run text NOT NULL UNIQUE,                   -- digest of the event that announced the set
    source text NOT NULL,
    digest text NOT NULL,                       -- of the set
    certificate_no text NOT NULL,
    mark_no text NOT NULL,
    product text NOT NULL,
    gtin text,
    form text NOT NULL,                         -- code, serial
    quantity integer NOT NULL,
    pattern text,                               -- that the scheme's rule prescribed; null: none
    seq bigint NOT NULL,                        -- the entry of the event
    status_index bigint,                        -- serials: the place in a status list that all their tokens share
    received integer NOT NULL DEFAULT 0,        -- codes taken in so far
    last_code text NOT NULL DEFAULT '',         -- the last of them, while the set is coming
    stored_at timestamptz(3)                    -- the whole set is in
);
CREATE INDEX code_runs_digest ON code_runs (source, digest);

CREATE TABLE code_hashes (
    hash bigint PRIMARY KEY,                    -- a code is issued once, register-wide
    run integer NOT NULL
);

CREATE TABLE code_salt (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    salt bytea NOT NULL
);

-- A set while it is coming, and serials until their tokens have been fetched. Nothing stays here.
CREATE TABLE code_parts (
    run integer NOT NULL REFERENCES code_runs (id),
    part integer NOT NULL,
    codes bytea NOT NULL,                       -- lines, zlib
    hashes bytea NOT NULL,                      -- 8 bytes each, in the order of the codes
    tokens bytea,                               -- once signed: length byte, token, … in the order of the codes
    PRIMARY KEY (run, part)
);

CREATE TABLE token_jobs (
    run integer PRIMARY KEY REFERENCES code_runs (id),
    state text NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed')),
    signed_on date,                             -- every token says so, and a run that was cut goes on with it
    done integer NOT NULL DEFAULT 0,
    detail text,
    commitment text,                            -- SHA-256 over the sorted digests of all tokens: what the log entry holds
    seq bigint,                                 -- that entry
    asked_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz(3)
);

-- Sets that were announced before: their events say it all but the pattern, which nothing read then.
INSERT INTO code_runs (run, source, digest, certificate_no, mark_no, product, form, quantity, seq)
SELECT e.digest, e.source, data ->> 'digest', e.subject, upper(data ->> 'mark_no'), data ->> 'product', 'code',
    (data ->> 'quantity')::integer, e.seq
FROM entries e, LATERAL (
    SELECT convert_from(decode(rpad(translate(body, '-_', '+/'), (length(body) + 3) / 4 * 4, '='), 'base64'), 'UTF8')::jsonb
        -> 'data' AS data
    FROM split_part(e.jws, '.', 2) AS body
) AS said
WHERE e.kind = 'event' AND e.type = 'certmark.mark.codes_issued.v1' AND e.decision = 'accepted'
    AND (data ->> 'quantity')::bigint <= 1000000;
