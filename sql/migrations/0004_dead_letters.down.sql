-- Why: undoes 0004; the lines kept in it are lost.
DROP TABLE public.dead_letters;
