-- Why: lines that the intake refused were never acknowledged, so the oldest of them may go, for whoever sends nothing else
-- would fill the disk; the ledger says how many of a batch went. And dashboards need neither refused lines nor passwords.
ALTER TABLE public.dead_letters
    ADD COLUMN peer text;

-- Their rows left the outbox for these letters: they are kept.
UPDATE public.dead_letters
SET peer = 'outbox'
WHERE kind = 'refused' AND message LIKE '%(from outbox)';

CREATE INDEX dead_letters_refused_idx
    ON public.dead_letters (dead_at, id)
    WHERE kind = 'refused';

ALTER TABLE public.ingest_batches
    ADD COLUMN dropped bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT ingest_batches_dropped_check CHECK (dropped BETWEEN 0 AND refused);

COMMENT ON COLUMN public.dead_letters.peer IS 'Who sent a line that the intake refused: an address, or outbox.';
COMMENT ON COLUMN public.ingest_batches.dropped IS 'The part of refused whose letters were deleted to keep the bounds of config.toml''s [dead_letters].';

-- Takes from millrace_reader, where it has all of a table, the columns that nobody needs to read. To be called by the
-- tables' owner, when tables were made or rights were granted.
CREATE FUNCTION projections.restrict_reader()
    RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wide record;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'millrace_reader') THEN
        RETURN;
    END IF;
    FOR wide IN
        SELECT
            relation.oid::regclass AS name,
            string_agg(quote_ident(attname), ', ' ORDER BY attnum) FILTER (WHERE NOT is_secret) AS columns
        FROM pg_class AS relation
        JOIN pg_namespace AS space ON space.oid = relnamespace
        JOIN pg_attribute ON attrelid = relation.oid AND attnum > 0 AND NOT attisdropped
        CROSS JOIN LATERAL (
            SELECT starts_with(attname::text, 'password')
                OR (attname = 'line' AND relation.oid = 'public.dead_letters'::regclass) AS is_secret
        ) AS secrecy
        WHERE relkind IN ('r', 'p', 'v', 'm', 'f')
            AND (
                relation.oid = 'public.dead_letters'::regclass
                OR nspname = 'projections'
                OR starts_with(nspname::text, 'projections_')
            )
            AND has_table_privilege('millrace_reader', relation.oid, 'SELECT')
        GROUP BY relation.oid
        HAVING bool_or(is_secret)
    LOOP
        EXECUTE format('REVOKE SELECT ON %s FROM millrace_reader', wide.name);
        EXECUTE format('GRANT SELECT (%s) ON %s TO millrace_reader', wide.columns, wide.name);
    END LOOP;
END
$$;

COMMENT ON FUNCTION projections.restrict_reader() IS 'Hides dead_letters.line, and columns whose name begins with password, from millrace_reader.';

REVOKE EXECUTE ON FUNCTION projections.restrict_reader() FROM PUBLIC;

SELECT projections.restrict_reader();
