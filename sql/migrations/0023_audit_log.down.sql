-- Why: undoes 0023.
DROP FUNCTION public.purge_audit_log(interval);
DROP TABLE public.audit_log;
DROP FUNCTION public.refuse_audit_change();
