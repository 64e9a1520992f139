-- Why: undoes 0018.
DROP TRIGGER conversations_by_hand ON public.conversations;
DROP FUNCTION public.refuse_conversation_change();
