-- The facts as they were known after an entry, with what each certificate and mark stood as on a day. Both functions
-- are plain queries that PostgreSQL takes into the query that asks: what that does not name is not computed.

CREATE FUNCTION standing_of(number text, at date, upto bigint) RETURNS smallint LANGUAGE sql STABLE AS $$
    SELECT coalesce(f.standings[width_bucket(at, f.days)], 5::smallint)    -- before the first day: not yet valid
    FROM certificate_facts f
    WHERE f.certificate_no = number AND f.seq <= upto AND (f.replaced_by IS NULL OR f.replaced_by > upto)
$$;

CREATE FUNCTION known_certificates(at date, upto bigint) RETURNS TABLE (
    certificate_no text, scheme text, body text, region text, organisation text, first_issued_on date,
    valid_until date, statuses text[], since date[], reasons text[], due date, standing smallint
) LANGUAGE sql STABLE AS $$
    SELECT f.certificate_no, f.scheme, f.body, f.region, f.organisation, f.first_issued_on, f.valid_until,
        f.statuses, f.since, f.reasons, f.dues[width_bucket(at, f.due_days)],
        least(                                      -- what is part of another falls with it; null is passed over
            coalesce(f.standings[width_bucket(at, f.days)], 5::smallint),
            CASE WHEN f.parent_no IS NOT NULL THEN standing_of(f.parent_no, at, upto) END
        )
    FROM certificate_facts f
    WHERE f.seq <= upto AND (f.replaced_by IS NULL OR f.replaced_by > upto)
$$;

CREATE FUNCTION known_marks(at date, upto bigint) RETURNS TABLE (
    mark_no text, scheme text, body text, region text, standing smallint
) LANGUAGE sql STABLE AS $$
    SELECT m.mark_no, m.scheme, m.body, m.region,
        least(
            coalesce(m.standings[width_bucket(at, m.days)], 5::smallint),
            CASE WHEN m.parent_no IS NOT NULL THEN standing_of(m.parent_no, at, upto) END
        )
    FROM mark_facts m
    WHERE m.seq <= upto AND (m.replaced_by IS NULL OR m.replaced_by > upto)
$$;
