-- Cases of the desk: what officers did, deed by deed, and what can be found by. Nothing here is public.

CREATE TABLE cases (
    case_no text PRIMARY KEY,
    title text NOT NULL,
    division text NOT NULL,                     -- in charge (GB/T 2260)
    opened_on date NOT NULL,
    step text,                                  -- under way …
    due_on date,                                -- … and until when
    late_after date,                            -- the first day on which anything of it becomes overdue, less one
    undecided integer NOT NULL,
    confirmed integer NOT NULL,
    excluded integer NOT NULL,
    closed_on date,
    deeds integer NOT NULL
);
CREATE INDEX cases_division ON cases (division, case_no);

CREATE TABLE case_deeds (
    case_no text NOT NULL REFERENCES cases,
    number integer NOT NULL,
    at timestamptz(3) NOT NULL,
    account text NOT NULL,
    deed text NOT NULL,                         -- canonical JSON (services/registry/desk/deeds.py)
    PRIMARY KEY (case_no, number)
);

CREATE TABLE case_numbers (
    division text NOT NULL,
    year integer NOT NULL,
    last integer NOT NULL,
    PRIMARY KEY (division, year)
);

-- A finding as it was when it came into the case: the check that it is from may be thrown away.
CREATE TABLE case_findings (
    case_no text NOT NULL REFERENCES cases,
    finding text NOT NULL,                      -- check/row
    seller text NOT NULL,
    certificate_no text,
    image_hash text,
    listing text NOT NULL,                      -- JSON, as it came
    told text NOT NULL,                         -- JSON of the finding
    PRIMARY KEY (case_no, finding)
);

CREATE TABLE captures (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    case_no text NOT NULL REFERENCES cases,
    finding text,                               -- of which it shows the page; null: of the whole case
    kind text NOT NULL CHECK (kind IN ('screenshot', 'page', 'recording', 'other')),
    url text NOT NULL,                          -- of the page that was captured
    taken_at timestamptz NOT NULL,              -- by the officer's machine …
    clock text NOT NULL,                        -- … and how its clock was checked
    tool text NOT NULL,                         -- program and machine with which it was taken
    officers text NOT NULL,                     -- accounts or staff numbers of those who took part
    name text NOT NULL,
    bytes bigint NOT NULL,
    sha256 text NOT NULL,
    kept_at timestamptz(3) NOT NULL,
    kept_by text NOT NULL
);
CREATE INDEX captures_case ON captures (case_no);
