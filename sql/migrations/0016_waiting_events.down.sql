-- Why: undoes 0016. What waits stays parked until the pack is rebuilt.
COMMENT ON COLUMN projections.parked.code IS NULL;

ALTER TABLE projections.parked
    DROP COLUMN entity;
