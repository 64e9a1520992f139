-- Why: what could not be written is kept with its reason, to be mended and sent again; nothing is dropped in silence.
-- The key is random: on Citus no sequence gives an order.
CREATE TABLE public.dead_letters (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    spool_id uuid NOT NULL,
    sequence bigint NOT NULL,
    lines integer NOT NULL DEFAULT 1,
    kind text NOT NULL,
    tenant_id integer NOT NULL DEFAULT 0,
    code text NOT NULL,
    sqlstate text,
    message text NOT NULL,
    line text,
    received_at timestamptz NOT NULL,
    dead_at timestamptz NOT NULL DEFAULT now(),
    batch_id bigint NOT NULL,
    state text NOT NULL DEFAULT 'open',
    resolved_at timestamptz,
    CONSTRAINT dead_letters_pkey PRIMARY KEY (id),
    CONSTRAINT dead_letters_spool_id_sequence_code_key UNIQUE (spool_id, sequence, code),
    CONSTRAINT dead_letters_kind_check CHECK (kind IN ('event', 'conversation', 'refused')),
    CONSTRAINT dead_letters_state_check CHECK (state IN ('open', 'retried', 'purged')),
    CONSTRAINT dead_letters_resolved_check CHECK ((state = 'open') = (resolved_at IS NULL))
);

CREATE INDEX dead_letters_dead_at_idx
    ON public.dead_letters (dead_at)
    WHERE state = 'open';

COMMENT ON TABLE public.dead_letters IS 'Lines that are not in the tables, each with its reason.';
COMMENT ON COLUMN public.dead_letters.lines IS 'How many it stands for: more than one when a damaged stretch of the spool lost several.';
COMMENT ON COLUMN public.dead_letters.code IS 'Why it was refused; database when PostgreSQL refused the row (sqlstate says how).';
COMMENT ON COLUMN public.dead_letters.line IS 'The line as it came; NULL after a purge.';
COMMENT ON COLUMN public.dead_letters.resolved_at IS 'When it was sent again (retried) or its line was removed (purged).';
