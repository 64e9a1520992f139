-- Why: an older Millrace that is put back for a while has to know whether it may write into these tables. A migration after
-- which that is no longer so replaces the function, with its own number.
-- Locks: none.
CREATE FUNCTION public.millrace_compatible_from()
    RETURNS integer
    LANGUAGE sql
    IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$ SELECT 25 $$;

COMMENT ON FUNCTION public.millrace_compatible_from() IS 'How many migrations a Millrace has to know to write into these tables.';
