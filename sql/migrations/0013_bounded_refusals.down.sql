-- Why: undoes 0013. What was dropped stays so, and counts as missing to an older `millrace verify`. What millrace_reader
-- may not see it is not given back.
DROP FUNCTION projections.restrict_reader();
ALTER TABLE public.ingest_batches
    DROP CONSTRAINT ingest_batches_dropped_check,
    DROP COLUMN dropped;
DROP INDEX public.dead_letters_refused_idx;
ALTER TABLE public.dead_letters
    DROP COLUMN peer;
