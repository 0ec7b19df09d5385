-- A certificate's record stands as the entry behind it has left it: that state is kept once, with its entry. A row has a
-- state of its own where there is no such entry. Whoever reads asks the view, and reads no entry unless it asks for the
-- state.

ALTER TABLE records RENAME TO record_rows;
ALTER TABLE record_rows ALTER COLUMN state DROP NOT NULL;
UPDATE record_rows r SET state = NULL FROM entries e
WHERE e.seq = r.seq AND e.state = r.state AND r.key LIKE 'certificate/%';

CREATE VIEW records AS
SELECT key, revision, seq, recorded_at, digest,
    coalesce(state, (SELECT e.state FROM entries e WHERE e.seq = r.seq)) AS state,
    tokens, under_review, event, responsible, product_class, due
FROM record_rows r;
