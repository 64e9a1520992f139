-- Why: two tenants may use the same ids, so what names an event by its id names its tenant too.
-- Locks: ACCESS EXCLUSIVE on event_ids and projections.parked for an instant; a column with a constant default rewrites no
-- row. `millrace migrate up` gives up after half a second of waiting for them, and tries again.
ALTER TABLE public.event_ids
    ADD COLUMN tenant_id integer NOT NULL DEFAULT 0;

ALTER TABLE projections.parked
    ADD COLUMN tenant_id integer NOT NULL DEFAULT 0;

COMMENT ON COLUMN projections.parked.tenant_id IS 'Of the event.';
