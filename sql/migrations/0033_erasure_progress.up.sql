-- Why: an erasure that a daemon, a command or PostgreSQL leaves half done goes on exactly: where each spool ended when it was
-- asked outlives its daemon, since lines that come later are not erased, and a pass that did not end is known as one.
-- Locks: erasures and erasure_spools, for an instant.
ALTER TABLE public.erasure_spools
    ADD COLUMN position bigint;

ALTER TABLE public.erasures
    ADD COLUMN pass_at timestamptz;

CREATE INDEX erasure_keys_key_idx
    ON public.erasure_keys (tenant_id)
    WHERE key IS NOT NULL;

COMMENT ON COLUMN public.erasure_spools.position IS 'The sequence after the last durable line when the daemon saw that it was asked; what follows is not erased.';
COMMENT ON COLUMN public.erasures.pass_at IS 'When a pass through the tables began that has not ended; NULL: none.';
COMMENT ON COLUMN public.erasures.leaves_done IS 'Months'' tables that this pass has gone through since a spool was settled last.';
