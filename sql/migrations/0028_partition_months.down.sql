-- Why: undoes 0028. What is archived stays where it is; its months are no longer known as retired.
DROP TABLE public.partition_month_batches;
DROP TABLE public.partition_months;
