-- Why: an event with an id but without any time has no stable place in the months, so its id is remembered here for
-- `dedup.window`. Only such events pay for it.
CREATE TABLE public.event_ids (
    id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT event_ids_pkey PRIMARY KEY (id)
);

CREATE INDEX event_ids_seen_at_idx
    ON public.event_ids (seen_at);

COMMENT ON TABLE public.event_ids IS 'Ids of events that came without a time, kept for dedup.window.';
COMMENT ON COLUMN public.event_ids.created_at IS 'The time the event was given.';
