-- Why: an event that wants a unique value which another entity has waits for it, and goes in when it is free; one whose
-- entity is known is made good by the entity's next row. Both are found by the entity.
ALTER TABLE projections.parked
    ADD COLUMN entity bytea;

CREATE INDEX parked_waiting_idx
    ON projections.parked (version_id, fold, entity)
    WHERE code = 'waiting';

CREATE INDEX parked_entity_idx
    ON projections.parked (version_id, fold, entity)
    WHERE code <> 'waiting' AND entity IS NOT NULL;

COMMENT ON COLUMN projections.parked.entity IS 'Which row of an entity''s table: 128 bits of a hash of its key. NULL where there is no such row.';
COMMENT ON COLUMN projections.parked.code IS 'Why: waiting (for a value that another entity has; goes in by itself), or database, missing_key and so on, which stay.';
