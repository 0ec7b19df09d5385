-- Who asks with which token, and what they follow: decisions, changes, webhooks.

CREATE TABLE access_tokens (
    hash text PRIMARY KEY,                      -- hex SHA-256 of the token, which is kept nowhere
    id text NOT NULL UNIQUE,                    -- its first digits: how people name a token
    role text NOT NULL CHECK (role IN ('source', 'inspector', 'regulator', 'platform', 'administrator')),
    holder text NOT NULL,                       -- the source's URN, or the name that the token was made under
    district text,                              -- an inspector's, GB/T 2260
    demonstration boolean NOT NULL,             -- it lies open: nothing in production
    created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz(3),
    revoked_at timestamptz(3)
);

CREATE TABLE webhooks (
    holder text NOT NULL,                       -- whose token registered it
    name text NOT NULL,
    id uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    kind text NOT NULL CHECK (kind IN ('decisions', 'changes')),
    url text NOT NULL,
    state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'dead')),
    seq bigint NOT NULL,                        -- decisions: delivered up to this entry …
    put_aside bigint NOT NULL,                  -- … and this position of the quarantine; both inclusive
    revision bigint NOT NULL,                   -- changes: delivered up to this revision
    held integer,                               -- items of the delivery under way: a repetition takes as many
    failures integer NOT NULL DEFAULT 0,        -- in a row
    failing_since timestamptz(3),
    last_error text,
    delivered_at timestamptz(3),
    next_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
    claimed_until timestamptz(3) NOT NULL DEFAULT '1970-01-01Z',
    created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (holder, name)
);

-- The owner of the key that a quarantined record names, known when it was put aside: whom its feed tells of it.
ALTER TABLE quarantine ADD COLUMN source text;
CREATE INDEX quarantine_source ON quarantine (source, position);
