-- Why: undoes up.sql.
DROP VIEW workspaces_with_messages;
DROP VIEW workspaces_urgent;
DROP VIEW workspaces_user_status_counts;
DROP VIEW workspaces_status_counts;
DROP TABLE workspaces_signatures;
DROP TABLE workspaces_templates;
DROP TABLE workspaces_messages;
DROP TABLE workspaces_workspaces_by_user;
DROP TABLE workspaces_workspaces_by_status;
DROP TABLE workspaces_workspaces;
DROP TABLE workspaces_users;
DROP TYPE workspaces_message_role;
DROP TYPE workspaces_priority;
DROP TYPE workspaces_status;
