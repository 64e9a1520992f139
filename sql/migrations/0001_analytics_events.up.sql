-- Why: the events, by month of created_at (UTC), so that old months leave without a DELETE.
-- The key starts with the time: random ids first would put each insert on a random page. The months, and the GIN index
-- on each month's payload, are made by the daemon as `partitions.payload_index` says.
CREATE TABLE public.analytics_events (
    id uuid NOT NULL,
    tenant_id integer NOT NULL DEFAULT 0,
    event_type text NOT NULL,
    user_id uuid,
    payload jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    batch_id bigint NOT NULL,
    CONSTRAINT analytics_events_pkey PRIMARY KEY (created_at, id)
) PARTITION BY RANGE (created_at);

CREATE INDEX analytics_events_event_type_created_at_idx
    ON public.analytics_events (event_type, created_at DESC);

CREATE INDEX analytics_events_user_id_created_at_idx
    ON public.analytics_events (user_id, created_at DESC)
    WHERE user_id IS NOT NULL;

COMMENT ON TABLE public.analytics_events IS 'Events, partitioned by month (UTC) of created_at.';
COMMENT ON COLUMN public.analytics_events.created_at IS 'When it happened, as the client says; else when it was received.';
COMMENT ON COLUMN public.analytics_events.received_at IS 'When the daemon received it.';
COMMENT ON COLUMN public.analytics_events.batch_id IS 'The row of ingest_batches it was committed with.';
