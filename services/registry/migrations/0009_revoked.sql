-- Whose certificates were ever revoked: few, and asked for when the same holder is certified again under a scheme that
-- makes it wait. Only a way to find them: whether and since when one is revoked is in its state.

CREATE TABLE revoked_holders (
    uscc text NOT NULL,                         -- the holder's credit code
    certificate_no text NOT NULL,
    PRIMARY KEY (uscc, certificate_no)
);

INSERT INTO revoked_holders
SELECT DISTINCT state::jsonb #>> '{holder,uscc}', state::jsonb ->> 'certificate_no' FROM entries
WHERE state LIKE '%"status":"revoked"%' AND state::jsonb ->> 'kind' = 'certificate'
    AND state::jsonb #>> '{holder,uscc}' IS NOT NULL;
