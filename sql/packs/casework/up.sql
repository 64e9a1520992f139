-- Why: users, whom they look after, and the documents and conversations of both. No foreign keys: rows come from events,
-- and an event may come before the one that makes its parent. Rows are deleted softly, so that an event that comes late
-- can't bring them back; columns may be NULL where deleted_at is set, because a tombstone that comes first knows the key only.
CREATE TYPE casework_user_status AS ENUM ('active', 'inactive');
CREATE TYPE casework_beneficiary_status AS ENUM ('active', 'closed');
CREATE TYPE casework_document_status AS ENUM ('draft', 'submitted', 'approved', 'rejected', 'archived');
CREATE TYPE casework_conversation_status AS ENUM ('open', 'closed');

CREATE TABLE casework_users (
    tenant_id integer NOT NULL DEFAULT 0,
    id bigint NOT NULL,
    email varchar(255),
    password varchar(255),
    first_name varchar(255),
    last_name varchar(255),
    status casework_user_status,
    created_at timestamptz,
    updated_at timestamptz,
    event_at timestamptz NOT NULL,
    event_id uuid NOT NULL,
    deleted_at timestamptz,
    CONSTRAINT casework_users_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT casework_users_email_check CHECK (deleted_at IS NOT NULL OR (email IS NOT NULL AND email LIKE '%_@_%')),
    CONSTRAINT casework_users_status_check CHECK (deleted_at IS NOT NULL OR status IS NOT NULL)
);

CREATE UNIQUE INDEX casework_users_email_key
    ON casework_users (tenant_id, email)
    WHERE deleted_at IS NULL;

CREATE INDEX casework_users_active_email_idx
    ON casework_users (tenant_id, email)
    WHERE status = 'active' AND deleted_at IS NULL;

CREATE INDEX casework_users_created_at_idx
    ON casework_users (tenant_id, created_at DESC, id DESC)
    WHERE deleted_at IS NULL;

CREATE INDEX casework_users_status_created_at_idx
    ON casework_users (tenant_id, status, created_at DESC, id DESC)
    WHERE deleted_at IS NULL;

CREATE TABLE casework_users_by_status (
    tenant_id integer NOT NULL DEFAULT 0,
    status casework_user_status NOT NULL,
    slot smallint NOT NULL,
    n bigint NOT NULL,
    CONSTRAINT casework_users_by_status_pkey PRIMARY KEY (tenant_id, status, slot)
) WITH (fillfactor = 70);

CREATE TABLE casework_beneficiaries (
    tenant_id integer NOT NULL DEFAULT 0,
    id bigint NOT NULL,
    user_id bigint,
    first_name varchar(255),
    last_name varchar(255),
    email varchar(255),
    status casework_beneficiary_status,
    created_at timestamptz,
    updated_at timestamptz,
    event_at timestamptz NOT NULL,
    event_id uuid NOT NULL,
    deleted_at timestamptz,
    CONSTRAINT casework_beneficiaries_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT casework_beneficiaries_user_id_check CHECK (deleted_at IS NOT NULL OR user_id IS NOT NULL),
    CONSTRAINT casework_beneficiaries_status_check CHECK (deleted_at IS NOT NULL OR status IS NOT NULL)
);

CREATE INDEX casework_beneficiaries_user_id_created_at_idx
    ON casework_beneficiaries (tenant_id, user_id, created_at DESC, id DESC)
    WHERE deleted_at IS NULL;

CREATE INDEX casework_beneficiaries_user_id_status_created_at_idx
    ON casework_beneficiaries (tenant_id, user_id, status, created_at DESC, id DESC)
    WHERE deleted_at IS NULL;

CREATE TABLE casework_beneficiaries_by_status (
    tenant_id integer NOT NULL DEFAULT 0,
    user_id bigint NOT NULL,
    status casework_beneficiary_status NOT NULL,
    slot smallint NOT NULL,
    n bigint NOT NULL,
    CONSTRAINT casework_beneficiaries_by_status_pkey PRIMARY KEY (tenant_id, user_id, status, slot)
) WITH (fillfactor = 70);

CREATE TABLE casework_documents (
    tenant_id integer NOT NULL DEFAULT 0,
    id bigint NOT NULL,
    user_id bigint,
    beneficiary_id bigint,
    title varchar(255),
    kind varchar(100),
    status casework_document_status,
    created_at timestamptz,
    updated_at timestamptz,
    event_at timestamptz NOT NULL,
    event_id uuid NOT NULL,
    deleted_at timestamptz,
    CONSTRAINT casework_documents_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT casework_documents_user_id_check CHECK (deleted_at IS NOT NULL OR user_id IS NOT NULL),
    CONSTRAINT casework_documents_title_check CHECK (deleted_at IS NOT NULL OR title IS NOT NULL),
    CONSTRAINT casework_documents_status_check CHECK (deleted_at IS NOT NULL OR status IS NOT NULL)
);

CREATE INDEX casework_documents_user_id_created_at_idx
    ON casework_documents (tenant_id, user_id, created_at DESC, id DESC)
    WHERE deleted_at IS NULL;

CREATE INDEX casework_documents_user_id_status_created_at_idx
    ON casework_documents (tenant_id, user_id, status, created_at DESC, id DESC)
    WHERE deleted_at IS NULL;

CREATE INDEX casework_documents_beneficiary_id_created_at_idx
    ON casework_documents (tenant_id, beneficiary_id, created_at DESC, id DESC)
    WHERE deleted_at IS NULL;

CREATE TABLE casework_documents_by_status (
    tenant_id integer NOT NULL DEFAULT 0,
    user_id bigint NOT NULL,
    status casework_document_status NOT NULL,
    slot smallint NOT NULL,
    n bigint NOT NULL,
    CONSTRAINT casework_documents_by_status_pkey PRIMARY KEY (tenant_id, user_id, status, slot)
) WITH (fillfactor = 70);

CREATE TABLE casework_documents_by_beneficiary (
    tenant_id integer NOT NULL DEFAULT 0,
    beneficiary_id bigint NOT NULL,
    status casework_document_status NOT NULL,
    slot smallint NOT NULL,
    n bigint NOT NULL,
    CONSTRAINT casework_documents_by_beneficiary_pkey PRIMARY KEY (tenant_id, beneficiary_id, status, slot)
) WITH (fillfactor = 70);

CREATE TABLE casework_conversations (
    tenant_id integer NOT NULL DEFAULT 0,
    id bigint NOT NULL,
    user_id bigint,
    beneficiary_id bigint,
    title varchar(255),
    status casework_conversation_status,
    created_at timestamptz,
    updated_at timestamptz,
    event_at timestamptz NOT NULL,
    event_id uuid NOT NULL,
    deleted_at timestamptz,
    CONSTRAINT casework_conversations_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT casework_conversations_user_id_check CHECK (deleted_at IS NOT NULL OR user_id IS NOT NULL),
    CONSTRAINT casework_conversations_status_check CHECK (deleted_at IS NOT NULL OR status IS NOT NULL)
);

CREATE INDEX casework_conversations_user_id_created_at_idx
    ON casework_conversations (tenant_id, user_id, created_at DESC, id DESC)
    WHERE deleted_at IS NULL;

CREATE INDEX casework_conversations_user_id_status_created_at_idx
    ON casework_conversations (tenant_id, user_id, status, created_at DESC, id DESC)
    WHERE deleted_at IS NULL;

CREATE INDEX casework_conversations_beneficiary_id_created_at_idx
    ON casework_conversations (tenant_id, beneficiary_id, created_at DESC, id DESC)
    WHERE deleted_at IS NULL;

CREATE TABLE casework_conversations_by_status (
    tenant_id integer NOT NULL DEFAULT 0,
    user_id bigint NOT NULL,
    status casework_conversation_status NOT NULL,
    slot smallint NOT NULL,
    n bigint NOT NULL,
    CONSTRAINT casework_conversations_by_status_pkey PRIMARY KEY (tenant_id, user_id, status, slot)
) WITH (fillfactor = 70);

CREATE TABLE casework_conversations_by_beneficiary (
    tenant_id integer NOT NULL DEFAULT 0,
    beneficiary_id bigint NOT NULL,
    status casework_conversation_status NOT NULL,
    slot smallint NOT NULL,
    n bigint NOT NULL,
    CONSTRAINT casework_conversations_by_beneficiary_pkey PRIMARY KEY (tenant_id, beneficiary_id, status, slot)
) WITH (fillfactor = 70);

-- What is read: the rows of the session's tenant (setting millrace.tenant, 0 without it).
CREATE VIEW casework_user_counts AS
SELECT
    tenant_id,
    status,
    sum(n)::bigint AS n
FROM casework_users_by_status
WHERE tenant_id = (SELECT public.millrace_tenant())
GROUP BY tenant_id, status
HAVING sum(n) <> 0;

CREATE VIEW casework_beneficiary_counts AS
SELECT
    tenant_id,
    user_id,
    status,
    sum(n)::bigint AS n
FROM casework_beneficiaries_by_status
WHERE tenant_id = (SELECT public.millrace_tenant())
GROUP BY tenant_id, user_id, status
HAVING sum(n) <> 0;

CREATE VIEW casework_document_counts AS
SELECT
    tenant_id,
    user_id,
    status,
    sum(n)::bigint AS n
FROM casework_documents_by_status
WHERE tenant_id = (SELECT public.millrace_tenant())
GROUP BY tenant_id, user_id, status
HAVING sum(n) <> 0;

CREATE VIEW casework_beneficiary_document_counts AS
SELECT
    tenant_id,
    beneficiary_id,
    status,
    sum(n)::bigint AS n
FROM casework_documents_by_beneficiary
WHERE tenant_id = (SELECT public.millrace_tenant())
GROUP BY tenant_id, beneficiary_id, status
HAVING sum(n) <> 0;

CREATE VIEW casework_beneficiary_conversation_counts AS
SELECT
    tenant_id,
    beneficiary_id,
    status,
    sum(n)::bigint AS n
FROM casework_conversations_by_beneficiary
WHERE tenant_id = (SELECT public.millrace_tenant())
GROUP BY tenant_id, beneficiary_id, status
HAVING sum(n) <> 0;

CREATE VIEW casework_conversation_counts AS
SELECT
    tenant_id,
    user_id,
    status,
    sum(n)::bigint AS n
FROM casework_conversations_by_status
WHERE tenant_id = (SELECT public.millrace_tenant())
GROUP BY tenant_id, user_id, status
HAVING sum(n) <> 0;

COMMENT ON TABLE casework_users IS 'Users; deleted_at is set on those that are gone.';
COMMENT ON COLUMN casework_users.password IS 'A hash, and best left out of the events: they are kept for months.';
COMMENT ON TABLE casework_beneficiaries IS 'Whom users look after.';
COMMENT ON TABLE casework_documents IS 'Documents of users, most of them about a beneficiary.';
COMMENT ON TABLE casework_conversations IS 'Conversations of users, most of them with a beneficiary.';
COMMENT ON VIEW casework_user_counts IS 'Users by status.';
COMMENT ON VIEW casework_beneficiary_counts IS 'Beneficiaries by user and status.';
COMMENT ON VIEW casework_document_counts IS 'Documents by user and status.';
COMMENT ON VIEW casework_conversation_counts IS 'Conversations by user and status.';
COMMENT ON VIEW casework_beneficiary_document_counts IS 'Documents by beneficiary and status.';
COMMENT ON VIEW casework_beneficiary_conversation_counts IS 'Conversations by beneficiary and status.';
