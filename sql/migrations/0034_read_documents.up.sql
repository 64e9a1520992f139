-- Why: whether a document would be too large when PostgreSQL prints its numbers, and the document without its passwords, were
-- subqueries within each statement that reads documents. On a distributed table Citus 13.2 refuses the one, and crashes over
-- the other; functions go to the workers as they are.
-- Locks: none.
CREATE FUNCTION public.prints_within(document jsonb, bytes_max bigint)
    RETURNS boolean
    LANGUAGE sql
    IMMUTABLE
    STRICT
    PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $$
    -- Numbers of 400 digits and more, each with up to twice its own: 400, 800, and so on up to the largest number's.
    SELECT COALESCE(
        sum(
            scale(n) + (400 << width_bucket(
                abs(n),
                ARRAY[1e400, 1e800, 1e1600, 1e3200, 1e6400, 1e12800, 1e25600, 1e51200, 1e102400]))
        ),
        0
    ) <= bytes_max
    FROM jsonb_path_query(document, 'strict $.** ? (@.type() == "number")') AS found (value)
    CROSS JOIN LATERAL CAST(value AS numeric) AS number (n)
    WHERE scale(n) > 400 OR abs(n) >= 1e400
$$;

COMMENT ON FUNCTION public.prints_within(jsonb, bigint) IS 'Whether the digits of the document''s long numbers are at most so many when they are printed: 1e131071 is stored in 16 bytes and printed in 131,072. Counts up to twice as many as there are.';

CREATE FUNCTION public.without_passwords(document jsonb)
    RETURNS jsonb
    LANGUAGE sql
    IMMUTABLE
    STRICT
    PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT COALESCE(jsonb_object_agg(key, value), '{}')
    FROM jsonb_each(document)
    WHERE NOT starts_with(key, 'password')
$$;

COMMENT ON FUNCTION public.without_passwords(jsonb) IS 'The object without the members that are called password, password_hash or the like.';
