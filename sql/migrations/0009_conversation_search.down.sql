-- Why: undoes 0009: search knows words as they are written only.
DROP INDEX public.conversations_document_idx;

CREATE INDEX conversations_document_idx
    ON public.conversations
    USING gin (to_tsvector('simple', left(question, 50000) || ' ' || left(response, 50000)));

CREATE OR REPLACE VIEW public.user_questions_complete AS
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

DROP FUNCTION public.conversation_document(text, text);
