-- A scheme may let a holder wait whose certificate is suspended as it does one whose certificate was revoked: these are
-- looked for in the same place.

ALTER TABLE revoked_holders RENAME TO losing_holders;

INSERT INTO losing_holders
SELECT DISTINCT state::jsonb #>> '{holder,uscc}', state::jsonb ->> 'certificate_no' FROM entries
WHERE state LIKE '%"status":"suspended"%' AND state::jsonb ->> 'kind' = 'certificate'
    AND state::jsonb #>> '{holder,uscc}' IS NOT NULL
ON CONFLICT DO NOTHING;
