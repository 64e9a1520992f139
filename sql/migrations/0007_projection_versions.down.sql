-- Why: undoes 0007; the packs' tables go with their schemas and by their own down.sql.
DROP INDEX public.conversations_batch_id_idx;
DROP INDEX public.analytics_events_batch_id_idx;
ALTER TABLE public.ingest_batches
    DROP COLUMN folded;
DROP TABLE projections.parked;
DROP TABLE projections.versions;
