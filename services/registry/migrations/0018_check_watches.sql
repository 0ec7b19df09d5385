-- Watched checks: what their rows ask the register for, how far they were compared with it, what was told of them.

ALTER TABLE checks ADD watched boolean NOT NULL DEFAULT false; -- a repetition that the register made by itself
ALTER TABLE checks ADD told_after bigint;       -- of such a one that is done: the number of the last change told before it
CREATE INDEX checks_told ON checks (told_after) WHERE told_after IS NOT NULL;

ALTER TABLE check_frames ADD of_first bigint;   -- of a repetition: the frame of the first check that these rows are of …
ALTER TABLE check_frames ADD places bigint[];   -- … and their places in its file

CREATE TABLE check_watches (
    check_id text PRIMARY KEY REFERENCES checks (id) ON DELETE CASCADE, -- the first check of its material
    ends_at timestamptz(3) NOT NULL,
    ready boolean NOT NULL DEFAULT false,       -- what its rows ask for is in check_watch_keys
    copied text[] NOT NULL DEFAULT '{}',        -- units' codes that more than one shop of the file shows
    seq bigint NOT NULL,                        -- compared with the register as this entry left it …
    day date NOT NULL,                          -- … on this day …
    rule_set text NOT NULL,                     -- … by these rules
    looked_at timestamptz(3),
    noticed_at timestamptz(3),                  -- something that it relies on has changed, and was not looked at yet
    next_at timestamptz(3) NOT NULL DEFAULT '1970-01-01Z', -- no look before this
    open_id text REFERENCES checks (id) ON DELETE SET NULL, -- the look that waits or runs
    told bigint NOT NULL DEFAULT 0              -- changes that were told
);

CREATE TABLE check_watch_keys (                 -- numbers and parties, as `listings.checking.asked` names them
    check_id text NOT NULL REFERENCES check_watches (check_id) ON DELETE CASCADE,
    key text NOT NULL,
    firsts bigint[] NOT NULL,                   -- the frames whose rows ask for it
    PRIMARY KEY (check_id, key)
);
CREATE INDEX check_watch_keys_key ON check_watch_keys (key);

CREATE TABLE check_watch_known (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    seq bigint NOT NULL DEFAULT -1,             -- watches have been told of entries up to this one …
    day date NOT NULL DEFAULT '1970-01-01',     -- … and of what began or ended up to this day
    told bigint NOT NULL DEFAULT 0              -- changes that were told, of all checks: each has its number
);
INSERT INTO check_watch_known DEFAULT VALUES;

CREATE INDEX certificate_parties_certificate ON certificate_parties (certificate_no);
