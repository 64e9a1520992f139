-- Why: an application that changes rows and wants an event of it writes both in one transaction: the event goes here, and
-- the daemon takes it from here to analytics_events, once, in order of (created_at, id), whatever is killed meanwhile.
-- The default is the clock, not the start of the transaction: of two changes of a row, the later one has the later time.
CREATE TABLE public.outbox (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    tenant_id integer NOT NULL DEFAULT 0,
    event_type text NOT NULL,
    user_id uuid,
    payload jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT outbox_pkey PRIMARY KEY (created_at, id)
);

-- A queue is short and changes all the time: what left it must not pile up in front of what is next.
ALTER TABLE public.outbox SET (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_analyze_scale_factor = 0,
    autovacuum_analyze_threshold = 50000
);

COMMENT ON TABLE public.outbox IS 'Events of applications'' own transactions, until they are in analytics_events.';
COMMENT ON COLUMN public.outbox.id IS 'The event''s id.';
COMMENT ON COLUMN public.outbox.created_at IS 'The event''s time.';
