-- Why: undoes 0003. A daemon that still holds its spool would send all of it again: empty the spool too.
DROP TABLE public.ingest_batches;

DROP TABLE public.ingest_spools;
