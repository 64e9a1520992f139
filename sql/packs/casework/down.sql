-- Why: undoes up.sql.
DROP VIEW casework_conversation_counts;
DROP VIEW casework_document_counts;
DROP VIEW casework_beneficiary_counts;
DROP VIEW casework_user_counts;
DROP TABLE casework_conversations_by_status;
DROP TABLE casework_conversations;
DROP TABLE casework_documents_by_status;
DROP TABLE casework_documents;
DROP TABLE casework_beneficiaries_by_status;
DROP TABLE casework_beneficiaries;
DROP TABLE casework_users_by_status;
DROP TABLE casework_users;
DROP TYPE casework_conversation_status;
DROP TYPE casework_document_status;
DROP TYPE casework_beneficiary_status;
DROP TYPE casework_user_status;
