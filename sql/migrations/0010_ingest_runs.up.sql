-- Why: each run of a daemon numbers its lines from a fresh sequence, so that no copy of a spool gives one out twice. Between
-- two runs there are no lines; within one every hole is a line that is missing, and this is how verify tells them apart.
CREATE TABLE public.ingest_runs (
    spool_id uuid NOT NULL,
    first_seq bigint NOT NULL,
    host text NOT NULL,
    version text NOT NULL,
    started_at timestamptz,
    CONSTRAINT ingest_runs_pkey PRIMARY KEY (spool_id, first_seq)
);

COMMENT ON TABLE public.ingest_runs IS 'Where the runs of the daemons begin that have reached this database.';
COMMENT ON COLUMN public.ingest_runs.first_seq IS 'The first sequence that the run gives out.';
COMMENT ON COLUMN public.ingest_runs.host IS 'Of the daemon that told: the run''s own, or a later one.';
COMMENT ON COLUMN public.ingest_runs.started_at IS 'When the run reached the database first; NULL when a later one told of it.';

-- Before, a spool's runs went on from one another, from sequence 1 on.
INSERT INTO public.ingest_runs (spool_id, first_seq, host, version, started_at)
SELECT spool_id, 1, host, version, first_started_at
FROM public.ingest_spools;
