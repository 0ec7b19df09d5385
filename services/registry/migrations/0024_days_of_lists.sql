-- The day on which the lists were last made. Where a clock is set back it lies ahead: what the calendar has turned since
-- is then turned back.

ALTER TABLE lists_head ADD COLUMN day date NOT NULL DEFAULT '-infinity';
