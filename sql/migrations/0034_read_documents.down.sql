-- Why: undoes 0034.
DROP FUNCTION public.without_passwords(jsonb);

DROP FUNCTION public.prints_within(jsonb, bigint);
