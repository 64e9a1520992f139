-- Why: undoes up.sql.
DROP VIEW analytics_trends;
DROP VIEW analytics_daily;
DROP VIEW analytics_hourly;
DROP TABLE analytics_top_types;
DROP TABLE analytics_active_users_by_month;
DROP TABLE analytics_active_users;
DROP TABLE analytics_events_by_hour;
