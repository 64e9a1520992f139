-- Why: a daemon that comes back to a database of the same name must see whether it is the same database. Its OID tells on one
-- server, this id tells across servers.
CREATE TABLE public.millrace_database (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    is_only boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT millrace_database_pkey PRIMARY KEY (is_only),
    CONSTRAINT millrace_database_is_only_check CHECK (is_only)
);

COMMENT ON TABLE public.millrace_database IS 'One row: which database this is.';

INSERT INTO public.millrace_database DEFAULT VALUES;
