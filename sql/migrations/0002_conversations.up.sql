-- Why: the conversation saves, by month of created_at (UTC) like the events, and the view that applications read.
CREATE TABLE public.conversations (
    id uuid NOT NULL,
    tenant_id integer NOT NULL DEFAULT 0,
    conversation_id text NOT NULL,
    user_id uuid NOT NULL,
    question text NOT NULL,
    response text NOT NULL,
    source text NOT NULL DEFAULT 'unknown',
    metadata jsonb NOT NULL DEFAULT '{}',
    status text NOT NULL DEFAULT 'active',
    created_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    batch_id bigint NOT NULL,
    CONSTRAINT conversations_pkey PRIMARY KEY (created_at, id)
) PARTITION BY RANGE (created_at);

CREATE INDEX conversations_user_id_created_at_idx
    ON public.conversations (user_id, created_at DESC);

CREATE INDEX conversations_conversation_id_created_at_idx
    ON public.conversations (conversation_id, created_at);

-- The first 50,000 characters of each: a tsvector holds 1 MiB, and a longer text must not become a refused row.
CREATE INDEX conversations_document_idx
    ON public.conversations
    USING gin (to_tsvector('simple', left(question, 50000) || ' ' || left(response, 50000)));

-- Search it by: WHERE document @@ websearch_to_tsquery('simple', 'words'); the expression is the index's.
CREATE VIEW public.user_questions_complete AS
SELECT
    id,
    tenant_id,
    conversation_id,
    user_id,
    question,
    response,
    source,
    metadata,
    status,
    created_at,
    received_at,
    to_tsvector('simple', left(question, 50000) || ' ' || left(response, 50000)) AS document
FROM public.conversations
WHERE status = 'active';

COMMENT ON TABLE public.conversations IS 'Conversation saves, partitioned by month (UTC) of created_at.';
COMMENT ON COLUMN public.conversations.batch_id IS 'The row of ingest_batches it was committed with.';
COMMENT ON VIEW public.user_questions_complete IS 'Active questions with their answers; document is for full-text search.';
