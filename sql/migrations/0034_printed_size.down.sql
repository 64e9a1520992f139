-- Why: undoes 0034.
DROP FUNCTION public.prints_within(jsonb, bigint);
