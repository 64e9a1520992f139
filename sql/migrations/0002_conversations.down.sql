-- Why: undoes 0002; the months go with their parent, and every conversation with them.
DROP VIEW public.user_questions_complete;

DROP TABLE public.conversations;
