-- Why: undoes 0010: runs are not told apart.
DROP TABLE public.ingest_runs;
