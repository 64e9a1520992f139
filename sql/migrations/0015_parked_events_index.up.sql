-- Why: who waits for the commit of an event that was there already is told that it is parked, which is looked up by the
-- event.
CREATE INDEX parked_event_id_event_at_idx
    ON projections.parked (event_id, event_at);
