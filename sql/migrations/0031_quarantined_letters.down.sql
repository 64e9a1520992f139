-- Why: undoes 0031. Letters of quarantined lines count as those of refused ones then.
ALTER TABLE public.dead_letters
    DROP COLUMN quarantined;
