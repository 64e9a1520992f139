-- Why: a sender who waits for the commit is told which constraint refused its event, as a database would tell it; and who
-- looks for parked events that a new definition lets in looks for them by that name.
ALTER TABLE projections.parked
    ADD COLUMN constraint_name text;

COMMENT ON COLUMN projections.parked.constraint_name IS 'The constraint or unique index that refused the row, where PostgreSQL named one.';
