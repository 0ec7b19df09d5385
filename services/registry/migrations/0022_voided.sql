-- Single codes that status lists name as voided, from the records and the day as the places are.

CREATE TABLE list_voided (
    list integer NOT NULL,
    mark_no text NOT NULL,
    hashes bytea NOT NULL,                      -- 8 bytes each, ascending, as the list has them
    PRIMARY KEY (list, mark_no)
);
CREATE INDEX list_voided_mark ON list_voided (mark_no);

-- From now on every list says so, even where it names none; certificates with serials are looked at once more.
UPDATE status_lists SET changed = true;
UPDATE list_subjects SET turns_on = '1970-01-01'
WHERE certificate_no IN (SELECT certificate_no FROM code_runs WHERE form = 'serial');
