-- Why: undoes 0014. Parked events keep their SQLSTATE and message.
ALTER TABLE projections.parked
    DROP COLUMN constraint_name;
