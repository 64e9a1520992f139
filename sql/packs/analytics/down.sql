-- Why: undoes up.sql.
DROP TABLE analytics_active_users;
DROP TABLE analytics_events_by_hour;
