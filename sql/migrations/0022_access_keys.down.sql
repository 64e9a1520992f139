-- Why: undoes 0022.
DROP TABLE public.access_keys_state;
DROP TABLE public.access_keys;
DROP FUNCTION public.access_keys_changed();
DROP TABLE public.tenants;
