-- Why: a line that a rule sets aside was acknowledged, so its letter is never dropped for the bounds of [dead_letters], as
-- those of refused lines are.
-- Locks: ACCESS EXCLUSIVE on dead_letters for an instant; a column with a constant default rewrites no row.
ALTER TABLE public.dead_letters
    ADD COLUMN quarantined boolean NOT NULL DEFAULT false;

COMMENT ON COLUMN public.dead_letters.quarantined IS 'A rule set the line aside; its sender was told that it is accepted.';

-- As all columns of a letter but the line.
DO $grants$
BEGIN
    IF to_regrole('millrace_reader') IS NOT NULL THEN
        GRANT SELECT (quarantined) ON public.dead_letters TO millrace_reader;
    END IF;
END
$grants$;
