-- Webhooks that are told what has changed in the holder's watched checks: `revision` is the number of the last change.

ALTER TABLE webhooks DROP CONSTRAINT webhooks_kind_check;
ALTER TABLE webhooks ADD CONSTRAINT webhooks_kind_check CHECK (kind IN ('decisions', 'changes', 'checks'));
