-- Why: conversations are archived and deleted. Their rows stay; what events say of them last is kept here, because an event
-- may come before the save that it is about, and each row's status follows in the transaction that writes the event.
CREATE TABLE public.conversation_statuses (
    tenant_id integer NOT NULL DEFAULT 0,
    conversation_id text NOT NULL,
    save_id uuid NOT NULL,
    status text NOT NULL,
    event_at timestamptz NOT NULL,
    event_id uuid NOT NULL,
    CONSTRAINT conversation_statuses_pkey PRIMARY KEY (conversation_id, tenant_id, save_id)
);

-- What a save's status is: what was said last, of it or of its whole conversation.
CREATE FUNCTION public.conversation_status(tenant integer, conversation text, save uuid)
    RETURNS text
    LANGUAGE sql
    STABLE
    PARALLEL SAFE
RETURN coalesce(
    (
        SELECT said.status
        FROM public.conversation_statuses AS said
        WHERE said.tenant_id = tenant
            AND said.conversation_id = conversation
            AND said.save_id IN (save, '00000000-0000-0000-0000-000000000000')
        ORDER BY said.event_at DESC, said.event_id DESC
        LIMIT 1
    ),
    'active'
);

COMMENT ON TABLE public.conversation_statuses IS 'What events of conversations say of their status, the latest of each.';
COMMENT ON COLUMN public.conversation_statuses.save_id IS 'Of one save its id in conversations; 0 for all saves of the conversation.';
COMMENT ON FUNCTION public.conversation_status(integer, text, uuid) IS 'The status of a save: what was said last, of it or of its conversation.';
COMMENT ON COLUMN public.conversations.status IS 'active, or what conversations.status_changed and its like said last; kept by Millrace.';
