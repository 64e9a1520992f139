-- Why: who runs several daemons on one database sees all of them in one place, and since when one is away; a rebuild of many
-- indexes takes hours, and whoever is interrupted goes on where it was. And which tables are Millrace's, and who may see them,
-- is said by a row of each migration that makes one, not by the text of protect_rows.
-- Locks: none but on what it makes.
CREATE TABLE public.daemons (
    spool_id uuid NOT NULL,
    host text NOT NULL,
    version text NOT NULL,
    pid integer NOT NULL,
    started_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    stopped_at timestamptz,
    spool_position bigint NOT NULL,
    settled_position bigint NOT NULL,
    spool_bytes bigint NOT NULL,
    waiting_lines bigint NOT NULL,
    oldest_waiting_at timestamptz,
    listeners text[] NOT NULL DEFAULT '{}',
    CONSTRAINT daemons_pkey PRIMARY KEY (spool_id)
) WITH (fillfactor = 25);

COMMENT ON TABLE public.daemons IS 'The daemons that write here, one row a spool: what each told of itself last. `millrace status --all` reads it.';
COMMENT ON COLUMN public.daemons.pid IS 'Of the process, on its host.';
COMMENT ON COLUMN public.daemons.seen_at IS 'When the row was written, by this server''s clock.';
COMMENT ON COLUMN public.daemons.due_at IS 'When it is written again at the latest; a daemon past that is away.';
COMMENT ON COLUMN public.daemons.stopped_at IS 'When the daemon ended in order; NULL while it runs, or was killed.';
COMMENT ON COLUMN public.daemons.spool_position IS 'The sequence after the last durable line.';
COMMENT ON COLUMN public.daemons.settled_position IS 'Every line below it is in the ledger, and flushed.';
COMMENT ON COLUMN public.daemons.waiting_lines IS 'Durable lines that are not known to be in the database.';
COMMENT ON COLUMN public.daemons.oldest_waiting_at IS 'When the oldest of them was received; NULL: there is none.';
COMMENT ON COLUMN public.daemons.listeners IS 'Where it listens: tcp or http, and the address.';

CREATE TABLE public.index_builds (
    index_name text NOT NULL,
    table_name text NOT NULL,
    begun_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    done_at timestamptz,
    bytes_before bigint NOT NULL,
    bytes_after bigint,
    CONSTRAINT index_builds_pkey PRIMARY KEY (index_name)
);

COMMENT ON TABLE public.index_builds IS 'Indexes that `millrace reindex` has rebuilt, the last time of each.';
COMMENT ON COLUMN public.index_builds.index_name IS 'With its schema.';
COMMENT ON COLUMN public.index_builds.done_at IS 'NULL: under way, or interrupted.';

CREATE TABLE public.millrace_tables (
    name text NOT NULL,
    keeping text NOT NULL,
    CONSTRAINT millrace_tables_pkey PRIMARY KEY (name),
    CONSTRAINT millrace_tables_keeping_check CHECK (keeping IN ('rows', 'operations', 'secret', 'owner'))
);

COMMENT ON TABLE public.millrace_tables IS 'Millrace''s tables and views in the schema public; protect_rows goes by it.';
COMMENT ON COLUMN public.millrace_tables.keeping IS 'rows: millrace_writer''s, and readers see what their tenant has of it. operations: the writer''s, not for readers. secret: for the writer alone. owner: millrace_owner''s; what others may is said in protect_rows.';

INSERT INTO public.millrace_tables (name, keeping)
VALUES
    ('analytics_events', 'rows'),
    ('conversations', 'rows'),
    ('conversation_statuses', 'rows'),
    ('event_ids', 'rows'),
    ('outbox', 'rows'),
    ('dead_letters', 'rows'),
    ('user_erasures', 'rows'),
    ('user_questions_complete', 'rows'),
    ('ingest_batches', 'rows'),
    ('ingest_runs', 'rows'),
    ('ingest_spools', 'rows'),
    ('millrace_database', 'rows'),
    ('daemons', 'operations'),
    ('index_builds', 'operations'),
    ('partition_months', 'operations'),
    ('partition_month_batches', 'operations'),
    ('password_hashes', 'secret'),
    ('erasure_salt', 'secret'),
    ('erasures', 'secret'),
    ('erasure_keys', 'secret'),
    ('erasure_spools', 'secret'),
    ('erased_rows', 'secret'),
    ('erasure_sketches', 'secret'),
    ('access_keys', 'owner'),
    ('access_keys_state', 'owner'),
    ('tenants', 'owner'),
    ('audit_log', 'owner'),
    ('millrace_tables', 'owner');

-- As 0026 has it, but for the list.
CREATE OR REPLACE FUNCTION public.protect_rows()
    RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    relation record;
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
            coalesce(listed.keeping = 'owner', false) AS is_guarded,
            coalesce(listed.keeping = 'operations', false) AS is_operational,
            coalesce(listed.keeping = 'secret', false) AS is_secret,
            -- What no policy can keep apart.
            relkind IN ('m', 'f') OR (relkind IN ('r', 'p') AND nspname <> 'public' AND tenant IS NULL AND relname <> 'versions')
                AS is_mixed,
            tenant IS NOT NULL AS is_of_tenants
        FROM pg_class AS class
        JOIN pg_namespace AS space ON space.oid = relnamespace
        LEFT JOIN public.millrace_tables AS listed ON nspname = 'public' AND listed.name = relname
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
                OR listed.name IS NOT NULL
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
        IF has_reader AND (relation.is_guarded OR relation.is_operational OR relation.is_secret OR relation.is_mixed)
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
                ('millrace_writer', 'SELECT', 'public.millrace_tables'),
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
