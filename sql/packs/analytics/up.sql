-- Why: how many events of each type an hour had, how many users a day and a month, and which types lead. The engine sets
-- search_path to the schema of the version that is made, so tables are named without one.
CREATE TABLE analytics_events_by_hour (
    tenant_id integer NOT NULL DEFAULT 0,
    event_type text NOT NULL,
    bucket timestamptz NOT NULL,
    slot smallint NOT NULL,
    n bigint NOT NULL,
    CONSTRAINT analytics_events_by_hour_pkey PRIMARY KEY (tenant_id, bucket, event_type, slot)
) WITH (fillfactor = 70);

-- One type over a long time, without the others of each hour.
CREATE INDEX analytics_events_by_hour_event_type_bucket_idx
    ON analytics_events_by_hour (tenant_id, event_type, bucket);

-- For analytics_daily, by days.
CREATE INDEX analytics_events_by_hour_day_idx
    ON analytics_events_by_hour (tenant_id, (date_trunc('day', bucket AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'));

-- A batch changes a few registers of a sketch, so it is kept in 64 rows, and each page has room for all its rows twice: then
-- no index entry is written, and what was before goes at the next touch.
CREATE TABLE analytics_active_users (
    tenant_id integer NOT NULL DEFAULT 0,
    bucket timestamptz NOT NULL,
    slot smallint NOT NULL,
    chunk smallint NOT NULL,
    sketch bytea NOT NULL,
    CONSTRAINT analytics_active_users_pkey PRIMARY KEY (tenant_id, bucket, slot, chunk)
) WITH (fillfactor = 50);

CREATE TABLE analytics_active_users_by_month (
    tenant_id integer NOT NULL DEFAULT 0,
    bucket timestamptz NOT NULL,
    slot smallint NOT NULL,
    chunk smallint NOT NULL,
    sketch bytea NOT NULL,
    CONSTRAINT analytics_active_users_by_month_pkey PRIMARY KEY (tenant_id, bucket, slot, chunk)
) WITH (fillfactor = 50);

CREATE TABLE analytics_top_types (
    tenant_id integer NOT NULL DEFAULT 0,
    bucket timestamptz NOT NULL,
    event_type text NOT NULL,
    n bigint NOT NULL,
    CONSTRAINT analytics_top_types_pkey PRIMARY KEY (tenant_id, bucket, event_type)
) WITH (fillfactor = 70);

CREATE INDEX analytics_top_types_n_idx
    ON analytics_top_types (tenant_id, bucket, n DESC, event_type);

-- What is read: the rows of the session's tenant (setting millrace.tenant, 0 without it).
CREATE VIEW analytics_hourly AS
SELECT
    tenant_id,
    bucket,
    event_type,
    sum(n)::bigint AS n
FROM analytics_events_by_hour
WHERE tenant_id = (SELECT public.millrace_tenant())
GROUP BY tenant_id, bucket, event_type;

CREATE VIEW analytics_daily AS
SELECT
    tenant_id,
    date_trunc('day', bucket AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' AS bucket,
    event_type,
    sum(n)::bigint AS n
FROM analytics_events_by_hour
WHERE tenant_id = (SELECT public.millrace_tenant())
GROUP BY tenant_id, date_trunc('day', bucket AT TIME ZONE 'UTC') AT TIME ZONE 'UTC', event_type;

-- A day without the type the day before has no percentage. Hours, not '1 day': days of the session's time zone may be longer.
CREATE VIEW analytics_trends AS
SELECT
    today.tenant_id,
    today.bucket,
    today.event_type,
    today.n,
    COALESCE(yesterday.n, 0) AS n_day_before,
    today.n - COALESCE(yesterday.n, 0) AS change,
    round(100.0 * (today.n - yesterday.n) / NULLIF(yesterday.n, 0), 1) AS change_percent
FROM analytics_daily AS today
CROSS JOIN LATERAL (
    SELECT sum(hour.n)::bigint AS n
    FROM analytics_events_by_hour AS hour
    WHERE hour.tenant_id = today.tenant_id
        AND hour.event_type = today.event_type
        AND hour.bucket >= today.bucket - interval '24 hours'
        AND hour.bucket < today.bucket
) AS yesterday;

COMMENT ON TABLE analytics_events_by_hour IS 'Events by type and hour (UTC of created_at); sum n over the slots, or read analytics_hourly.';
COMMENT ON TABLE analytics_active_users IS 'Distinct user_id of a day, as HyperLogLog sketches to be merged over slots and chunks.';
COMMENT ON TABLE analytics_active_users_by_month IS 'Distinct user_id of a month, as HyperLogLog sketches to be merged over slots and chunks.';
COMMENT ON TABLE analytics_top_types IS 'Event types of a month, ranked by their number.';
COMMENT ON VIEW analytics_hourly IS 'Events by hour and type.';
COMMENT ON VIEW analytics_daily IS 'Events by day (UTC) and type.';
COMMENT ON VIEW analytics_trends IS 'Events by day and type beside the day before.';
