-- Why: undoes 0011: a database has no id of its own.
DROP TABLE public.millrace_database;
