-- The desk of inspectors and regulators: whose account, who is inside, and what was done there. No person is named:
-- an account goes by its holder's staff number.

CREATE TABLE accounts (
    name text PRIMARY KEY,
    role text NOT NULL CHECK (role IN ('inspector', 'regulator', 'administrator')),
    division text,                              -- GB/T 2260; what the account is in charge of; null: the whole country
    password text,                              -- argon2id; null: comes in by the identity provider alone
    must_change boolean NOT NULL,               -- the password was set by somebody else
    wrong integer NOT NULL DEFAULT 0,           -- wrong passwords in a row …
    wrong_at timestamptz,                       -- … and the last of them
    demonstration boolean NOT NULL,             -- its password lies open: nothing in production
    created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
    closed_at timestamptz(3)
);

CREATE TABLE desk_visits (
    digest text PRIMARY KEY,                    -- SHA-256 of the cookie, which is kept nowhere
    account text NOT NULL REFERENCES accounts,
    begun_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL
);

CREATE TABLE desk_errands (                     -- visitors on their way to the identity provider and back
    digest text PRIMARY KEY,                    -- of the cookie with which they left
    state text NOT NULL,
    nonce text NOT NULL,
    verifier text NOT NULL,                     -- PKCE
    to_page text NOT NULL,
    begun_at timestamptz NOT NULL
);

-- Who did what, each line holding the digest of the one before: none can be changed or taken out unseen.
CREATE TABLE trail (
    number bigint PRIMARY KEY,
    at timestamptz(3) NOT NULL,
    account text NOT NULL,
    act text NOT NULL,
    about text NOT NULL,
    detail text NOT NULL,                       -- canonical JSON
    previous text NOT NULL,
    digest text NOT NULL
);
CREATE INDEX trail_about ON trail (about, number);
CREATE INDEX trail_account ON trail (account, number);
