-- Why: the ledger ends. Settled neighbours become one row, so that it does not keep a row a batch for ever. Batch ids of
-- several spools interleave and a row of an event does not name its spool; so joined rows share a span: a range of batch
-- ids that no other span overlaps. An event of batch b belongs to the plain row of b, else to the span that b falls in.
ALTER TABLE public.ingest_batches
    ADD COLUMN last_batch_id bigint,
    ADD COLUMN batches bigint NOT NULL DEFAULT 1,
    ADD CONSTRAINT ingest_batches_joined_check CHECK (
        (last_batch_id IS NULL AND batches = 1)
        OR (last_batch_id IS NOT NULL AND last_batch_id > batch_id AND batches > 1)
    );

-- The spans; few, since a plain row is not in it.
CREATE INDEX ingest_batches_joined_idx
    ON public.ingest_batches (batch_id)
    WHERE last_batch_id IS NOT NULL;

COMMENT ON TABLE public.ingest_batches IS 'The ledger: every batch that was committed, and what became of its sequences; settled neighbours of a spool are joined into one row.';
COMMENT ON COLUMN public.ingest_batches.batch_id IS 'Of the batch; of a joined row the first id of its span.';
COMMENT ON COLUMN public.ingest_batches.last_batch_id IS 'Of a joined row the last id of its span, inclusive; joined rows of one span have the same folded. NULL: a batch of its own.';
COMMENT ON COLUMN public.ingest_batches.batches IS 'How many batches the row stands for.';
COMMENT ON COLUMN public.ingest_batches.committed_at IS 'When; of a joined row, its last batch.';
