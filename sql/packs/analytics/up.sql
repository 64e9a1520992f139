-- Why: how many events of each type an hour had, and how many users a day. The engine sets search_path to the schema of
-- the version that is made, so tables are named without one.
CREATE TABLE analytics_events_by_hour (
    tenant_id integer NOT NULL DEFAULT 0,
    event_type text NOT NULL,
    bucket timestamptz NOT NULL,
    slot smallint NOT NULL,
    n bigint NOT NULL,
    CONSTRAINT analytics_events_by_hour_pkey PRIMARY KEY (tenant_id, bucket, event_type, slot)
) WITH (fillfactor = 70);

CREATE TABLE analytics_active_users (
    tenant_id integer NOT NULL DEFAULT 0,
    bucket timestamptz NOT NULL,
    slot smallint NOT NULL,
    sketch bytea NOT NULL,
    CONSTRAINT analytics_active_users_pkey PRIMARY KEY (tenant_id, bucket, slot)
) WITH (fillfactor = 70);

-- A sketch doesn't compress; trying costs more than its bytes.
ALTER TABLE analytics_active_users
    ALTER COLUMN sketch SET STORAGE EXTERNAL;
