-- Why: undoes 0008; events that wait in it are lost.
DROP TABLE public.outbox;
