-- A scheme may let a holder wait whose body was disqualified: found where those who lost a certificate otherwise are.

INSERT INTO losing_holders
SELECT uscc, certificate_no FROM (
    SELECT state::jsonb #>> '{holder,uscc}' AS uscc, substring(key FROM 13) AS certificate_no FROM records
    WHERE key IN (
        SELECT p.key FROM places p JOIN entries e ON p.responsible = 'urn:certmark:body:' || e.subject
        WHERE e.type = 'certmark.body.disqualified.v1' AND e.decision = 'accepted'
    ) OFFSET 0
) AS held
WHERE uscc IS NOT NULL
ON CONFLICT DO NOTHING;
