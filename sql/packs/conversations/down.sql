-- Why: undoes up.sql.
DROP VIEW conversations_invitation_counts;
DROP VIEW conversations_ratings;
DROP VIEW conversations_daily_by_user;
DROP VIEW conversations_daily;
DROP TABLE conversations_top_users_by_month;
DROP TABLE conversations_top_users;
DROP TABLE conversations_invitations_by_status;
DROP TABLE conversations_invitations;
DROP TYPE conversations_invitation_status;
DROP TABLE conversations_feedback_by_rating;
DROP TABLE conversations_feedback;
DROP TABLE conversations_save_statuses;
DROP TABLE conversations_statuses;
DROP TABLE conversations_active_users;
DROP TABLE conversations_questions_by_user;
DROP TABLE conversations_questions_by_day;
