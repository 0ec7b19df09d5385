-- Certificates that are part of another: few, and asked for when what became of the other is looked for.

CREATE INDEX records_children ON records (key) WHERE key LIKE 'certificate/%' AND state NOT LIKE '%"parent_no":null%';
