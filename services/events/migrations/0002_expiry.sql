-- Topics whose records expire: counts and reports are kept no longer than they are needed.

ALTER TABLE log.topic ADD COLUMN keep_days integer CHECK (keep_days > 0);

-- Deletes what has expired and moves the topic's start past it; how many records went.
-- Readers that have not come so far are told that the log no longer holds their position.
CREATE FUNCTION log.expire(topic_name text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    head log.topic;
    start bigint;
    gone bigint;
BEGIN
    SELECT * INTO head FROM log.topic WHERE name = topic_name FOR UPDATE;
    IF NOT FOUND OR head.keep_days IS NULL THEN
        RETURN 0;
    END IF;
    -- Positions and append times rise together, so what has expired lies before the first that has not.
    SELECT min(r.position) INTO start
      FROM log.record r
     WHERE r.topic = head.id AND r.appended_at > clock_timestamp() - make_interval(days => head.keep_days);
    start := coalesce(start, head.next_position);
    DELETE FROM log.record r WHERE r.topic = head.id AND r.position < start;
    GET DIAGNOSTICS gone = ROW_COUNT;
    UPDATE log.topic SET first_position = start WHERE id = head.id AND first_position < start;
    RETURN gone;
END
$$;
