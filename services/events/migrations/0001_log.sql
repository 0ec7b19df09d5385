-- The log as tables: what the PostgreSQL adapter of the log port stores.

CREATE SCHEMA log;

-- One row a topic: the head. Whoever appends locks it first, so positions are taken and become visible in one order
-- (a sequence would hand out positions that commit out of order, and a reader would step over the late ones).
CREATE TABLE log.topic (
    id              integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name            text        NOT NULL UNIQUE,
    compacted       boolean     NOT NULL,
    first_position  bigint      NOT NULL DEFAULT 0,
    next_position   bigint      NOT NULL DEFAULT 0 CHECK (next_position >= first_position),
    clock           timestamptz NOT NULL DEFAULT 'epoch'
);

CREATE TABLE log.record (
    topic        integer     NOT NULL REFERENCES log.topic (id),
    position     bigint      NOT NULL,
    compacted    boolean     NOT NULL,
    key          text        NOT NULL,
    value        bytea       NOT NULL,
    appended_at  timestamptz NOT NULL,
    PRIMARY KEY (topic, position)
);

-- A compacted topic holds the last record of each key and no other.
CREATE UNIQUE INDEX record_latest ON log.record (topic, key) WHERE compacted;

-- Signed text does not compress: do not try.
ALTER TABLE log.record ALTER COLUMN value SET STORAGE EXTERNAL;

-- Stores the records in order and returns the position of the first; null where there is no such topic.
-- Statements inside see what was committed while the UPDATE waited for the head row.
CREATE FUNCTION log.append(topic_name text, keys text[], new_values bytea[]) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    head log.topic;
BEGIN
    UPDATE log.topic
       SET next_position = next_position + cardinality(keys),
           clock = greatest(clock, date_trunc('milliseconds', clock_timestamp()))
     WHERE name = topic_name
    RETURNING * INTO head;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF head.compacted THEN
        DELETE FROM log.record r WHERE r.topic = head.id AND r.compacted AND r.key = ANY (keys);
    END IF;
    INSERT INTO log.record (topic, position, compacted, key, value, appended_at)
    SELECT head.id, head.next_position - cardinality(keys) + new.place - 1, head.compacted, new.key, new.value, head.clock
      FROM (SELECT n.key, n.value, n.place, max(n.place) OVER (PARTITION BY n.key) AS last_place
              FROM unnest(keys, new_values) WITH ORDINALITY AS n (key, value, place)) AS new
     WHERE NOT head.compacted OR new.place = new.last_place
     ORDER BY new.place;
    PERFORM pg_notify('certmark_log', topic_name);
    RETURN head.next_position - cardinality(keys);
END
$$;
