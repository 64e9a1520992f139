-- Why: undoes 0026. ACCESS EXCLUSIVE on each table and month, briefly. Roles stay, and who owns what: other databases may use
-- the same.
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT polrelid::regclass AS name, polname
        FROM pg_catalog.pg_policy
        WHERE polname IN ('millrace_tenant', 'millrace_admin')
    LOOP
        EXECUTE format('DROP POLICY %I ON %s', found.polname, found.name);
        EXECUTE format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', found.name);
    END LOOP;
    FOR found IN
        SELECT relation.oid::regclass AS name
        FROM pg_catalog.pg_class AS relation
        JOIN pg_catalog.pg_namespace AS space ON space.oid = relnamespace
        WHERE relkind = 'v'
            AND (
                nspname = 'projections'
                OR starts_with(nspname::text, 'projections_')
                OR relation.oid = 'public.user_questions_complete'::regclass
            )
            AND reloptions @> '{security_invoker=true}'
    LOOP
        EXECUTE format('ALTER VIEW %s RESET (security_invoker)', found.name);
    END LOOP;
END
$$;

DROP FUNCTION public.protect_rows();

CREATE OR REPLACE FUNCTION projections.hold_versions()
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

CREATE OR REPLACE FUNCTION public.millrace_tenant()
    RETURNS integer
    LANGUAGE sql
    STABLE
    PARALLEL SAFE
RETURN
    CASE
        WHEN coalesce(current_setting('millrace.tenant', true), '') = '' THEN 0
        WHEN current_setting('millrace.tenant', true) ~ '^[0-9]{1,9}$' THEN current_setting('millrace.tenant', true)::integer
    END;

COMMENT ON FUNCTION public.millrace_tenant() IS 'Whose rows views show: the setting millrace.tenant of the session; 0 where it is not set, NULL (no rows) where it is no number. In a condition write (SELECT millrace_tenant()), which is asked once a query.';
