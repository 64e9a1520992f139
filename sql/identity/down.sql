-- Why: undoes up.sql, but for the table and its rows, which applications use: they stay as they are, under their policies.
BEGIN;

DROP TRIGGER IF EXISTS on_auth_user_created ON auth.users;
DROP TRIGGER IF EXISTS on_auth_user_updated ON auth.users;
DROP TRIGGER IF EXISTS on_auth_user_deleted ON auth.users;
DROP FUNCTION IF EXISTS public.keep_user();

DROP POLICY IF EXISTS users_select_millrace ON public.users;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'millrace_identity') THEN
        REVOKE ALL ON public.users FROM millrace_identity;
        REVOKE USAGE ON SCHEMA public FROM millrace_identity;
        DROP ROLE millrace_identity;
    END IF;
END
$$;

COMMIT;
