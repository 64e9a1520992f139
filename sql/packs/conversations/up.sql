-- Why: who asks how much, from where, and what became of feedback and invitations. The saves themselves are in
-- public.conversations, with their full-text index and the view public.user_questions_complete. No foreign key leads
-- from feedback to a conversation: an event may come before what it is about, and months of conversations leave.
CREATE TABLE conversations_questions_by_day (
    tenant_id integer NOT NULL DEFAULT 0,
    bucket timestamptz NOT NULL,
    source text NOT NULL,
    slot smallint NOT NULL,
    n bigint NOT NULL,
    CONSTRAINT conversations_questions_by_day_pkey PRIMARY KEY (tenant_id, bucket, source, slot)
) WITH (fillfactor = 70);

CREATE TABLE conversations_questions_by_user (
    tenant_id integer NOT NULL DEFAULT 0,
    user_id uuid NOT NULL,
    bucket timestamptz NOT NULL,
    source text NOT NULL,
    slot smallint NOT NULL,
    n bigint NOT NULL,
    CONSTRAINT conversations_questions_by_user_pkey PRIMARY KEY (tenant_id, user_id, bucket, source, slot)
) WITH (fillfactor = 70);

-- A batch changes a few registers of a sketch, so it is kept in 64 rows, and each page has room for all its rows twice: then
-- no index entry is written, and what was before goes at the next touch.
CREATE TABLE conversations_active_users (
    tenant_id integer NOT NULL DEFAULT 0,
    bucket timestamptz NOT NULL,
    slot smallint NOT NULL,
    chunk smallint NOT NULL,
    sketch bytea NOT NULL,
    CONSTRAINT conversations_active_users_pkey PRIMARY KEY (tenant_id, bucket, slot, chunk)
) WITH (fillfactor = 50);

CREATE TABLE conversations_statuses (
    tenant_id integer NOT NULL DEFAULT 0,
    conversation_id text NOT NULL,
    status text,
    event_at timestamptz NOT NULL,
    event_id uuid NOT NULL,
    deleted_at timestamptz,
    CONSTRAINT conversations_statuses_pkey PRIMARY KEY (tenant_id, conversation_id),
    CONSTRAINT conversations_statuses_conversation_id_check CHECK (octet_length(conversation_id) BETWEEN 1 AND 200),
    CONSTRAINT conversations_statuses_status_check CHECK (
        deleted_at IS NOT NULL OR (status IS NOT NULL AND length(status) BETWEEN 1 AND 50)
    )
);

CREATE TABLE conversations_save_statuses (
    tenant_id integer NOT NULL DEFAULT 0,
    conversation_id text NOT NULL,
    id uuid NOT NULL,
    status text,
    event_at timestamptz NOT NULL,
    event_id uuid NOT NULL,
    deleted_at timestamptz,
    CONSTRAINT conversations_save_statuses_pkey PRIMARY KEY (tenant_id, conversation_id, id),
    CONSTRAINT conversations_save_statuses_conversation_id_check CHECK (octet_length(conversation_id) BETWEEN 1 AND 200),
    CONSTRAINT conversations_save_statuses_status_check CHECK (
        deleted_at IS NOT NULL OR (status IS NOT NULL AND length(status) BETWEEN 1 AND 50)
    )
);

CREATE TABLE conversations_feedback (
    tenant_id integer NOT NULL DEFAULT 0,
    id uuid NOT NULL,
    conversation_id text,
    user_id uuid,
    rating smallint,
    comment text,
    created_at timestamptz,
    event_at timestamptz NOT NULL,
    event_id uuid NOT NULL,
    deleted_at timestamptz,
    CONSTRAINT conversations_feedback_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT conversations_feedback_conversation_id_check CHECK (deleted_at IS NOT NULL OR conversation_id IS NOT NULL),
    CONSTRAINT conversations_feedback_rating_check CHECK (
        rating BETWEEN -1 AND 5 AND (deleted_at IS NOT NULL OR rating IS NOT NULL)
    ),
    CONSTRAINT conversations_feedback_created_at_check CHECK (deleted_at IS NOT NULL OR created_at IS NOT NULL)
);

CREATE INDEX conversations_feedback_conversation_id_created_at_idx
    ON conversations_feedback (tenant_id, conversation_id, created_at)
    WHERE deleted_at IS NULL;

CREATE INDEX conversations_feedback_created_at_idx
    ON conversations_feedback (tenant_id, created_at DESC, id DESC)
    WHERE deleted_at IS NULL;

CREATE INDEX conversations_feedback_user_id_created_at_idx
    ON conversations_feedback (tenant_id, user_id, created_at DESC)
    WHERE deleted_at IS NULL;

CREATE TABLE conversations_feedback_by_rating (
    tenant_id integer NOT NULL DEFAULT 0,
    bucket timestamptz NOT NULL,
    rating smallint NOT NULL,
    slot smallint NOT NULL,
    n bigint NOT NULL,
    CONSTRAINT conversations_feedback_by_rating_pkey PRIMARY KEY (tenant_id, bucket, rating, slot)
) WITH (fillfactor = 70);

CREATE TYPE conversations_invitation_status AS ENUM ('sent', 'accepted', 'revoked');

CREATE TABLE conversations_invitations (
    tenant_id integer NOT NULL DEFAULT 0,
    id uuid NOT NULL,
    email text,
    invited_by uuid,
    status conversations_invitation_status,
    sent_at timestamptz,
    accepted_at timestamptz,
    event_at timestamptz NOT NULL,
    event_id uuid NOT NULL,
    deleted_at timestamptz,
    CONSTRAINT conversations_invitations_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT conversations_invitations_email_check CHECK (deleted_at IS NOT NULL OR email LIKE '%_@_%'),
    CONSTRAINT conversations_invitations_status_check CHECK (deleted_at IS NOT NULL OR status IS NOT NULL),
    CONSTRAINT conversations_invitations_accepted_at_check CHECK (status <> 'accepted' OR accepted_at IS NOT NULL)
);

CREATE INDEX conversations_invitations_email_idx
    ON conversations_invitations (tenant_id, lower(email))
    WHERE deleted_at IS NULL;

CREATE INDEX conversations_invitations_invited_by_sent_at_idx
    ON conversations_invitations (tenant_id, invited_by, sent_at DESC)
    WHERE deleted_at IS NULL;

CREATE INDEX conversations_invitations_status_sent_at_idx
    ON conversations_invitations (tenant_id, status, sent_at DESC)
    WHERE deleted_at IS NULL;

CREATE TABLE conversations_invitations_by_status (
    tenant_id integer NOT NULL DEFAULT 0,
    status conversations_invitation_status NOT NULL,
    slot smallint NOT NULL,
    n bigint NOT NULL,
    CONSTRAINT conversations_invitations_by_status_pkey PRIMARY KEY (tenant_id, status, slot)
) WITH (fillfactor = 70);

CREATE TABLE conversations_top_users (
    tenant_id integer NOT NULL DEFAULT 0,
    user_id uuid NOT NULL,
    n bigint NOT NULL,
    CONSTRAINT conversations_top_users_pkey PRIMARY KEY (tenant_id, user_id)
) WITH (fillfactor = 70);

CREATE INDEX conversations_top_users_n_idx
    ON conversations_top_users (tenant_id, n DESC, user_id);

CREATE TABLE conversations_top_users_by_month (
    tenant_id integer NOT NULL DEFAULT 0,
    bucket timestamptz NOT NULL,
    user_id uuid NOT NULL,
    n bigint NOT NULL,
    CONSTRAINT conversations_top_users_by_month_pkey PRIMARY KEY (tenant_id, bucket, user_id)
) WITH (fillfactor = 70);

CREATE INDEX conversations_top_users_by_month_n_idx
    ON conversations_top_users_by_month (tenant_id, bucket, n DESC, user_id);

-- What is read: the rows of the session's tenant (setting millrace.tenant, 0 without it).
CREATE VIEW conversations_daily AS
SELECT
    tenant_id,
    bucket,
    source,
    sum(n)::bigint AS n
FROM conversations_questions_by_day
WHERE tenant_id = (SELECT public.millrace_tenant())
GROUP BY tenant_id, bucket, source
HAVING sum(n) <> 0;

CREATE VIEW conversations_daily_by_user AS
SELECT
    tenant_id,
    user_id,
    bucket,
    source,
    sum(n)::bigint AS n
FROM conversations_questions_by_user
WHERE tenant_id = (SELECT public.millrace_tenant())
GROUP BY tenant_id, user_id, bucket, source
HAVING sum(n) <> 0;

CREATE VIEW conversations_ratings AS
SELECT
    tenant_id,
    bucket,
    rating,
    sum(n)::bigint AS n
FROM conversations_feedback_by_rating
WHERE tenant_id = (SELECT public.millrace_tenant())
GROUP BY tenant_id, bucket, rating
HAVING sum(n) <> 0;

CREATE VIEW conversations_invitation_counts AS
SELECT
    tenant_id,
    status,
    sum(n)::bigint AS n
FROM conversations_invitations_by_status
WHERE tenant_id = (SELECT public.millrace_tenant())
GROUP BY tenant_id, status
HAVING sum(n) <> 0;

COMMENT ON TABLE conversations_questions_by_day IS 'Active questions by source and day (UTC); sum n over the slots, or read conversations_daily.';
COMMENT ON TABLE conversations_questions_by_user IS 'Active questions by user, source and day (UTC); sum n over the slots.';
COMMENT ON TABLE conversations_active_users IS 'Who asked on a day (UTC), whatever became of the question since.';
COMMENT ON TABLE conversations_statuses IS 'What was said last of each conversation; deleted_at is set where that it is deleted.';
COMMENT ON TABLE conversations_save_statuses IS 'What was said last of single saves, by their id in public.conversations.';
COMMENT ON TABLE conversations_feedback IS 'What users think of answers; deleted_at is set where it was taken back.';
COMMENT ON COLUMN conversations_feedback.rating IS '-1 and 1 for thumbs, or 1 to 5 stars; 0 is neutral.';
COMMENT ON TABLE conversations_invitations IS 'Invitations and what became of them.';
COMMENT ON TABLE conversations_top_users IS 'Users by the number of their active questions; n = 0 where none is left.';
COMMENT ON TABLE conversations_top_users_by_month IS 'Users by the number of their active questions of a month (UTC); n = 0 where none is left.';
COMMENT ON VIEW conversations_daily IS 'Active questions by day and source.';
COMMENT ON VIEW conversations_daily_by_user IS 'Active questions by user, day and source; give a user_id.';
COMMENT ON VIEW conversations_ratings IS 'Feedback by day and rating.';
COMMENT ON VIEW conversations_invitation_counts IS 'Invitations by status.';
