-- Why: each pack has one live version of its tables, and perhaps one that is being built beside it. A batch is folded
-- into a version if and only if its ledger row says so, written in the transaction that folds it.
CREATE TABLE projections.versions (
    id integer GENERATED ALWAYS AS IDENTITY,
    pack text NOT NULL,
    version integer NOT NULL,
    definition_hash text NOT NULL,
    schema_name text NOT NULL,
    state text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    built_at timestamptz,
    batches_total bigint NOT NULL DEFAULT 0,
    batches_done bigint NOT NULL DEFAULT 0,
    objects text[] NOT NULL DEFAULT '{}',
    CONSTRAINT versions_pkey PRIMARY KEY (id),
    CONSTRAINT versions_state_check CHECK (state IN ('live', 'building')),
    CONSTRAINT versions_pack_state_key UNIQUE (pack, state)
);

CREATE TABLE projections.parked (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    version_id integer NOT NULL,
    pack text NOT NULL,
    fold text NOT NULL,
    key text NOT NULL,
    code text NOT NULL,
    sqlstate text,
    message text NOT NULL,
    event_at timestamptz NOT NULL,
    event_id uuid NOT NULL,
    batch_id bigint NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT parked_pkey PRIMARY KEY (id)
);

CREATE INDEX parked_version_id_parked_at_idx
    ON projections.parked (version_id, parked_at);

ALTER TABLE public.ingest_batches
    ADD COLUMN folded integer[] NOT NULL DEFAULT '{}';

-- A batch's rows lie together, so a few bytes per stretch of pages find them.
CREATE INDEX analytics_events_batch_id_idx
    ON public.analytics_events
    USING brin (batch_id) WITH (pages_per_range = 32);

CREATE INDEX conversations_batch_id_idx
    ON public.conversations
    USING brin (batch_id) WITH (pages_per_range = 32);

COMMENT ON TABLE projections.versions IS 'Versions of the packs'' tables: the live one, and the one being built.';
COMMENT ON COLUMN projections.versions.definition_hash IS 'SHA-256 of pack.toml, up.sql and down.sql.';
COMMENT ON COLUMN projections.versions.batches_total IS 'Of a version being built: batches that were there when it began.';
COMMENT ON COLUMN projections.versions.objects IS 'What its up.sql made, as kind and name: live versions of all packs share a schema.';
COMMENT ON TABLE projections.parked IS 'Events whose row a projection''s table refused; the event itself is stored.';
COMMENT ON COLUMN public.ingest_batches.folded IS 'The versions (projections.versions.id) that hold what the batch''s rows add.';
