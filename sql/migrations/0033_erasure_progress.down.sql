-- Why: undoes 0033.
DROP INDEX public.erasure_keys_key_idx;

ALTER TABLE public.erasures
    DROP COLUMN pass_at;

ALTER TABLE public.erasure_spools
    DROP COLUMN position;

COMMENT ON COLUMN public.erasures.leaves_done IS 'Months'' tables that this run has gone through.';
