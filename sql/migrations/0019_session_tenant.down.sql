-- Why: undoes 0019: the view shows the rows of all tenants. The function stays while views of packs ask it.
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

DO $$
BEGIN
    DROP FUNCTION public.millrace_tenant();
EXCEPTION
    WHEN dependent_objects_still_exist THEN NULL;
END
$$;
