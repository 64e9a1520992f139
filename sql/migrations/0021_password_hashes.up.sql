-- Why: an app that moves here keeps its users' passwords working. Hashes are kept apart from events, so that no event, export,
-- log or answer of the API ever has one; `millrace import --with-password-hashes` alone puts them here.
CREATE TABLE public.password_hashes (
    tenant_id integer NOT NULL DEFAULT 0,
    pack text NOT NULL,
    user_id text NOT NULL,
    hash text NOT NULL,
    saved_at timestamptz NOT NULL,
    CONSTRAINT password_hashes_pkey PRIMARY KEY (tenant_id, pack, user_id)
);

REVOKE ALL ON public.password_hashes FROM PUBLIC;

COMMENT ON TABLE public.password_hashes IS 'Password hashes that were imported on request; GRANT SELECT to the app that logs users in, and to nobody else.';
COMMENT ON COLUMN public.password_hashes.user_id IS 'The id in the pack''s users table, as text.';
COMMENT ON COLUMN public.password_hashes.saved_at IS 'When the record was so; the later one stays.';
