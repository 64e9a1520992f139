-- Why: undoes 0021.
DROP TABLE public.password_hashes;
