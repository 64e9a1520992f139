-- Why: undoes 0012. What was joined stays joined, since nobody knows its batches any more: an older `millrace verify`
-- then says that their rows are not in the ledger.
COMMENT ON COLUMN public.ingest_batches.committed_at IS NULL;
COMMENT ON COLUMN public.ingest_batches.batch_id IS NULL;
COMMENT ON TABLE public.ingest_batches IS 'The ledger: every batch that was committed, and what became of its sequences.';
DROP INDEX public.ingest_batches_joined_idx;
ALTER TABLE public.ingest_batches
    DROP CONSTRAINT ingest_batches_joined_check,
    DROP COLUMN batches,
    DROP COLUMN last_batch_id;
