-- Why: months end. They are retired, archived, dropped and restored in steps, of which each survives a crash: here stands how
-- far a month is. A month that is just live has no row. Locks: none but on what it makes.
CREATE TABLE public.partition_months (
    table_name text NOT NULL,
    month date NOT NULL,
    relation text NOT NULL,
    state text NOT NULL DEFAULT 'live',
    goal text NOT NULL DEFAULT 'live',
    is_automatic boolean NOT NULL DEFAULT false,
    rows bigint,
    row_hash text,
    location text,
    archive_host text,
    archive_bytes bigint,
    manifest_sha256 text,
    closed_at timestamptz,
    archived_at timestamptz,
    changed_at timestamptz NOT NULL DEFAULT now(),
    error text,
    CONSTRAINT partition_months_pkey PRIMARY KEY (table_name, month),
    CONSTRAINT partition_months_relation_key UNIQUE (relation),
    CONSTRAINT partition_months_month_check CHECK (month = date_trunc('month', month::timestamp)::date),
    CONSTRAINT partition_months_state_check CHECK (
        state IN (
            'live', 'sealing', 'detaching', 'detached', 'archived', 'verified', 'dropped', 'restoring', 'attaching',
            'restored'
        )
    ),
    CONSTRAINT partition_months_goal_check CHECK (goal IN ('live', 'detached', 'verified', 'dropped', 'restored'))
);

COMMENT ON TABLE public.partition_months IS 'Months that are closed, or on their way out of their table and back; who is not in it is live.';
COMMENT ON COLUMN public.partition_months.relation IS 'The month''s table, in schema public, whether it is there or not.';
COMMENT ON COLUMN public.partition_months.state IS 'How far it is; rows of a month go in only while it is live or sealing.';
COMMENT ON COLUMN public.partition_months.goal IS 'Where it is going.';
COMMENT ON COLUMN public.partition_months.is_automatic IS 'Begun by partitions.retain, and gone on with by the daemon.';
COMMENT ON COLUMN public.partition_months.row_hash IS 'Two sums of hashes over its rows, in no order.';
COMMENT ON COLUMN public.partition_months.location IS 'The directory of its archive, as the host names it that wrote it.';
COMMENT ON COLUMN public.partition_months.closed_at IS 'When it was vacuumed and frozen, after its end.';
COMMENT ON COLUMN public.partition_months.error IS 'Why the last try did not get further.';

-- How many rows of the ledger's batches were in months whose rows are gone, so that `millrace verify` still adds up. A batch
-- that was joined with others stands under the first of them.
CREATE TABLE public.partition_month_batches (
    table_name text NOT NULL,
    month date NOT NULL,
    batch_id bigint NOT NULL,
    rows bigint NOT NULL,
    CONSTRAINT partition_month_batches_pkey PRIMARY KEY (table_name, month, batch_id)
);

COMMENT ON TABLE public.partition_month_batches IS 'Rows of each batch in months that are retired.';

-- Where the roles are there already; sql/roles.sql does it where they come later.
DO $grants$
BEGIN
    IF to_regrole('millrace_writer') IS NOT NULL THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON public.partition_months, public.partition_month_batches TO millrace_writer;
    END IF;
    IF to_regrole('millrace_reader') IS NOT NULL THEN
        REVOKE ALL ON public.partition_months, public.partition_month_batches FROM millrace_reader;
    END IF;
END
$grants$;
