-- Why: the dashboard names users by public.users of the database that signs them in, which is another one than Millrace's.
-- This keeps that table as auth.users is: run it there, as the owner of the schema public who may make triggers on
-- auth.users (on Supabase postgres, in the SQL editor). Running it again changes nothing.
--
-- Of auth.users it reads id, email, email_confirmed_at, raw_user_meta_data (first_name, last_name: users write that
-- themselves) and raw_app_meta_data (plan: only the service does), and auth.uid(), the id of who asks. Supabase has all.
BEGIN;

DO $$
BEGIN
    IF to_regclass('auth.users') IS NULL OR to_regprocedure('auth.uid()') IS NULL THEN
        RAISE EXCEPTION 'this database has no auth.users, or no function auth.uid()'
            USING HINT = 'Run this in the database that signs users in, not in Millrace''s.';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'millrace_identity') THEN
        -- It logs in once it has a password: ALTER ROLE millrace_identity LOGIN PASSWORD '…'.
        CREATE ROLE millrace_identity NOLOGIN;
    END IF;
END
$$;

CREATE TABLE IF NOT EXISTS public.users (
    id uuid NOT NULL,
    email text,
    CONSTRAINT users_pkey PRIMARY KEY (id)
);

ALTER TABLE public.users
    ADD COLUMN IF NOT EXISTS email text,
    ADD COLUMN IF NOT EXISTS email_verified boolean NOT NULL DEFAULT false,
    ADD COLUMN IF NOT EXISTS first_name text,
    ADD COLUMN IF NOT EXISTS last_name text,
    ADD COLUMN IF NOT EXISTS plan text NOT NULL DEFAULT 'free',
    ADD COLUMN IF NOT EXISTS created_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS updated_at timestamptz NOT NULL DEFAULT now();

COMMENT ON TABLE public.users IS 'Profiles of auth.users, kept by triggers on it; Millrace''s dashboard names users by it.';

-- With its owner's rights, because whoever signs up may not write here.
CREATE OR REPLACE FUNCTION public.keep_user()
    RETURNS trigger
    LANGUAGE plpgsql
    SECURITY DEFINER
    SET search_path = ''
AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM public.users WHERE id = OLD.id;
        RETURN NULL;
    END IF;
    INSERT INTO public.users (id, email, email_verified, first_name, last_name, plan)
    VALUES (
        NEW.id, NEW.email, NEW.email_confirmed_at IS NOT NULL, NEW.raw_user_meta_data ->> 'first_name',
        NEW.raw_user_meta_data ->> 'last_name', COALESCE(NEW.raw_app_meta_data ->> 'plan', 'free')
    )
    ON CONFLICT (id) DO NOTHING;
    IF TG_OP = 'INSERT' THEN
        RETURN NULL;
    END IF;
    -- What did not change there stays as it is here: users change their names in this table, too.
    UPDATE public.users AS profile
    SET email = NEW.email,
        email_verified = NEW.email_confirmed_at IS NOT NULL,
        first_name = CASE
            WHEN NEW.raw_user_meta_data ->> 'first_name' IS DISTINCT FROM OLD.raw_user_meta_data ->> 'first_name'
            THEN NEW.raw_user_meta_data ->> 'first_name'
            ELSE profile.first_name
        END,
        last_name = CASE
            WHEN NEW.raw_user_meta_data ->> 'last_name' IS DISTINCT FROM OLD.raw_user_meta_data ->> 'last_name'
            THEN NEW.raw_user_meta_data ->> 'last_name'
            ELSE profile.last_name
        END,
        plan = CASE
            WHEN NEW.raw_app_meta_data ->> 'plan' IS DISTINCT FROM OLD.raw_app_meta_data ->> 'plan'
            THEN COALESCE(NEW.raw_app_meta_data ->> 'plan', 'free')
            ELSE profile.plan
        END,
        updated_at = now()
    WHERE profile.id = NEW.id;
    RETURN NULL;
END
$$;

REVOKE EXECUTE ON FUNCTION public.keep_user() FROM PUBLIC;

DROP TRIGGER IF EXISTS on_auth_user_created ON auth.users;
CREATE TRIGGER on_auth_user_created
AFTER INSERT ON auth.users
FOR EACH ROW EXECUTE FUNCTION public.keep_user();

DROP TRIGGER IF EXISTS on_auth_user_updated ON auth.users;
CREATE TRIGGER on_auth_user_updated
AFTER UPDATE OF email, email_confirmed_at, raw_user_meta_data, raw_app_meta_data ON auth.users
FOR EACH ROW EXECUTE FUNCTION public.keep_user();

DROP TRIGGER IF EXISTS on_auth_user_deleted ON auth.users;
CREATE TRIGGER on_auth_user_deleted
AFTER DELETE ON auth.users
FOR EACH ROW EXECUTE FUNCTION public.keep_user();

-- Those who signed up before.
INSERT INTO public.users (id, email, email_verified, first_name, last_name, plan)
SELECT
    id,
    email,
    email_confirmed_at IS NOT NULL,
    raw_user_meta_data ->> 'first_name',
    raw_user_meta_data ->> 'last_name',
    COALESCE(raw_app_meta_data ->> 'plan', 'free')
FROM auth.users
ON CONFLICT (id) DO NOTHING;

-- A user sees one row, and changes the names in it; the plan is the service's to set. Owners and roles with BYPASSRLS
-- (Supabase's service_role) see all.
ALTER TABLE public.users ENABLE ROW LEVEL SECURITY;

DROP POLICY IF EXISTS users_select_own ON public.users;
CREATE POLICY users_select_own ON public.users
    FOR SELECT
    USING (id = (SELECT auth.uid()));

DROP POLICY IF EXISTS users_update_own ON public.users;
CREATE POLICY users_update_own ON public.users
    FOR UPDATE
    USING (id = (SELECT auth.uid()))
    WITH CHECK (id = (SELECT auth.uid()));

REVOKE ALL ON public.users FROM PUBLIC;

-- Supabase gives both roles everything in schema public.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'anon') THEN
        REVOKE ALL ON public.users FROM anon;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'authenticated') THEN
        REVOKE ALL ON public.users FROM authenticated;
        GRANT SELECT, UPDATE (first_name, last_name) ON public.users TO authenticated;
    END IF;
END
$$;

-- The daemon's: what its look-up names, and nothing else.
REVOKE ALL ON public.users FROM millrace_identity;
GRANT USAGE ON SCHEMA public TO millrace_identity;
GRANT SELECT (id, email, first_name, last_name, plan) ON public.users TO millrace_identity;

DROP POLICY IF EXISTS users_select_millrace ON public.users;
CREATE POLICY users_select_millrace ON public.users
    FOR SELECT TO millrace_identity
    USING (true);

COMMIT;
