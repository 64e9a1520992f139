-- Why: the workspaces of an assistant with all that belongs to them. No foreign keys: rows come from events, and an event
-- may come before the one that makes its parent; what points nowhere is found by a LEFT JOIN. Rows are deleted softly, so
-- that an event that comes late can't bring them back. A tombstone may come first: then only its key is known, so columns
-- may be NULL where deleted_at is set, and the CHECKs say so. Rows that go with a deleted one keep their columns.
CREATE TYPE workspaces_status AS ENUM ('NOT_STARTED', 'IN_PROGRESS', 'COMPLETED', 'ARCHIVED');
CREATE TYPE workspaces_priority AS ENUM ('LOW', 'MEDIUM', 'HIGH', 'URGENT');
CREATE TYPE workspaces_message_role AS ENUM ('USER', 'ASSISTANT', 'SYSTEM');

CREATE TABLE workspaces_users (
    tenant_id integer NOT NULL DEFAULT 0,
    id bigint NOT NULL,
    username varchar(100),
    email varchar(255),
    password_hash varchar(255),
    first_name varchar(100),
    last_name varchar(100),
    role varchar(50),
    preferences jsonb,
    created_at timestamptz,
    updated_at timestamptz,
    last_login timestamptz,
    is_active boolean,
    event_at timestamptz NOT NULL,
    event_id uuid NOT NULL,
    deleted_at timestamptz,
    CONSTRAINT workspaces_users_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT workspaces_users_role_check CHECK (role IN ('user', 'admin', 'manager')),
    CONSTRAINT workspaces_users_username_check CHECK (deleted_at IS NOT NULL OR username IS NOT NULL),
    CONSTRAINT workspaces_users_email_check CHECK (deleted_at IS NOT NULL OR email IS NOT NULL)
);

CREATE UNIQUE INDEX workspaces_users_username_key
    ON workspaces_users (tenant_id, username)
    WHERE deleted_at IS NULL;

CREATE UNIQUE INDEX workspaces_users_email_key
    ON workspaces_users (tenant_id, email)
    WHERE deleted_at IS NULL;

CREATE TABLE workspaces_workspaces (
    tenant_id integer NOT NULL DEFAULT 0,
    id bigint NOT NULL,
    user_id bigint,
    title varchar(255),
    description text,
    status workspaces_status,
    priority workspaces_priority,
    progress double precision,
    source varchar(50),
    source_id varchar(255),
    workspace_metadata jsonb,
    tags jsonb,
    created_at timestamptz,
    updated_at timestamptz,
    completed_at timestamptz,
    due_date timestamptz,
    event_at timestamptz NOT NULL,
    event_id uuid NOT NULL,
    deleted_at timestamptz,
    CONSTRAINT workspaces_workspaces_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT workspaces_workspaces_progress_check CHECK (progress BETWEEN 0 AND 100),
    CONSTRAINT workspaces_workspaces_tags_check CHECK (jsonb_typeof(tags) = 'array'),
    CONSTRAINT workspaces_workspaces_user_id_check CHECK (deleted_at IS NOT NULL OR user_id IS NOT NULL),
    CONSTRAINT workspaces_workspaces_title_check CHECK (deleted_at IS NOT NULL OR title IS NOT NULL),
    CONSTRAINT workspaces_workspaces_status_check CHECK (deleted_at IS NOT NULL OR status IS NOT NULL),
    CONSTRAINT workspaces_workspaces_priority_check CHECK (deleted_at IS NOT NULL OR priority IS NOT NULL),
    CONSTRAINT workspaces_workspaces_created_at_check CHECK (deleted_at IS NOT NULL OR created_at IS NOT NULL)
);

CREATE INDEX workspaces_workspaces_created_at_idx
    ON workspaces_workspaces (tenant_id, created_at DESC, id DESC)
    WHERE deleted_at IS NULL;

CREATE INDEX workspaces_workspaces_user_id_created_at_idx
    ON workspaces_workspaces (tenant_id, user_id, created_at DESC, id DESC)
    WHERE deleted_at IS NULL;

CREATE INDEX workspaces_workspaces_status_created_at_idx
    ON workspaces_workspaces (tenant_id, status, created_at DESC, id DESC)
    WHERE deleted_at IS NULL;

CREATE INDEX workspaces_workspaces_priority_created_at_idx
    ON workspaces_workspaces (tenant_id, priority, created_at DESC, id DESC)
    WHERE deleted_at IS NULL;

CREATE INDEX workspaces_workspaces_source_created_at_idx
    ON workspaces_workspaces (tenant_id, source, created_at DESC, id DESC)
    WHERE deleted_at IS NULL;

CREATE INDEX workspaces_workspaces_urgent_idx
    ON workspaces_workspaces (tenant_id, created_at DESC)
    WHERE priority = 'URGENT' AND status <> 'COMPLETED' AND deleted_at IS NULL;

CREATE TABLE workspaces_workspaces_by_status (
    tenant_id integer NOT NULL DEFAULT 0,
    status workspaces_status NOT NULL,
    priority workspaces_priority NOT NULL,
    slot smallint NOT NULL,
    n bigint NOT NULL,
    CONSTRAINT workspaces_workspaces_by_status_pkey PRIMARY KEY (tenant_id, status, priority, slot)
) WITH (fillfactor = 70);

CREATE TABLE workspaces_workspaces_by_user (
    tenant_id integer NOT NULL DEFAULT 0,
    user_id bigint NOT NULL,
    status workspaces_status NOT NULL,
    slot smallint NOT NULL,
    n bigint NOT NULL,
    CONSTRAINT workspaces_workspaces_by_user_pkey PRIMARY KEY (tenant_id, user_id, status, slot)
) WITH (fillfactor = 70);

CREATE TABLE workspaces_messages (
    tenant_id integer NOT NULL DEFAULT 0,
    event_at timestamptz NOT NULL,
    event_id uuid NOT NULL,
    id bigint,
    workspace_id bigint NOT NULL,
    role workspaces_message_role NOT NULL,
    content text NOT NULL,
    message_metadata jsonb,
    created_at timestamptz NOT NULL,
    deleted_at timestamptz,
    CONSTRAINT workspaces_messages_pkey PRIMARY KEY (tenant_id, event_at, event_id)
);

CREATE INDEX workspaces_messages_workspace_id_created_at_idx
    ON workspaces_messages (tenant_id, workspace_id, created_at DESC, event_at DESC, event_id DESC);

CREATE INDEX workspaces_messages_created_at_idx
    ON workspaces_messages (tenant_id, created_at DESC, event_at DESC, event_id DESC);

CREATE TABLE workspaces_templates (
    tenant_id integer NOT NULL DEFAULT 0,
    id bigint NOT NULL,
    user_id bigint,
    name varchar(255),
    description text,
    category varchar(100),
    subject varchar(500),
    body text,
    is_html boolean,
    variables jsonb,
    is_active boolean,
    usage_count integer,
    created_at timestamptz,
    updated_at timestamptz,
    event_at timestamptz NOT NULL,
    event_id uuid NOT NULL,
    deleted_at timestamptz,
    CONSTRAINT workspaces_templates_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT workspaces_templates_usage_count_check CHECK (usage_count >= 0),
    CONSTRAINT workspaces_templates_variables_check CHECK (jsonb_typeof(variables) = 'array'),
    CONSTRAINT workspaces_templates_user_id_check CHECK (deleted_at IS NOT NULL OR user_id IS NOT NULL),
    CONSTRAINT workspaces_templates_name_check CHECK (deleted_at IS NOT NULL OR name IS NOT NULL),
    CONSTRAINT workspaces_templates_body_check CHECK (deleted_at IS NOT NULL OR body IS NOT NULL)
);

CREATE INDEX workspaces_templates_user_id_created_at_idx
    ON workspaces_templates (tenant_id, user_id, created_at DESC)
    WHERE deleted_at IS NULL;

CREATE INDEX workspaces_templates_name_idx
    ON workspaces_templates (tenant_id, name)
    WHERE deleted_at IS NULL;

CREATE INDEX workspaces_templates_category_idx
    ON workspaces_templates (tenant_id, category)
    WHERE deleted_at IS NULL;

CREATE TABLE workspaces_signatures (
    tenant_id integer NOT NULL DEFAULT 0,
    id bigint NOT NULL,
    user_id bigint,
    name varchar(255),
    content text,
    is_html boolean,
    is_default boolean,
    is_active boolean,
    created_at timestamptz,
    updated_at timestamptz,
    event_at timestamptz NOT NULL,
    event_id uuid NOT NULL,
    deleted_at timestamptz,
    CONSTRAINT workspaces_signatures_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT workspaces_signatures_user_id_check CHECK (deleted_at IS NOT NULL OR user_id IS NOT NULL),
    CONSTRAINT workspaces_signatures_name_check CHECK (deleted_at IS NOT NULL OR name IS NOT NULL),
    CONSTRAINT workspaces_signatures_content_check CHECK (deleted_at IS NOT NULL OR content IS NOT NULL)
);

CREATE INDEX workspaces_signatures_user_id_created_at_idx
    ON workspaces_signatures (tenant_id, user_id, created_at DESC)
    WHERE deleted_at IS NULL;

CREATE INDEX workspaces_signatures_name_idx
    ON workspaces_signatures (tenant_id, name)
    WHERE deleted_at IS NULL;

-- What is read: the rows of the session's tenant (setting millrace.tenant, 0 without it).
CREATE VIEW workspaces_status_counts AS
SELECT
    tenant_id,
    status,
    priority,
    sum(n)::bigint AS n
FROM workspaces_workspaces_by_status
WHERE tenant_id = (SELECT public.millrace_tenant())
GROUP BY tenant_id, status, priority
HAVING sum(n) <> 0;

CREATE VIEW workspaces_user_status_counts AS
SELECT
    tenant_id,
    user_id,
    status,
    sum(n)::bigint AS n
FROM workspaces_workspaces_by_user
WHERE tenant_id = (SELECT public.millrace_tenant())
GROUP BY tenant_id, user_id, status
HAVING sum(n) <> 0;

CREATE VIEW workspaces_urgent AS
SELECT
    tenant_id,
    id,
    user_id,
    title,
    description,
    status,
    priority,
    progress,
    source,
    source_id,
    workspace_metadata,
    tags,
    created_at,
    updated_at,
    due_date
FROM workspaces_workspaces
WHERE tenant_id = (SELECT public.millrace_tenant())
    AND priority = 'URGENT'
    AND status <> 'COMPLETED'
    AND deleted_at IS NULL;

-- One workspace at a time costs one index scan; all of them cost all messages.
CREATE VIEW workspaces_with_messages AS
SELECT
    workspace.tenant_id,
    workspace.id,
    workspace.user_id,
    workspace.title,
    workspace.status,
    workspace.priority,
    workspace.progress,
    workspace.created_at,
    conversation.messages
FROM workspaces_workspaces AS workspace
CROSS JOIN LATERAL (
    SELECT COALESCE(
        jsonb_agg(
            jsonb_build_object(
                'id', message.id,
                'role', message.role,
                'content', message.content,
                'message_metadata', message.message_metadata,
                'created_at', message.created_at
            )
            ORDER BY message.created_at DESC, message.event_id DESC
        ),
        '[]'
    ) AS messages
    FROM workspaces_messages AS message
    WHERE message.tenant_id = workspace.tenant_id
        AND message.workspace_id = workspace.id
        AND message.deleted_at IS NULL
) AS conversation
WHERE workspace.tenant_id = (SELECT public.millrace_tenant())
    AND workspace.deleted_at IS NULL;

COMMENT ON TABLE workspaces_users IS 'Users; deleted_at is set on those that are gone.';
COMMENT ON COLUMN workspaces_users.password_hash IS 'Best left out of the events: they are kept for months.';
COMMENT ON TABLE workspaces_workspaces IS 'Workspaces; deleted_at is set on those that are gone.';
COMMENT ON TABLE workspaces_messages IS 'Messages of workspaces, one an event; deleted_at is set where the workspace was deleted.';
COMMENT ON TABLE workspaces_templates IS 'Templates of answers.';
COMMENT ON TABLE workspaces_signatures IS 'Signatures under answers.';
COMMENT ON VIEW workspaces_status_counts IS 'Workspaces by status and priority.';
COMMENT ON VIEW workspaces_user_status_counts IS 'Workspaces by user and status.';
COMMENT ON VIEW workspaces_urgent IS 'Urgent and not completed; ORDER BY created_at DESC is an index scan.';
COMMENT ON VIEW workspaces_with_messages IS 'A workspace and its messages, the most recent first; give an id.';
