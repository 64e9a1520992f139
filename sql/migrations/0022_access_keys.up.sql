-- Why: an app on another host says who it is by a key, and the key says whose rows it writes and reads. Only new tables: no lock
-- that anybody waits for.
CREATE TABLE public.tenants (
    id integer NOT NULL,
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL DEFAULT CURRENT_USER,
    CONSTRAINT tenants_pkey PRIMARY KEY (id),
    CONSTRAINT tenants_name_key UNIQUE (name),
    CONSTRAINT tenants_id_check CHECK (id >= 0),
    CONSTRAINT tenants_name_check CHECK (name ~ '^[^[:cntrl:]]{1,100}$' AND name = btrim(name))
);

INSERT INTO public.tenants (id, name)
VALUES (0, 'default');

CREATE TABLE public.access_keys (
    id text NOT NULL,
    name text NOT NULL,
    tenant_id integer NOT NULL DEFAULT 0,
    scopes text[] NOT NULL,
    secret_hash bytea NOT NULL,
    event_types text[] NOT NULL DEFAULT '{}',
    events_per_second integer,
    events_burst integer,
    bytes_per_second bigint,
    bytes_burst bigint,
    expires_at timestamptz,
    revoked_at timestamptz,
    origins text[] NOT NULL DEFAULT '{}',
    client_subject text,
    replaces text,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL DEFAULT CURRENT_USER,
    CONSTRAINT access_keys_pkey PRIMARY KEY (id),
    CONSTRAINT access_keys_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants (id),
    CONSTRAINT access_keys_id_check CHECK (id ~ '^[0-9a-z]{12}$'),
    CONSTRAINT access_keys_name_check CHECK (name ~ '^[^[:cntrl:]]{0,200}$'),
    CONSTRAINT access_keys_scopes_check CHECK (scopes <@ ARRAY['write', 'read', 'admin'] AND cardinality(scopes) > 0),
    CONSTRAINT access_keys_secret_hash_check CHECK (octet_length(secret_hash) = 32),
    CONSTRAINT access_keys_rates_check CHECK (
        coalesce(events_per_second, 1) > 0
        AND coalesce(events_burst, 1) > 0
        AND coalesce(bytes_per_second, 1) > 0
        AND coalesce(bytes_burst, 1) > 0
    ),
    CONSTRAINT access_keys_times_check CHECK (
        isfinite(coalesce(expires_at, created_at)) AND isfinite(coalesce(revoked_at, created_at))
    )
);

COMMENT ON TABLE public.tenants IS 'Whose rows there are; tenant_id of every table is an id of here. Made by `millrace tenants create`.';
COMMENT ON TABLE public.access_keys IS 'Keys of clients, made by `millrace keys create`. A secret is kept only as its SHA-256: 256 random bits can''t be guessed.';
COMMENT ON COLUMN public.access_keys.event_types IS 'What it may send: whole event types, or prefix.*; empty: all.';
COMMENT ON COLUMN public.access_keys.events_burst IS 'What may come at once after a quiet time; NULL: events_per_second.';
COMMENT ON COLUMN public.access_keys.revoked_at IS 'It opens nothing from then on; in the future while a rotated key still lives.';
COMMENT ON COLUMN public.access_keys.replaces IS 'The key that `millrace keys rotate` made this one for.';

-- Which state of access_keys this is: drawn anew by each change, so that a daemon reads the keys again only then. No count,
-- since a restored database could come to the same one by other changes.
CREATE TABLE public.access_keys_state (
    is_only boolean NOT NULL DEFAULT true,
    state uuid NOT NULL DEFAULT gen_random_uuid(),
    CONSTRAINT access_keys_state_pkey PRIMARY KEY (is_only),
    CONSTRAINT access_keys_state_is_only_check CHECK (is_only)
);

COMMENT ON TABLE public.access_keys_state IS 'One row: drawn anew by each change of access_keys.';

INSERT INTO public.access_keys_state DEFAULT VALUES;

-- SECURITY DEFINER: whoever may change keys need not know of the other table.
CREATE FUNCTION public.access_keys_changed()
    RETURNS trigger
    LANGUAGE plpgsql
    SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE public.access_keys_state SET state = gen_random_uuid();
    RETURN NULL;
END
$$;

CREATE TRIGGER access_keys_changed
    AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON public.access_keys
    FOR EACH STATEMENT
    EXECUTE FUNCTION public.access_keys_changed();

REVOKE ALL ON public.tenants, public.access_keys, public.access_keys_state FROM PUBLIC;
REVOKE ALL ON FUNCTION public.access_keys_changed() FROM PUBLIC;

-- sql/roles.sql lets it read each new table.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'millrace_reader') THEN
        REVOKE ALL ON public.access_keys, public.access_keys_state FROM millrace_reader;
    END IF;
END
$$;
