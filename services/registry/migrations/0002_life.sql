-- The rest of a certificate's life: what an authority's event brings about for many, deadlines, resolved quarantine.

ALTER TABLE head
    ADD COLUMN cause text NOT NULL DEFAULT '',          -- the digest of the event whose consequences are being drawn …
    ADD COLUMN drawn_to text NOT NULL DEFAULT '';       -- … and the last certificate for which that has been done

ALTER TABLE records
    ADD COLUMN responsible text,                -- of a certificate: the source that answers for it
    ADD COLUMN product_class text,
    ADD COLUMN due date;                        -- the next day on which one of its clocks runs out
CREATE INDEX records_responsible ON records (responsible, key) WHERE responsible IS NOT NULL;
CREATE INDEX records_class ON records (product_class, key) WHERE product_class IS NOT NULL;
CREATE INDEX records_due ON records (due, key) WHERE due IS NOT NULL;

-- kind: event, consequence (its jws is its cause's, its detail the cause's digest), token
CREATE INDEX entries_source ON entries (source, seq) WHERE source IS NOT NULL;
CREATE INDEX entries_cause ON entries (detail, subject) WHERE kind = 'consequence';

ALTER TABLE quarantine
    ADD COLUMN resolved_by text,                -- the digest of the event by which an authority resolved it …
    ADD COLUMN redriven boolean NOT NULL DEFAULT false;     -- … and whether it then became an entry, or pending
