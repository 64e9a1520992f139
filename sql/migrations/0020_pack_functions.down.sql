-- Why: undoes 0020; checkouts and deleted users of the pack commerce want it.
DROP TABLE public.user_erasures;

DROP FUNCTION projections.hold_versions();
