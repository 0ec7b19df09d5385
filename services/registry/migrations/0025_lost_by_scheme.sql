-- What a holder lost is asked for by its scheme: a large holder's certificates of others have nothing to do with it.

ALTER TABLE losing_holders ADD COLUMN scheme text;
UPDATE losing_holders SET scheme = state::jsonb ->> 'scheme'
FROM records WHERE key = 'certificate/' || certificate_no;
ALTER TABLE losing_holders ALTER COLUMN scheme SET NOT NULL;
ALTER TABLE losing_holders DROP CONSTRAINT revoked_holders_pkey;
ALTER TABLE losing_holders ADD PRIMARY KEY (uscc, scheme, certificate_no);
