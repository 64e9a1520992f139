-- Why: undoes 0027; what was erased stays erased, and nobody knows any more who was.
DROP FUNCTION public.queue_user_erasures() CASCADE;
DROP TABLE public.erasure_sketches;
DROP TABLE public.erased_rows;
DROP TABLE public.erasure_spools;
DROP TABLE public.erasure_keys;
DROP TABLE public.erasures;
DROP TABLE public.erasure_salt;
