-- Why: indexes start with tenant_id, so a view that names it makes a plain query an index scan, and one tenant's session
-- sees no other's rows.
CREATE OR REPLACE FUNCTION public.millrace_tenant()
    RETURNS integer
    LANGUAGE sql
    STABLE
    PARALLEL SAFE
RETURN
    CASE
        WHEN coalesce(current_setting('millrace.tenant', true), '') = '' THEN 0
        WHEN current_setting('millrace.tenant', true) ~ '^[0-9]{1,9}$' THEN current_setting('millrace.tenant', true)::integer
    END;

COMMENT ON FUNCTION public.millrace_tenant() IS 'Whose rows views show: the setting millrace.tenant of the session; 0 where it is not set, NULL (no rows) where it is no number. In a condition write (SELECT millrace_tenant()), which is asked once a query.';

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
WHERE status = 'active'
    AND tenant_id = (SELECT public.millrace_tenant());
