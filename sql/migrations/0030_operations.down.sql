-- Why: undoes 0030; protect_rows as 0026 has it. What erasures got by it goes.
CREATE OR REPLACE FUNCTION public.protect_rows()
    RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    relation record;
    -- What the writer may not change, and readers don't see.
    guarded CONSTANT text[] := '{access_keys,access_keys_state,tenants,audit_log}';
    has_writer CONSTANT boolean := EXISTS (SELECT FROM pg_roles WHERE rolname = 'millrace_writer');
    has_reader CONSTANT boolean := EXISTS (SELECT FROM pg_roles WHERE rolname = 'millrace_reader');
    has_admin CONSTANT boolean := EXISTS (SELECT FROM pg_roles WHERE rolname = 'millrace_admin');
BEGIN
    IF has_writer
        AND pg_has_role((SELECT proowner FROM pg_proc WHERE oid = 'public.protect_rows()'::regprocedure), 'USAGE')
        AND NOT has_function_privilege('millrace_writer', 'projections.restrict_reader()', 'EXECUTE')
    THEN
        GRANT USAGE, CREATE ON SCHEMA projections TO millrace_writer;
        GRANT EXECUTE ON FUNCTION projections.restrict_reader() TO millrace_writer;
    END IF;
    FOR relation IN
        SELECT
            class.oid,
            class.oid::regclass AS name,
            relkind IN ('r', 'p') AS is_table,
            relkind = 'v' AND NOT coalesce(reloptions, '{}') @> '{security_invoker=true}' AS is_open_view,
            CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END
                AS kind,
            relrowsecurity AS is_secured,
            pg_get_userbyid(relowner) AS owner,
            nspname = 'public' AND relname = ANY (guarded) AS is_guarded,
            nspname = 'public' AND relname = 'password_hashes' AS is_secret,
            -- What no policy can keep apart.
            relkind IN ('m', 'f') OR (relkind IN ('r', 'p') AND nspname <> 'public' AND tenant IS NULL AND relname <> 'versions')
                AS is_mixed,
            tenant IS NOT NULL AS is_of_tenants
        FROM pg_class AS class
        JOIN pg_namespace AS space ON space.oid = relnamespace
        LEFT JOIN LATERAL (
            SELECT attnum AS tenant
            FROM pg_attribute
            WHERE attrelid = class.oid AND attname = 'tenant_id' AND atttypid = 'integer'::regtype AND NOT attisdropped
        ) AS tenant_column ON true
        WHERE relkind IN ('r', 'p', 'v', 'm', 'f')
            AND pg_has_role(relowner, 'USAGE')
            -- One alone, where the setting names it: who makes a month locks nothing else.
            AND class.oid = coalesce(to_regclass(nullif(current_setting('millrace.protected', true), '')), class.oid)
            AND (
                nspname = 'projections'
                OR starts_with(nspname::text, 'projections_')
                OR (
                    nspname = 'public'
                    AND relname IN (
                        'analytics_events', 'conversations', 'conversation_statuses', 'event_ids', 'outbox',
                        'dead_letters', 'user_erasures', 'password_hashes', 'user_questions_complete', 'ingest_batches',
                        'ingest_runs', 'ingest_spools', 'millrace_database', 'access_keys', 'access_keys_state', 'tenants',
                        'audit_log'
                    )
                )
                OR EXISTS (
                    SELECT FROM pg_inherits
                    WHERE inhrelid = class.oid
                        AND inhparent IN (to_regclass('public.analytics_events'), to_regclass('public.conversations'))
                )
            )
        ORDER BY class.oid
    LOOP
        IF relation.is_table AND relation.is_of_tenants AND NOT relation.is_guarded THEN
            IF NOT relation.is_secured THEN
                EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', relation.name);
            END IF;
            IF NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = relation.oid AND polname = 'millrace_tenant') THEN
                BEGIN
                    EXECUTE format(
                        'CREATE POLICY millrace_tenant ON %s USING (tenant_id = (SELECT public.millrace_tenant()))',
                        relation.name);
                EXCEPTION
                    -- Citus takes no subquery on a distributed table.
                    WHEN feature_not_supported THEN
                        EXECUTE format(
                            'CREATE POLICY millrace_tenant ON %s USING (tenant_id = public.millrace_tenant())',
                            relation.name);
                END;
            END IF;
            IF has_admin AND NOT EXISTS (
                SELECT FROM pg_policy WHERE polrelid = relation.oid AND polname = 'millrace_admin'
            ) THEN
                EXECUTE format('CREATE POLICY millrace_admin ON %s TO millrace_admin USING (true)', relation.name);
            END IF;
        END IF;
        IF relation.is_open_view THEN
            EXECUTE format('ALTER VIEW %s SET (security_invoker = true)', relation.name);
        END IF;
        IF has_reader AND (relation.is_guarded OR relation.is_secret OR relation.is_mixed)
            AND has_any_column_privilege('millrace_reader', relation.oid, 'SELECT')
        THEN
            EXECUTE format('REVOKE ALL ON %s FROM millrace_reader', relation.name);
        END IF;
        IF has_admin AND relation.is_secret AND has_any_column_privilege('millrace_admin', relation.oid, 'SELECT') THEN
            EXECUTE format('REVOKE ALL ON %s FROM millrace_admin', relation.name);
        END IF;
        -- Who migrates as millrace_owner keeps what the writer may not change, and hands over the rest.
        IF has_writer AND relation.owner = 'millrace_owner' AND NOT relation.is_guarded THEN
            EXECUTE format('ALTER %s %s OWNER TO millrace_writer', relation.kind, relation.name);
        END IF;
    END LOOP;

    IF has_reader AND has_function_privilege('projections.restrict_reader()', 'EXECUTE') THEN
        PERFORM projections.restrict_reader();
    END IF;
    FOR relation IN
        SELECT format('GRANT %s ON %s TO %I', privileges, object, grantee) AS command
        FROM (
            VALUES
                ('millrace_writer', 'SELECT', 'public.access_keys'),
                ('millrace_writer', 'SELECT', 'public.access_keys_state'),
                ('millrace_writer', 'SELECT', 'public.tenants'),
                ('millrace_writer', 'INSERT (actor, actor_kind, origin, action, object, before, after)', 'public.audit_log'),
                ('millrace_writer', 'SELECT', 'public.millrace_migrations'),
                ('millrace_writer', 'SELECT', 'public.millrace_migration_history'),
                ('millrace_admin', 'SELECT, INSERT, UPDATE', 'public.access_keys'),
                ('millrace_admin', 'SELECT', 'public.access_keys_state'),
                ('millrace_admin', 'SELECT, INSERT, UPDATE', 'public.tenants'),
                ('millrace_admin', 'SELECT, INSERT (actor, actor_kind, origin, action, object, before, after)', 'public.audit_log')
        ) AS wanted (grantee, privileges, object)
        JOIN pg_class AS class ON class.oid = to_regclass(object)
        WHERE to_regrole(grantee) IS NOT NULL
            AND NOT pg_has_role(grantee, relowner, 'USAGE')
            AND pg_has_role(relowner, 'USAGE')
    LOOP
        EXECUTE relation.command;
    END LOOP;
END
$$;

DROP TABLE public.millrace_tables;

DROP TABLE public.index_builds;

DROP TABLE public.daemons;

DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT polrelid::regclass AS name, polname
        FROM pg_catalog.pg_policy
        WHERE polrelid IN (
            'public.erasures'::regclass, 'public.erasure_keys'::regclass, 'public.erasure_sketches'::regclass
        )
    LOOP
        EXECUTE format('DROP POLICY %I ON %s', found.polname, found.name);
        EXECUTE format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', found.name);
    END LOOP;
END
$$;
