-- Why: least privilege. Run by a superuser in the database, before the first `millrace migrate up`, and again at any time:
--     psql "$SUPERUSER_URL" --file sql/roles.sql
-- It makes what is missing. What the login `millrace` owned alone before, it hands over to the roles (--set login=NAME for
-- another login than millrace).
--
-- | role | owns | may |
-- | --- | --- | --- |
-- | millrace_owner | keys, tenants, the audit log, migrations, functions | migrate; all that the writer may |
-- | millrace_writer | events, conversations, their months, ledger, dead letters, outbox, projections | write; read keys and tenants, add to the audit log |
-- | millrace_reader | nothing | read the rows of one tenant; no keys, no refused lines, no passwords |
-- | millrace_admin | nothing | read the rows of all tenants; read and make keys and tenants |
--
-- `millrace` is the daemon's login: it is a writer. `millrace_migrator` runs `millrace migrate`: it is an owner, and so can
-- change what the daemon can't. Neither is a superuser, and neither reads files. Give each a password by \password, and put it
-- into database.url or a service file.
-- Dashboards and people get GRANT millrace_reader TO someone. Who chooses the tenant is the session (SET millrace.tenant),
-- unless the login is bound: CREATE ROLE millrace_tenant_7; GRANT millrace_tenant_7 TO someone.
\if :{?login}
\else
\set login millrace
\endif

SELECT format('CREATE ROLE %I %s NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION', name, kind)
FROM (
    VALUES
        ('millrace_owner', 'NOLOGIN'), ('millrace_writer', 'NOLOGIN'), ('millrace_reader', 'NOLOGIN'),
        ('millrace_admin', 'NOLOGIN'), (:'login', 'LOGIN'), ('millrace_migrator', 'LOGIN')
) AS wanted (name, kind)
WHERE to_regrole(quote_ident(name)) IS NULL
\gexec

GRANT millrace_writer TO millrace_owner, :"login";
GRANT millrace_owner TO millrace_migrator;

-- So that what a session makes belongs to the role, and every member can go on with it.
ALTER ROLE :"login" SET role = millrace_writer;
ALTER ROLE millrace_migrator SET role = millrace_owner;

GRANT CREATE, TEMPORARY ON DATABASE :"DBNAME" TO millrace_owner, millrace_writer;
GRANT USAGE, CREATE ON SCHEMA public TO millrace_owner, millrace_writer;
GRANT USAGE ON SCHEMA public TO millrace_reader, millrace_admin;

ALTER DEFAULT PRIVILEGES FOR ROLE millrace_owner, millrace_writer
    GRANT SELECT ON TABLES TO millrace_reader, millrace_admin;
ALTER DEFAULT PRIVILEGES FOR ROLE millrace_owner, millrace_writer
    GRANT USAGE ON SCHEMAS TO millrace_reader, millrace_admin;

-- Of an installation of before.
SELECT format('REASSIGN OWNED BY %I TO millrace_owner', :'login')
WHERE to_regprocedure('public.protect_rows()') IS NOT NULL
\gexec

SELECT format('GRANT USAGE ON SCHEMA %I TO millrace_reader, millrace_admin', nspname)
FROM pg_catalog.pg_namespace
WHERE nspname = 'projections' OR starts_with(nspname::text, 'projections_')
\gexec

SELECT format('GRANT SELECT ON %s TO millrace_reader, millrace_admin', relation.oid::regclass)
FROM pg_catalog.pg_class AS relation
WHERE relkind IN ('r', 'p', 'v')
    AND pg_get_userbyid(relowner) IN ('millrace_owner', 'millrace_writer')
    AND (relrowsecurity OR relkind = 'v' OR relname NOT IN (
        'access_keys', 'access_keys_state', 'tenants', 'audit_log', 'partition_months', 'partition_month_batches'
    ))
\gexec

SELECT 'GRANT EXECUTE ON FUNCTION public.purge_audit_log(interval) TO millrace_writer, millrace_admin'
WHERE to_regprocedure('public.purge_audit_log(interval)') IS NOT NULL
\gexec

SELECT format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO millrace_writer', relation)
FROM (
    VALUES (to_regclass('public.partition_months')), (to_regclass('public.partition_month_batches'))
) AS of_months (relation)
WHERE relation IS NOT NULL
\gexec

SELECT 'SELECT public.protect_rows()'
WHERE to_regprocedure('public.protect_rows()') IS NOT NULL
\gexec
