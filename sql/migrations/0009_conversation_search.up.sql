-- Why: people search in the words' own language. One index for all of it: each text is taken apart as it is written, in
-- French and in English, and a query in any of the three finds it. Most words come out the same, so it costs less than
-- an index a language. The first 50,000 characters of each: a tsvector holds 1 MiB.
CREATE FUNCTION public.conversation_document(question text, response text)
    RETURNS tsvector
    LANGUAGE sql
    IMMUTABLE
    PARALLEL SAFE
RETURN
    to_tsvector('pg_catalog.simple', left(question, 50000) || ' ' || left(response, 50000))
    || to_tsvector('pg_catalog.french', left(question, 50000) || ' ' || left(response, 50000))
    || to_tsvector('pg_catalog.english', left(question, 50000) || ' ' || left(response, 50000));

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
    public.conversation_document(question, response) AS document
FROM public.conversations
WHERE status = 'active';

DROP INDEX public.conversations_document_idx;

CREATE INDEX conversations_document_idx
    ON public.conversations
    USING gin (public.conversation_document(question, response));

COMMENT ON FUNCTION public.conversation_document(text, text) IS 'What full-text search looks at: the words as they are, in French and in English.';
