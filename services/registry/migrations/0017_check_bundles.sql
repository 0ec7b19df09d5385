-- Bundles of checks, made on request by the process that checks; thrown away together with what was received.

CREATE TABLE check_bundles (
    check_id text PRIMARY KEY REFERENCES checks (id) ON DELETE CASCADE,
    asked_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
    made_at timestamptz(3),                     -- null: still to be made
    code text,                                  -- why it could not be made
    detail text
);
CREATE INDEX check_bundles_asked ON check_bundles (asked_at) WHERE made_at IS NULL;

ALTER TABLE checks ADD material_gone boolean NOT NULL DEFAULT false; -- what was received has been deleted
CREATE INDEX checks_again ON checks (again_of) WHERE again_of IS NOT NULL;
CREATE INDEX checks_material ON checks (finished_at) WHERE NOT material_gone;
