-- Why: a row that is changed or deleted by hand leaves every count as it was, so that is refused and told how. Triggers of
-- rows, which reach a month that is named itself; COPY and INSERT don't run them. Nothing else needs this migration.
CREATE FUNCTION public.refuse_conversation_change()
    RETURNS trigger
    LANGUAGE plpgsql
AS $function$
BEGIN
    IF current_setting('millrace.conversations', true) IN ('status', 'by hand') THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    RAISE EXCEPTION '% of a conversation by hand would leave its counts as they are', TG_OP
        USING ERRCODE = 'MR010',
            HINT = 'Send an event, and every count follows: conversations.conversation_deleted with payload '
                || '{"conversation_id": …}, conversations.status_changed with a status too, or for one save '
                || 'conversations.save_deleted and conversations.save_status_changed with its id too. To change rows all '
                || 'the same, SET millrace.conversations = ''by hand'', then run millrace projections rebuild conversations.';
END
$function$;

CREATE TRIGGER conversations_by_hand
    BEFORE UPDATE OR DELETE ON public.conversations
    FOR EACH ROW
    EXECUTE FUNCTION public.refuse_conversation_change();

COMMENT ON FUNCTION public.refuse_conversation_change() IS 'Refuses what is done to rows of conversations by hand.';
