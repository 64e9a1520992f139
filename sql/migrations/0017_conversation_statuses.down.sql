-- Why: undoes 0017; the rows keep the status that they have.
COMMENT ON COLUMN public.conversations.status IS NULL;
DROP FUNCTION public.conversation_status(integer, text, uuid);
DROP TABLE public.conversation_statuses;
