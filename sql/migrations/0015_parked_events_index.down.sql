-- Why: undoes 0015.
DROP INDEX projections.parked_event_id_event_at_idx;
