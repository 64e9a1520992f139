-- Why: as it was before 0024.
ALTER TABLE projections.parked
    DROP COLUMN tenant_id;

ALTER TABLE public.event_ids
    DROP COLUMN tenant_id;
