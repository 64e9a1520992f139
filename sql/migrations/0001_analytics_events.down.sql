-- Why: undoes 0001; the months go with their parent, and every event with them.
DROP TABLE public.analytics_events;
