-- Why: who changed what, from where and when, written in the transaction of the act, so that neither is there without the
-- other. Rows are added and never changed; the oldest go by purge_audit_log, which leaves a row itself. Locks: none but on
-- what it makes.
CREATE TABLE public.audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text NOT NULL,
    actor_kind text NOT NULL,
    database_role text NOT NULL DEFAULT session_user,
    origin text NOT NULL,
    action text NOT NULL,
    object text NOT NULL,
    before jsonb,
    after jsonb,
    CONSTRAINT audit_log_pkey PRIMARY KEY (id),
    CONSTRAINT audit_log_actor_kind_check CHECK (actor_kind IN ('key', 'role', 'system'))
);

CREATE INDEX audit_log_at_idx ON public.audit_log (at);

COMMENT ON TABLE public.audit_log IS 'Who changed what; it only grows.';
COMMENT ON COLUMN public.audit_log.actor IS 'By actor_kind: a key''s id, a database role, or a user of the system.';
COMMENT ON COLUMN public.audit_log.database_role IS 'Who the session had logged in as.';
COMMENT ON COLUMN public.audit_log.origin IS 'The host that it was done on, or the client''s address.';
COMMENT ON COLUMN public.audit_log.before IS 'Without secrets.';

CREATE FUNCTION public.refuse_audit_change()
    RETURNS trigger
    LANGUAGE plpgsql
AS $function$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('millrace.audit', true) = 'purge' THEN
        IF OLD.at < clock_timestamp() - interval '30 days' THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION '% of rows of public.audit_log', TG_OP
        USING ERRCODE = 'MR020',
            HINT = 'The log only grows. Rows older than audit.keep go by themselves, and those older than 30 days by '
                || 'SELECT public.purge_audit_log(interval ''30 days'').';
END
$function$;

CREATE TRIGGER audit_log_only_grows
    BEFORE UPDATE OR DELETE ON public.audit_log
    FOR EACH ROW
    EXECUTE FUNCTION public.refuse_audit_change();

CREATE TRIGGER audit_log_is_not_emptied
    BEFORE TRUNCATE ON public.audit_log
    FOR EACH STATEMENT
    EXECUTE FUNCTION public.refuse_audit_change();

-- For replicas too, where a session may have switched the others off.
ALTER TABLE public.audit_log ENABLE ALWAYS TRIGGER audit_log_only_grows;
ALTER TABLE public.audit_log ENABLE ALWAYS TRIGGER audit_log_is_not_emptied;

COMMENT ON FUNCTION public.refuse_audit_change() IS 'Refuses every change of the audit log.';

CREATE FUNCTION public.purge_audit_log(keep interval)
    RETURNS bigint
    LANGUAGE plpgsql
    SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    purged bigint;
    newest timestamptz;
BEGIN
    IF keep IS NULL OR keep < interval '30 days' THEN
        RAISE EXCEPTION 'the audit log keeps 30 days at least, not %', keep
            USING ERRCODE = 'MR020', HINT = 'Give a longer interval; audit.keep is the daemon''s.';
    END IF;
    PERFORM set_config('millrace.audit', 'purge', true);
    WITH gone AS (
        DELETE FROM public.audit_log
        WHERE at < clock_timestamp() - keep
        RETURNING at
    )
    SELECT count(*), max(at)
    INTO purged, newest
    FROM gone;
    PERFORM set_config('millrace.audit', '', true);
    IF purged > 0 THEN
        INSERT INTO public.audit_log (actor, actor_kind, origin, action, object, before, after)
        VALUES (
            session_user, 'role', COALESCE(host(inet_client_addr()), 'local'), 'audit.purge', 'audit_log',
            jsonb_build_object('rows', purged, 'newest', newest), jsonb_build_object('keep', keep));
    END IF;
    RETURN purged;
END
$function$;

COMMENT ON FUNCTION public.purge_audit_log(interval) IS 'Deletes older rows of the audit log; returns how many.';

REVOKE ALL ON FUNCTION public.purge_audit_log(interval) FROM PUBLIC;
REVOKE ALL ON public.audit_log FROM PUBLIC;

-- Where the roles are there already. Neither id nor at nor database_role may be given.
DO $grants$
BEGIN
    IF to_regrole('millrace_reader') IS NOT NULL THEN
        REVOKE ALL ON public.audit_log FROM millrace_reader;
    END IF;
    IF to_regrole('millrace_writer') IS NOT NULL THEN
        GRANT INSERT (actor, actor_kind, origin, action, object, before, after) ON public.audit_log TO millrace_writer;
        GRANT EXECUTE ON FUNCTION public.purge_audit_log(interval) TO millrace_writer;
    END IF;
    IF to_regrole('millrace_admin') IS NOT NULL THEN
        GRANT SELECT ON public.audit_log TO millrace_admin;
        GRANT INSERT (actor, actor_kind, origin, action, object, before, after) ON public.audit_log TO millrace_admin;
        GRANT EXECUTE ON FUNCTION public.purge_audit_log(interval) TO millrace_admin;
    END IF;
END
$grants$;
