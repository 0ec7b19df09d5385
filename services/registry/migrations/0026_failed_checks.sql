-- A suspension for a failed check sets a clock going (K11) that no record told of before: each such record is looked at
-- when what is overdue is listed, until it is written anew.

UPDATE record_rows SET due = '2016-01-01'
WHERE key IN (SELECT key FROM records WHERE key LIKE 'certificate/%' AND state LIKE '%"reason":"S01"%');
