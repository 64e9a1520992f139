-- Why: projections live apart from the rows they are folded from; packs make their tables here.
CREATE SCHEMA projections;

COMMENT ON SCHEMA projections IS 'What dashboards read: folded from the events in the same transaction.';
