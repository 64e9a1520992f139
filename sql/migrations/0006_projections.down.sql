-- Why: undoes 0006; refuses while a pack's tables are there, which its own down removes.
DROP SCHEMA projections;
