-- Why: a batch is here if and only if its rows are, because both are written in one transaction. What a restart has to
-- send again are the holes in it.
CREATE TABLE public.ingest_spools (
    spool_id uuid NOT NULL,
    host text NOT NULL,
    version text NOT NULL,
    first_started_at timestamptz NOT NULL DEFAULT now(),
    last_started_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT ingest_spools_pkey PRIMARY KEY (spool_id)
);

CREATE TABLE public.ingest_batches (
    spool_id uuid NOT NULL,
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    batch_id bigint NOT NULL,
    rows integer NOT NULL,
    duplicates integer NOT NULL,
    dead integer NOT NULL,
    refused integer NOT NULL DEFAULT 0,
    skipped bigint NOT NULL DEFAULT 0,
    conversation_rows integer NOT NULL DEFAULT 0,
    conversation_duplicates integer NOT NULL DEFAULT 0,
    conversation_dead integer NOT NULL DEFAULT 0,
    committed_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT ingest_batches_pkey PRIMARY KEY (spool_id, first_seq),
    CONSTRAINT ingest_batches_sequences_check CHECK (first_seq <= last_seq),
    CONSTRAINT ingest_batches_counts_check CHECK (
        rows >= 0 AND duplicates >= 0 AND dead >= 0 AND refused >= 0 AND skipped >= 0
        AND conversation_rows BETWEEN 0 AND rows
        AND conversation_duplicates BETWEEN 0 AND duplicates
        AND conversation_dead BETWEEN 0 AND dead
    ),
    CONSTRAINT ingest_batches_conservation_check CHECK (
        rows::bigint + duplicates + dead + refused + skipped = last_seq - first_seq + 1
    )
);

CREATE INDEX ingest_batches_batch_id_idx
    ON public.ingest_batches (batch_id);

COMMENT ON TABLE public.ingest_spools IS 'The daemons'' spools that have written here.';
COMMENT ON TABLE public.ingest_batches IS 'The ledger: every batch that was committed, and what became of its sequences.';
COMMENT ON COLUMN public.ingest_batches.first_seq IS 'Of the spool, inclusive.';
COMMENT ON COLUMN public.ingest_batches.last_seq IS 'Of the spool, inclusive.';
COMMENT ON COLUMN public.ingest_batches.rows IS 'Rows that went in, events and conversations together.';
COMMENT ON COLUMN public.ingest_batches.skipped IS 'Sequences that no line has: given out to a group that a crash or the disk cut off.';
COMMENT ON COLUMN public.ingest_batches.conversation_rows IS 'The part of rows that is conversations.';
