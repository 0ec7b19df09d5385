-- What each entry made of a certificate, in few columns: for finding and counting as known at any entry.
-- Both tables of facts are made from `entries` and can be emptied (with facts_head) and made again.

CREATE TABLE facts_head (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    seq bigint NOT NULL DEFAULT -1              -- the last entry that the facts know of
);
INSERT INTO facts_head DEFAULT VALUES;

CREATE TABLE certificate_facts (
    seq bigint PRIMARY KEY,                     -- the entry
    replaced_by bigint,                         -- the next entry that changed the same certificate; null: it stands
    certificate_no text NOT NULL,
    parent_no text,
    scheme text NOT NULL,
    body text,                                  -- null on a declaration
    region text,
    uscc text,
    organisation text NOT NULL,                 -- the holder: credit code, or name as it is compared
    first_issued_on date NOT NULL,
    valid_until date,
    days date[] NOT NULL,                       -- from each of these days on …
    standings smallint[] NOT NULL,              -- … the certificate stands so by itself (place in the precedence)
    due_days date[] NOT NULL,                   -- from each of these days on …
    dues date[] NOT NULL,                       -- … this surveillance was the next one due
    statuses text[] NOT NULL,                   -- every status declared, …
    since date[] NOT NULL,                      -- … its first day …
    reasons text[] NOT NULL                     -- … and reason
);
CREATE INDEX certificate_facts_number ON certificate_facts (certificate_no, seq);
CREATE INDEX certificate_facts_uscc ON certificate_facts (uscc) WHERE uscc IS NOT NULL;

CREATE TABLE mark_facts (
    seq bigint NOT NULL,
    mark_no text NOT NULL,
    replaced_by bigint,
    parent_no text,
    scheme text NOT NULL,
    body text,
    region text,
    days date[] NOT NULL,
    standings smallint[] NOT NULL,              -- the worse of the mark's own and its certificate's
    PRIMARY KEY (seq, mark_no)
);

-- Every question of a relying party with its answer. No personal data: organisations, models, numbers.
CREATE TABLE acceptance_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    asked_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
    role text NOT NULL,
    purpose text NOT NULL,
    policy text NOT NULL,
    version integer NOT NULL,
    certificate_no text,                        -- in canonical form; null where it was none, or another way was used
    uscc text,
    model text,
    at date NOT NULL,
    seq bigint NOT NULL,
    accept text NOT NULL,                       -- yes, no, review
    digest text NOT NULL                        -- of the answer
);
