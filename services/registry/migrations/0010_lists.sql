-- Status lists, from the records and the day: all of it can be emptied and is made again.

CREATE TABLE lists_head (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    revision bigint NOT NULL DEFAULT 0          -- the last revision whose record the lists know of
);
INSERT INTO lists_head DEFAULT VALUES;

CREATE TABLE list_subjects (                    -- the certificates that have places
    certificate_no text PRIMARY KEY,
    parent_no text,
    turns_on date                               -- the next day on which the calendar alone may change what they say
);
CREATE INDEX list_subjects_parent ON list_subjects (parent_no) WHERE parent_no IS NOT NULL;
CREATE INDEX list_subjects_turn ON list_subjects (turns_on) WHERE turns_on IS NOT NULL;

CREATE TABLE status_lists (
    list integer PRIMARY KEY,
    places bytea NOT NULL,                      -- two bits each, as in the draft, not packed
    changed boolean NOT NULL DEFAULT true,      -- since it was last signed
    uri text NOT NULL DEFAULT '',               -- under which it was
    issued_at timestamptz(3)                    -- and when
);
ALTER TABLE status_lists ALTER COLUMN places SET STORAGE EXTERNAL;
