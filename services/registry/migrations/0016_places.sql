-- What certificates are looked up by and what rarely changes, beside their records: a record is written anew with every
-- event, and each of its indexes with it. An entry here is written when one of these changes.

CREATE TABLE places (
    key text PRIMARY KEY,                       -- certificate/…, as in records
    responsible text NOT NULL,                  -- the source that answers for it
    product_class text,
    is_part boolean NOT NULL                    -- of another certificate, with which it falls
);

INSERT INTO places
SELECT key, responsible, product_class, state NOT LIKE '%"parent_no":null%' FROM records
WHERE key LIKE 'certificate/%' AND responsible IS NOT NULL;

CREATE INDEX places_responsible ON places (responsible, key);
CREATE INDEX places_class ON places (product_class, key) WHERE product_class IS NOT NULL;
CREATE INDEX places_parts ON places (key) WHERE is_part;

DROP INDEX records_responsible, records_class, records_children;
