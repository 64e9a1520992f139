-- Why: a function of a pack that writes its tables waits here for a switch to a rebuilt version, and holds off the next one
-- until its transaction ends.
CREATE FUNCTION projections.hold_versions()
    RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- The caller may hold tables that the switch waits for, while it waits for the switch. The switch gives way: it waits
    -- for two seconds at most, and tries again later.
    FOR attempt IN 1..10 LOOP
        BEGIN
            PERFORM pg_advisory_xact_lock_shared(1296826372, 0);
            RETURN;
        EXCEPTION
            WHEN deadlock_detected THEN
                IF attempt = 10 THEN
                    RAISE;
                END IF;
        END;
    END LOOP;
END
$$;

-- Users whom a pack deleted. Their events are to lose the user_id (ON DELETE SET NULL), which foreign keys can't do here.
CREATE TABLE public.user_erasures (
    tenant_id integer NOT NULL DEFAULT 0,
    user_id uuid NOT NULL,
    pack text NOT NULL,
    deleted_at timestamptz NOT NULL,
    CONSTRAINT user_erasures_pkey PRIMARY KEY (tenant_id, user_id, pack)
);

COMMENT ON TABLE public.user_erasures IS 'Users whom a pack deleted, whose events still hold their user_id; a queue for the erasure of users.';
COMMENT ON FUNCTION projections.hold_versions() IS 'Keeps the live versions of the packs in their place until the transaction ends.';
