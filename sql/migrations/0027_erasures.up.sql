-- Why: users are erased on request, and what was erased stays so when a month or a backup comes back. While an erasure is
-- queued or runs it holds the user's id; when it is done, only a salted hash of it, by which rows of the user are found
-- again. Locks: none but on what it makes.
CREATE TABLE public.erasure_salt (
    is_only boolean NOT NULL DEFAULT true,
    salt bytea NOT NULL,
    CONSTRAINT erasure_salt_pkey PRIMARY KEY (is_only),
    CONSTRAINT erasure_salt_is_only_check CHECK (is_only)
);

-- 244 random bits.
INSERT INTO public.erasure_salt (salt)
VALUES (sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));

CREATE TABLE public.erasures (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    tenant_id integer NOT NULL DEFAULT 0,
    user_id uuid,
    external_id text,
    pack text,
    user_hash bytea,
    state text NOT NULL DEFAULT 'queued',
    source text NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at timestamptz,
    tables_at timestamptz,
    done_at timestamptz,
    leaves_done text[] NOT NULL DEFAULT '{}',
    counts jsonb NOT NULL DEFAULT '{}',
    error text,
    CONSTRAINT erasures_pkey PRIMARY KEY (id),
    CONSTRAINT erasures_state_check CHECK (state IN ('queued', 'running', 'spools', 'done')),
    CONSTRAINT erasures_source_check CHECK (source IN ('command', 'api', 'trigger', 'replay')),
    CONSTRAINT erasures_user_check CHECK (
        CASE state
            WHEN 'queued' THEN user_id IS NOT NULL OR external_id IS NOT NULL
            WHEN 'done' THEN user_id IS NULL AND external_id IS NULL AND user_hash IS NOT NULL
            ELSE user_id IS NOT NULL AND user_hash IS NOT NULL
        END
    )
);

CREATE INDEX erasures_open_idx
    ON public.erasures (requested_at)
    WHERE state <> 'done';

CREATE INDEX erasures_user_hash_idx ON public.erasures (user_hash);

-- Keys of rows that went with a user, and of messages that went with those: events of them are found by these.
CREATE TABLE public.erasure_keys (
    tenant_id integer NOT NULL,
    erasure_id uuid NOT NULL,
    fold text NOT NULL,
    key_hash bytea NOT NULL,
    key text,
    CONSTRAINT erasure_keys_pkey PRIMARY KEY (erasure_id, fold, key_hash)
);

CREATE INDEX erasure_keys_key_hash_idx ON public.erasure_keys (key_hash);

-- What each daemon's spool has to do for an erasure, which only that daemon does.
CREATE TABLE public.erasure_spools (
    erasure_id uuid NOT NULL,
    spool_id uuid NOT NULL,
    state text NOT NULL DEFAULT 'asked',
    lines bigint NOT NULL DEFAULT 0,
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    done_at timestamptz,
    CONSTRAINT erasure_spools_pkey PRIMARY KEY (erasure_id, spool_id),
    CONSTRAINT erasure_spools_state_check CHECK (state IN ('asked', 'settled', 'tables', 'done'))
);

-- Rows that batches brought and that were erased since, so that ledger and tables can be compared.
CREATE TABLE public.erased_rows (
    batch_id bigint NOT NULL,
    conversations bigint NOT NULL,
    CONSTRAINT erased_rows_pkey PRIMARY KEY (batch_id)
);

-- Sketches that still count an erased user: their buckets are to be made anew from the rows.
CREATE TABLE public.erasure_sketches (
    version_id integer NOT NULL,
    fold text NOT NULL,
    tenant_id integer NOT NULL,
    bucket timestamptz NOT NULL,
    CONSTRAINT erasure_sketches_pkey PRIMARY KEY (version_id, fold, tenant_id, bucket)
);

COMMENT ON TABLE public.erasure_salt IS 'One row: what the hashes of erased users'' ids are salted with.';
COMMENT ON TABLE public.erasures IS 'Erasures of users; one that is done holds a hash in the place of the id.';
COMMENT ON COLUMN public.erasures.pack IS 'Which pack alone knows the user by external_id; NULL: all.';
COMMENT ON COLUMN public.erasures.user_hash IS 'SHA-256 of the salt, the tenant (4 bytes, big endian) and the id (16 bytes).';
COMMENT ON COLUMN public.erasures.state IS 'queued; running: in the tables; spools: daemons have still to do their part; done.';
COMMENT ON COLUMN public.erasures.tables_at IS 'When the tables were gone through last.';
COMMENT ON COLUMN public.erasures.leaves_done IS 'Months'' tables that this run has gone through.';
COMMENT ON TABLE public.erasure_keys IS 'Keys of the packs'' rows that went with erased users; once done, only their hashes.';
COMMENT ON COLUMN public.erasure_keys.key_hash IS 'SHA-256 of the salt, the tenant (4 bytes), the fold, a space and the key as text.';
COMMENT ON TABLE public.erasure_spools IS 'What the daemons'' spools have to do for erasures.';
COMMENT ON COLUMN public.erasure_spools.state IS 'asked; settled: what it held then is in the tables; tables: these were gone through since; done: its files too.';
COMMENT ON TABLE public.erased_rows IS 'How many rows of batches were erased.';
COMMENT ON TABLE public.erasure_sketches IS 'Buckets of sketches that are to be made anew after an erasure.';

-- Deletions in the users tables of packs queue an erasure, and a user who is saved again is no longer queued. The engine
-- rewrites rows and says so by millrace.slot: a row that it removes is no user who went.
CREATE FUNCTION public.queue_user_erasures()
    RETURNS trigger
    LANGUAGE plpgsql
    SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    is_engine CONSTANT boolean := coalesce(current_setting('millrace.slot', true), '') <> '';
    -- Of the table PACK_users.
    own_pack CONSTANT text := regexp_replace(TG_TABLE_NAME, '_users$', '');
BEGIN
    IF TG_TABLE_SCHEMA <> 'projections' OR TG_OP = 'DELETE' AND is_engine THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'DELETE' THEN
        INSERT INTO public.erasures (tenant_id, external_id, pack, source)
        SELECT tenant_id, id::text, own_pack, 'trigger'
        FROM changed
        WHERE deleted_at IS NULL
        ORDER BY tenant_id, id;
        RETURN NULL;
    END IF;
    INSERT INTO public.erasures (tenant_id, external_id, pack, source)
    SELECT tenant_id, id::text, own_pack, 'trigger'
    FROM changed
    WHERE deleted_at IS NOT NULL
        AND NOT EXISTS (
            SELECT
            FROM public.erasures AS known
            WHERE known.state = 'queued'
                AND known.source = 'trigger'
                AND known.pack = own_pack
                AND known.tenant_id = changed.tenant_id
                AND known.external_id = changed.id::text
        )
    ORDER BY tenant_id, id;
    DELETE FROM public.erasures AS queued
    USING changed
    WHERE queued.state = 'queued'
        AND queued.source = 'trigger'
        AND queued.pack = own_pack
        AND changed.deleted_at IS NULL
        AND queued.tenant_id = changed.tenant_id
        AND queued.external_id = changed.id::text;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION public.queue_user_erasures() IS 'Queues the erasure of users whom a pack deletes.';

-- They hold ids and are for the daemon and its commands alone.
REVOKE ALL ON public.erasure_salt, public.erasures, public.erasure_keys, public.erasure_spools, public.erased_rows,
    public.erasure_sketches FROM PUBLIC;

DO $grants$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY '{erasure_salt,erasures,erasure_keys,erasure_spools,erased_rows,erasure_sketches}'::text[] LOOP
        IF to_regrole('millrace_reader') IS NOT NULL THEN
            EXECUTE format('REVOKE ALL ON public.%I FROM millrace_reader', name);
        END IF;
        IF to_regrole('millrace_admin') IS NOT NULL THEN
            EXECUTE format('REVOKE ALL ON public.%I FROM millrace_admin', name);
        END IF;
        IF to_regrole('millrace_writer') IS NOT NULL THEN
            IF (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = format('public.%I', name)::regclass)
                = 'millrace_owner'
            THEN
                EXECUTE format('ALTER TABLE public.%I OWNER TO millrace_writer', name);
            ELSE
                EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON public.%I TO millrace_writer', name);
            END IF;
        END IF;
    END LOOP;
END
$grants$;
