-- Why: undoes 0005; events without a time that are sent again are then counted again.
DROP TABLE public.event_ids;
