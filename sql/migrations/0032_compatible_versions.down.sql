-- Why: undoes 0032.
DROP FUNCTION public.millrace_compatible_from();
