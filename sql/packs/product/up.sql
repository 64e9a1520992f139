-- Why: what a team asks of its product first: funnels, retention, sessions and paths, of persons whose ids are joined. The
-- reports are functions over the events, which their indexes and months bound: a narrow copy of the events would make each
-- one of them a third more to write. What is kept besides is small: who came on which day, and which ids are one person.
CREATE TABLE product_events_by_day (
    tenant_id integer NOT NULL DEFAULT 0,
    bucket timestamptz NOT NULL,
    slot smallint NOT NULL,
    n bigint NOT NULL,
    CONSTRAINT product_events_by_day_pkey PRIMARY KEY (tenant_id, bucket, slot)
) WITH (fillfactor = 50);

CREATE TABLE product_user_days (
    tenant_id integer NOT NULL DEFAULT 0,
    bucket timestamptz NOT NULL,
    user_id uuid NOT NULL,
    slot smallint NOT NULL,
    n bigint NOT NULL,
    CONSTRAINT product_user_days_pkey PRIMARY KEY (tenant_id, bucket, user_id, slot)
) WITH (fillfactor = 70);

CREATE TABLE product_anonymous_links (
    tenant_id integer NOT NULL DEFAULT 0,
    user_id uuid NOT NULL,
    linked_id uuid NOT NULL,
    bucket timestamptz NOT NULL,
    slot smallint NOT NULL,
    n bigint NOT NULL,
    CONSTRAINT product_anonymous_links_pkey PRIMARY KEY (tenant_id, user_id, linked_id, bucket, slot)
) WITH (fillfactor = 70);

CREATE INDEX product_anonymous_links_linked_id_idx
    ON product_anonymous_links (tenant_id, linked_id, user_id);

CREATE TABLE product_previous_links (
    tenant_id integer NOT NULL DEFAULT 0,
    user_id uuid NOT NULL,
    linked_id uuid NOT NULL,
    bucket timestamptz NOT NULL,
    slot smallint NOT NULL,
    n bigint NOT NULL,
    CONSTRAINT product_previous_links_pkey PRIMARY KEY (tenant_id, user_id, linked_id, bucket, slot)
) WITH (fillfactor = 70);

CREATE INDEX product_previous_links_linked_id_idx
    ON product_previous_links (tenant_id, linked_id, user_id);

-- The next three are made of the links by triggers, in the transaction that writes these.

-- An id without a row is a person of its own.
CREATE TABLE product_identities (
    tenant_id integer NOT NULL DEFAULT 0,
    user_id uuid NOT NULL,
    person_id uuid NOT NULL,
    is_oversized boolean NOT NULL,
    CONSTRAINT product_identities_pkey PRIMARY KEY (tenant_id, user_id),
    CONSTRAINT product_identities_person_id_check CHECK (NOT is_oversized OR person_id = user_id)
);

CREATE INDEX product_identities_person_id_idx
    ON product_identities (tenant_id, person_id);

CREATE TABLE product_shared_ids (
    tenant_id integer NOT NULL DEFAULT 0,
    id uuid NOT NULL,
    CONSTRAINT product_shared_ids_pkey PRIMARY KEY (tenant_id, id)
);

CREATE TABLE product_changes (
    tenant_id integer NOT NULL DEFAULT 0,
    n bigint NOT NULL,
    CONSTRAINT product_changes_pkey PRIMARY KEY (tenant_id)
) WITH (fillfactor = 50);

-- The links of ids, and of all that they lead to: an id and another one; and each of `seeds`, with none. It goes on behind
-- no id that is shared, or that is of too large a person. By index whatever the statistics say, which may be of a time when
-- the tables were empty.
CREATE FUNCTION product_reach(tenant integer, seeds uuid[])
    RETURNS TABLE (id uuid, other_id uuid)
    LANGUAGE sql
    STABLE
    ROWS 10000
    SET enable_seqscan = off
    SET enable_hashjoin = off
    SET enable_mergejoin = off
    SET search_path FROM CURRENT
AS $reach$
    WITH RECURSIVE reach (id, other_id) AS (
        SELECT seed, NULL::uuid FROM unnest(seeds) AS seed
        UNION
        SELECT node.id, link.other_id
        FROM (SELECT DISTINCT coalesce(step.other_id, step.id) AS id FROM reach AS step) AS node
        CROSS JOIN LATERAL (
            SELECT linked_id FROM product_anonymous_links AS l WHERE l.tenant_id = tenant AND l.user_id = node.id
            UNION ALL
            SELECT user_id FROM product_anonymous_links AS l WHERE l.tenant_id = tenant AND l.linked_id = node.id
            UNION ALL
            SELECT linked_id FROM product_previous_links AS l WHERE l.tenant_id = tenant AND l.user_id = node.id
            UNION ALL
            SELECT user_id FROM product_previous_links AS l WHERE l.tenant_id = tenant AND l.linked_id = node.id
        ) AS link (other_id)
        WHERE link.other_id <> node.id
            AND NOT EXISTS (
                SELECT FROM product_shared_ids AS shared WHERE shared.tenant_id = tenant AND shared.id = node.id)
            AND NOT EXISTS (
                SELECT FROM product_shared_ids AS shared WHERE shared.tenant_id = tenant AND shared.id = link.other_id)
            AND NOT EXISTS (
                SELECT FROM product_identities AS known
                WHERE known.tenant_id = tenant AND known.user_id = node.id AND known.is_oversized)
    )
    SELECT reach.id, reach.other_id FROM reach
$reach$;

-- The ids that `start` is one person with, itself among them; some more than `most` when there are more than that.
CREATE FUNCTION product_component(tenant integer, start uuid, most integer)
    RETURNS uuid[]
    LANGUAGE plpgsql
    STABLE
    SET enable_seqscan = off
    SET enable_hashjoin = off
    SET enable_mergejoin = off
    SET search_path FROM CURRENT
AS $component$
DECLARE
    seen uuid[] := ARRAY[start];
    edge uuid[] := ARRAY[start];
BEGIN
    IF EXISTS (SELECT FROM product_shared_ids AS shared WHERE shared.tenant_id = tenant AND shared.id = start) THEN
        RETURN seen;
    END IF;
    WHILE cardinality(edge) > 0 AND cardinality(seen) <= most LOOP
        edge := ARRAY(
            SELECT DISTINCT link.other_id
            FROM unnest(edge) AS node (id)
            CROSS JOIN LATERAL (
                SELECT linked_id FROM product_anonymous_links AS l WHERE l.tenant_id = tenant AND l.user_id = node.id
                UNION ALL
                SELECT user_id FROM product_anonymous_links AS l WHERE l.tenant_id = tenant AND l.linked_id = node.id
                UNION ALL
                SELECT linked_id FROM product_previous_links AS l WHERE l.tenant_id = tenant AND l.user_id = node.id
                UNION ALL
                SELECT user_id FROM product_previous_links AS l WHERE l.tenant_id = tenant AND l.linked_id = node.id
            ) AS link (other_id)
            WHERE link.other_id <> ALL (seen)
                AND NOT EXISTS (
                    SELECT FROM product_shared_ids AS shared
                    WHERE shared.tenant_id = tenant AND shared.id = link.other_id)
            LIMIT most + 1);
        seen := seen || edge;
    END LOOP;
    RETURN seen;
END
$component$;

-- Makes persons anew of the ids whose links came, or went (`is_cut`). A person is what links join, and its id the least of
-- its ids, so it depends on what links there are, and not on when they came. So do the two bounds: an id that more than 10
-- others are linked with is shared, and its links join nobody; and of more than 1,000 ids that are joined, each is a person
-- of its own.
CREATE FUNCTION product_join(tenant integer, users uuid[], linked uuid[], is_cut boolean)
    RETURNS void
    LANGUAGE plpgsql
    SET search_path FROM CURRENT
AS $join$
DECLARE
    shared_above CONSTANT integer := 10;
    members_max CONSTANT integer := 1000;
    -- Ids that became shared, or are it no more.
    turned uuid[];
    seeds uuid[];
    seed uuid;
    members uuid[];
    -- Of persons that are not too large any more.
    apart uuid[] := '{}';
    nodes uuid[];
    heads integer[];
    tails integer[];
    root integer[];
    persons uuid[];
    oversized boolean[];
    one integer;
    other integer;
    removed bigint;
    added bigint;
BEGIN
    WITH counted AS MATERIALIZED (
        SELECT candidate.id, count(DISTINCT link.user_id) > shared_above AS is_shared
        FROM (SELECT DISTINCT id FROM unnest(linked) AS id) AS candidate
        LEFT JOIN LATERAL (
            SELECT user_id FROM product_anonymous_links AS l WHERE l.tenant_id = tenant AND l.linked_id = candidate.id
            UNION ALL
            SELECT user_id FROM product_previous_links AS l WHERE l.tenant_id = tenant AND l.linked_id = candidate.id
        ) AS link ON link.user_id <> candidate.id
        -- What comes makes none less shared, and such a one may have very many links.
        WHERE is_cut OR NOT EXISTS (
            SELECT FROM product_shared_ids AS shared WHERE shared.tenant_id = tenant AND shared.id = candidate.id)
        GROUP BY candidate.id
    ), became AS (
        INSERT INTO product_shared_ids AS shared (tenant_id, id)
        SELECT tenant, counted.id FROM counted WHERE counted.is_shared ORDER BY counted.id
        ON CONFLICT DO NOTHING
        RETURNING shared.id
    ), ceased AS (
        DELETE FROM product_shared_ids AS shared
        USING counted
        WHERE shared.tenant_id = tenant AND shared.id = counted.id AND NOT counted.is_shared
        RETURNING shared.id
    )
    SELECT coalesce(array_agg(both_ways.id), '{}') INTO turned
    FROM (SELECT became.id FROM became UNION ALL SELECT ceased.id FROM ceased) AS both_ways;

    seeds := users || linked;
    IF cardinality(turned) > 0 THEN
        seeds := seeds || ARRAY(
            SELECT user_id FROM product_anonymous_links AS l WHERE l.tenant_id = tenant AND l.linked_id = ANY (turned)
            UNION
            SELECT user_id FROM product_previous_links AS l WHERE l.tenant_id = tenant AND l.linked_id = ANY (turned)
            UNION
            SELECT linked_id FROM product_anonymous_links AS l WHERE l.tenant_id = tenant AND l.user_id = ANY (turned)
            UNION
            SELECT linked_id FROM product_previous_links AS l WHERE l.tenant_id = tenant AND l.user_id = ANY (turned));
    END IF;

    IF is_cut OR cardinality(turned) > 0 THEN
        FOR seed IN
            SELECT known.user_id
            FROM product_identities AS known
            WHERE known.tenant_id = tenant AND known.user_id = ANY (seeds) AND known.is_oversized
        LOOP
            CONTINUE WHEN seed = ANY (apart);
            members := product_component(tenant, seed, members_max);
            IF cardinality(members) <= members_max THEN
                apart := apart || members;
            END IF;
        END LOOP;
    END IF;
    DELETE FROM product_identities AS known WHERE known.tenant_id = tenant AND known.user_id = ANY (apart);
    GET DIAGNOSTICS removed = ROW_COUNT;

    WITH edge AS MATERIALIZED (
        SELECT reach.id, reach.other_id FROM product_reach(tenant, seeds || apart) AS reach
    ), node AS MATERIALIZED (
        SELECT ids.id, row_number() OVER (ORDER BY ids.id)::integer AS place
        FROM (SELECT edge.id FROM edge UNION SELECT edge.other_id FROM edge WHERE edge.other_id IS NOT NULL) AS ids
    )
    SELECT
        (SELECT array_agg(node.id ORDER BY node.place) FROM node),
        coalesce(array_agg(here.place), '{}'),
        coalesce(array_agg(there.place), '{}')
    INTO nodes, heads, tails
    FROM edge
    JOIN node AS here ON here.id = edge.id
    JOIN node AS there ON there.id = edge.other_id;

    -- All that are joined get the first of them as their root.
    root := ARRAY(SELECT generate_series(1, cardinality(nodes)));
    FOR number IN 1..cardinality(heads) LOOP
        one := heads[number];
        WHILE root[one] <> one LOOP
            root[one] := root[root[one]];
            one := root[one];
        END LOOP;
        other := tails[number];
        WHILE root[other] <> other LOOP
            root[other] := root[root[other]];
            other := root[other];
        END LOOP;
        IF one < other THEN
            root[other] := one;
        ELSIF other < one THEN
            root[one] := other;
        END IF;
    END LOOP;
    FOR number IN 1..cardinality(nodes) LOOP
        root[number] := root[root[number]];
    END LOOP;

    -- Without a person: who is alone.
    WITH member AS (
        SELECT
            node.id,
            node.root,
            count(*) OVER same AS size,
            bool_or(coalesce(known.is_oversized, false)) OVER same AS is_of_oversized
        FROM unnest(nodes, root) AS node (id, root)
        LEFT JOIN product_identities AS known ON known.tenant_id = tenant AND known.user_id = node.id
        WINDOW same AS (PARTITION BY node.root)
    )
    SELECT
        array_agg(member.id),
        array_agg(
            CASE
                WHEN member.is_of_oversized OR member.size > members_max THEN member.id
                WHEN member.size > 1 THEN nodes[member.root]
            END),
        array_agg(member.is_of_oversized OR member.size > members_max)
    INTO nodes, persons, oversized
    FROM member;

    DELETE FROM product_identities AS known
    USING unnest(nodes, persons, oversized) AS wanted (id, person, is_oversized)
    WHERE known.tenant_id = tenant
        AND known.user_id = wanted.id
        AND (known.person_id, known.is_oversized) IS DISTINCT FROM (wanted.person, wanted.is_oversized);
    GET DIAGNOSTICS added = ROW_COUNT;
    removed := removed + added;

    INSERT INTO product_identities (tenant_id, user_id, person_id, is_oversized)
    SELECT tenant, wanted.id, wanted.person, wanted.is_oversized
    FROM unnest(nodes, persons, oversized) AS wanted (id, person, is_oversized)
    WHERE wanted.person IS NOT NULL
    ORDER BY wanted.id
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS added = ROW_COUNT;

    IF removed + added > 0 THEN
        INSERT INTO product_changes AS changes (tenant_id, n)
        VALUES (tenant, 1)
        ON CONFLICT (tenant_id) DO UPDATE SET n = changes.n + 1;
    END IF;
END
$join$;

CREATE FUNCTION product_links_changed()
    RETURNS trigger
    LANGUAGE plpgsql
    SET search_path FROM CURRENT
AS $changed$
DECLARE
    links record;
BEGIN
    -- Of an upsert that found all its rows there is nothing here.
    IF NOT EXISTS (SELECT FROM changed) THEN
        RETURN NULL;
    END IF;
    -- One session at a time, until its COMMIT: two that join the same ids would not see each other's links.
    LOCK TABLE product_changes IN SHARE ROW EXCLUSIVE MODE;
    FOR links IN
        SELECT tenant_id AS tenant, array_agg(user_id) AS users, array_agg(linked_id) AS linked
        FROM (SELECT DISTINCT tenant_id, user_id, linked_id FROM changed) AS pairs
        GROUP BY tenant_id
        ORDER BY tenant_id
    LOOP
        PERFORM product_join(links.tenant, links.users, links.linked, TG_OP = 'DELETE');
    END LOOP;
    RETURN NULL;
END
$changed$;

CREATE TRIGGER product_anonymous_links_added
    AFTER INSERT ON product_anonymous_links
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION product_links_changed();

CREATE TRIGGER product_anonymous_links_removed
    AFTER DELETE ON product_anonymous_links
    REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION product_links_changed();

CREATE TRIGGER product_previous_links_added
    AFTER INSERT ON product_previous_links
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION product_links_changed();

CREATE TRIGGER product_previous_links_removed
    AFTER DELETE ON product_previous_links
    REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION product_links_changed();

-- Nothing but the erasure of a user takes days away, which leaves the number of events as it is.
CREATE FUNCTION product_user_days_changed()
    RETURNS trigger
    LANGUAGE plpgsql
    SET search_path FROM CURRENT
AS $days$
BEGIN
    INSERT INTO product_changes AS changes (tenant_id, n)
    SELECT DISTINCT tenant_id, 1 FROM changed ORDER BY tenant_id
    ON CONFLICT (tenant_id) DO UPDATE SET n = changes.n + 1;
    RETURN NULL;
END
$days$;

CREATE TRIGGER product_user_days_removed
    AFTER DELETE ON product_user_days
    REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION product_user_days_changed();

-- The erasure of a user puts a pseudonym wherever an id stands. Here it goes with its links.
CREATE FUNCTION product_kept_as_made()
    RETURNS trigger
    LANGUAGE plpgsql
    SET search_path FROM CURRENT
AS $kept$
BEGIN
    RETURN NULL;
END
$kept$;

CREATE TRIGGER product_identities_kept
    BEFORE UPDATE ON product_identities
    FOR EACH ROW EXECUTE FUNCTION product_kept_as_made();

CREATE TRIGGER product_shared_ids_kept
    BEFORE UPDATE ON product_shared_ids
    FOR EACH ROW EXECUTE FUNCTION product_kept_as_made();

-- What is read: the rows of the session's tenant (setting millrace.tenant, 0 without it).
CREATE VIEW product_identity_counts AS
SELECT
    tenant_id,
    count(DISTINCT person_id) FILTER (WHERE NOT is_oversized) AS persons,
    count(*) FILTER (WHERE NOT is_oversized) AS joined_ids,
    count(*) FILTER (WHERE is_oversized) AS oversized_ids,
    (
        SELECT count(*)
        FROM product_shared_ids AS shared
        WHERE shared.tenant_id = identity.tenant_id
    ) AS shared_ids
FROM product_identities AS identity
WHERE tenant_id = (SELECT public.millrace_tenant())
GROUP BY tenant_id;

-- Reports. Each is one statement over the events of one tenant within a time range, planned for its values; what has no
-- user_id is of nobody, and in none.

-- Ordered steps: how many persons had an event of the first type within the time range, and then, at most `within` later,
-- one of each of the following types, in order. By day: who began on that day. By a property of the first event: who began
-- with that value. A person counts once in each row, by what went furthest.
CREATE FUNCTION product_funnel(
    steps text[],
    since timestamptz,
    until timestamptz,
    within interval DEFAULT '7 days',
    bucket text DEFAULT 'none',
    property text[] DEFAULT NULL,
    most integer DEFAULT 20
)
    RETURNS TABLE (
        bucket_start timestamptz, value text, step integer, event_type text, n bigint, conversion double precision
    )
    LANGUAGE plpgsql
    STABLE
    SET work_mem = '64MB'
    SET jit = off
    SET search_path FROM CURRENT
AS $funnel$
DECLARE
    count CONSTANT integer := coalesce(cardinality(steps), 0);
    chain text;
    columns text;
BEGIN
    IF count NOT BETWEEN 1 AND 10 OR array_position(steps, NULL) IS NOT NULL THEN
        RAISE EXCEPTION 'a funnel has 1 to 10 steps, each an event type' USING ERRCODE = '22023';
    END IF;
    IF bucket NOT IN ('none', 'hour', 'day', 'week', 'month') THEN
        RAISE EXCEPTION 'bucket is one of none, hour, day, week, month' USING ERRCODE = '22023';
    END IF;
    -- Of each event: its steps, a bit each.
    chain := format(
        $sql$
        SELECT
            coalesce(identity.person_id, event.user_id) AS person,
            event.created_at AS at,
            event.id,
            %s AS bits,
            %s AS value
        FROM public.analytics_events AS event
        LEFT JOIN product_identities AS identity
            ON identity.tenant_id = event.tenant_id AND identity.user_id = event.user_id
        WHERE event.tenant_id = $1
            AND event.event_type = ANY ($2)
            AND event.created_at >= $3
            AND event.created_at < $4 + $5
            AND event.user_id IS NOT NULL
        $sql$,
        (
            SELECT string_agg(format('CASE WHEN event.event_type = $2[%s] THEN %s ELSE 0 END', number, 1 << number), ' + ')
            FROM generate_series(1, count) AS number
        ),
        CASE
            WHEN property IS NULL THEN 'NULL::text'
            ELSE 'CASE WHEN event.event_type = $2[1] THEN coalesce(left(event.payload #>> $6, 200), '''') END'
        END);
    -- When the nearest later event of a step was, and those behind it: the earliest end of a chain, from the last step on.
    FOR number IN REVERSE count..2 LOOP
        SELECT string_agg(
            format(
                'min(%s) FILTER (WHERE bits & %s <> 0) OVER later AS t%s',
                CASE WHEN following = number THEN 'at' ELSE 't' || following END, 1 << number, following), ', ')
        INTO columns
        FROM generate_series(number, count) AS following;
        chain := format(
            $sql$
            SELECT person, at, id, bits, value, %s
            FROM (%s) AS chain
            WINDOW later AS (PARTITION BY person ORDER BY at DESC, id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
            $sql$, columns, chain);
    END LOOP;
    RETURN QUERY EXECUTE format(
        $sql$
        WITH begun AS (
            SELECT person, %1$s AS bucket_start, value, max(1%2$s) AS depth
            FROM (%3$s) AS chain
            WHERE bits & 2 <> 0 AND at < $4
            GROUP BY 1, 2, 3
        ), counted AS (
            SELECT bucket_start, value, depth, count(*) AS n FROM begun GROUP BY 1, 2, 3
        ), shown AS (
            SELECT value FROM counted GROUP BY 1 ORDER BY sum(n) DESC, value LIMIT greatest($7, 1)
        )
        SELECT
            bucket_start,
            counted.value,
            step,
            $2[step],
            (coalesce(sum(n) FILTER (WHERE depth >= step), 0))::bigint,
            round(coalesce(sum(n) FILTER (WHERE depth >= step), 0) / sum(n), 4)::double precision
        FROM counted
        JOIN shown ON shown.value IS NOT DISTINCT FROM counted.value
        CROSS JOIN generate_series(1, %4$s) AS step
        GROUP BY 1, 2, 3
        ORDER BY 1, 2, 3
        $sql$,
        CASE
            WHEN bucket = 'none' THEN 'NULL::timestamptz'
            ELSE format('date_trunc(%L, at, ''UTC'')', bucket)
        END,
        (
            SELECT coalesce(string_agg(format(' + CASE WHEN t%s <= at + $5 THEN 1 ELSE 0 END', number), ''), '')
            FROM generate_series(2, count) AS number
        ),
        chain, count)
    USING public.millrace_tenant(), steps, since, until, within, property, most;
END
$funnel$;

-- Of the persons whose first event ever was in a period of time (their cohort): how many had an event in that period, the
-- next one, and so on. By days, of which UTC says where they begin.
CREATE FUNCTION product_retention(
    since timestamptz,
    until timestamptz,
    period text DEFAULT 'week',
    periods integer DEFAULT 8
)
    RETURNS TABLE (cohort timestamptz, period_number integer, n bigint, rate double precision)
    LANGUAGE plpgsql
    STABLE
    SET work_mem = '64MB'
    SET jit = off
    SET search_path FROM CURRENT
AS $retention$
DECLARE
    first_day CONSTANT timestamptz := date_trunc(period, since, 'UTC');
    last_day timestamptz;
BEGIN
    IF period NOT IN ('day', 'week', 'month') THEN
        RAISE EXCEPTION 'period is one of day, week, month' USING ERRCODE = '22023';
    END IF;
    IF periods NOT BETWEEN 1 AND 100 THEN
        RAISE EXCEPTION 'periods is from 1 to 100' USING ERRCODE = '22023';
    END IF;
    last_day := (until AT TIME ZONE 'UTC' + make_interval(
        days => CASE period WHEN 'day' THEN 1 WHEN 'week' THEN 7 ELSE 0 END * periods,
        months => CASE period WHEN 'month' THEN periods ELSE 0 END)) AT TIME ZONE 'UTC';
    RETURN QUERY EXECUTE $sql$
        WITH active AS MATERIALIZED (
            SELECT DISTINCT coalesce(identity.person_id, day.user_id) AS person, date_trunc($4, day.bucket, 'UTC') AS start
            FROM product_user_days AS day
            LEFT JOIN product_identities AS identity
                ON identity.tenant_id = day.tenant_id AND identity.user_id = day.user_id
            WHERE day.tenant_id = $1 AND day.bucket >= $2 AND day.bucket < $3 AND day.n > 0
        ), earlier AS (
            SELECT DISTINCT coalesce(identity.person_id, day.user_id) AS person
            FROM product_user_days AS day
            LEFT JOIN product_identities AS identity
                ON identity.tenant_id = day.tenant_id AND identity.user_id = day.user_id
            WHERE day.tenant_id = $1 AND day.bucket < $2 AND day.n > 0
        ), begun AS (
            SELECT active.person, min(active.start) AS cohort
            FROM active
            WHERE NOT EXISTS (SELECT FROM earlier WHERE earlier.person = active.person)
            GROUP BY active.person
        ), counted AS (
            SELECT begun.cohort, active.start, count(*) AS n
            FROM begun
            JOIN active ON active.person = begun.person
            WHERE begun.cohort < $6
            GROUP BY 1, 2
        ), size AS (
            SELECT counted.cohort, counted.n FROM counted WHERE counted.start = counted.cohort
        )
        SELECT
            size.cohort,
            number,
            coalesce(counted.n, 0),
            round(coalesce(counted.n, 0)::numeric / size.n, 4)::double precision
        FROM size
        CROSS JOIN generate_series(0, $5 - 1) AS number
        CROSS JOIN LATERAL (
            SELECT (size.cohort AT TIME ZONE 'UTC' + number * ('1 ' || $4)::interval) AT TIME ZONE 'UTC' AS start
        ) AS wanted
        LEFT JOIN counted ON counted.cohort = size.cohort AND counted.start = wanted.start
        WHERE wanted.start < least($3, now())
        ORDER BY 1, 2
        $sql$
    USING public.millrace_tenant(), first_day, last_day, period, periods, until;
END
$retention$;

-- A session is a person's events of which none comes more than `gap` after the one before. What lies outside of the time
-- range is not looked at. A session counts where it begins; one with a single event is a bounce.
CREATE FUNCTION product_sessions(
    since timestamptz,
    until timestamptz,
    gap interval DEFAULT '30 minutes',
    bucket text DEFAULT 'none'
)
    RETURNS TABLE (
        bucket_start timestamptz, n bigint, events bigint, bounces bigint, bounce_rate double precision,
        seconds_average double precision, seconds_longest double precision
    )
    LANGUAGE plpgsql
    STABLE
    SET work_mem = '64MB'
    SET jit = off
    SET search_path FROM CURRENT
AS $sessions$
BEGIN
    IF bucket NOT IN ('none', 'hour', 'day', 'week', 'month') THEN
        RAISE EXCEPTION 'bucket is one of none, hour, day, week, month' USING ERRCODE = '22023';
    END IF;
    RETURN QUERY EXECUTE format(
        $sql$
        WITH event AS (
            SELECT coalesce(identity.person_id, event.user_id) AS person, event.created_at AS at
            FROM public.analytics_events AS event
            LEFT JOIN product_identities AS identity
                ON identity.tenant_id = event.tenant_id AND identity.user_id = event.user_id
            WHERE event.tenant_id = $1
                AND event.created_at >= $2
                AND event.created_at < $3
                AND event.user_id IS NOT NULL
        ), spaced AS (
            SELECT
                person,
                at,
                row_number() OVER earlier AS place,
                coalesce(at - lag(at) OVER earlier > $4, true) AS begins,
                coalesce(lead(at) OVER earlier - at > $4, true) AS ends
            FROM event
            WINDOW earlier AS (PARTITION BY person ORDER BY at)
        ), bounds AS (
            -- Of each session the first event and the last.
            SELECT
                at,
                ends,
                CASE WHEN begins THEN at ELSE lag(at) OVER earlier END AS begun,
                CASE WHEN begins THEN 1 ELSE place - lag(place) OVER earlier + 1 END AS events
            FROM spaced
            WHERE begins OR ends
            WINDOW earlier AS (PARTITION BY person ORDER BY place)
        )
        SELECT
            %s,
            count(*),
            sum(events)::bigint,
            count(*) FILTER (WHERE events = 1),
            round(count(*) FILTER (WHERE events = 1) / count(*)::numeric, 4)::double precision,
            round(avg(extract(epoch FROM at - begun)), 3)::double precision,
            max(extract(epoch FROM at - begun))::double precision
        FROM bounds
        WHERE ends
        GROUP BY 1
        ORDER BY 1
        $sql$,
        CASE
            WHEN bucket = 'none' THEN 'NULL::timestamptz'
            ELSE format('date_trunc(%L, begun, ''UTC'')', bucket)
        END)
    USING public.millrace_tenant(), since, until, gap;
END
$sessions$;

-- What comes next: the types of the up to `length` events that follow each event of `first_type`, in the order of
-- their times, as long as none comes more than `gap` after the one before. Without it: from the first event of a session.
CREATE FUNCTION product_paths(
    since timestamptz,
    until timestamptz,
    first_type text DEFAULT NULL,
    length integer DEFAULT 3,
    gap interval DEFAULT '30 minutes',
    most integer DEFAULT 100
)
    RETURNS TABLE (path text[], n bigint)
    LANGUAGE plpgsql
    STABLE
    SET work_mem = '64MB'
    SET jit = off
    SET search_path FROM CURRENT
AS $paths$
BEGIN
    IF length NOT BETWEEN 1 AND 10 THEN
        RAISE EXCEPTION 'length is from 1 to 10' USING ERRCODE = '22023';
    END IF;
    RETURN QUERY EXECUTE format(
        $sql$
        WITH event AS (
            SELECT coalesce(identity.person_id, event.user_id) AS person, event.created_at AS at, event.id, event.event_type
            FROM public.analytics_events AS event
            LEFT JOIN product_identities AS identity
                ON identity.tenant_id = event.tenant_id AND identity.user_id = event.user_id
            WHERE event.tenant_id = $1
                AND event.created_at >= $2
                AND event.created_at < $3
                AND event.user_id IS NOT NULL
                %s
        ), followed AS (
            SELECT
                event_type,
                coalesce(at - lag(at) OVER later > $5, true) AS begins,
                %s
            FROM event
            WINDOW later AS (PARTITION BY person ORDER BY at, id)
        )
        SELECT path, count(*)
        FROM (SELECT %s AS path FROM followed WHERE %s) AS paths
        GROUP BY 1
        ORDER BY 2 DESC, 1
        LIMIT greatest($6, 1)
        $sql$,
        -- Persons who had none of the type begin no path.
        CASE
            WHEN first_type IS NOT NULL THEN $sql$
                AND coalesce(identity.person_id, event.user_id) IN (
                    SELECT coalesce(identity.person_id, event.user_id)
                    FROM public.analytics_events AS event
                    LEFT JOIN product_identities AS identity
                        ON identity.tenant_id = event.tenant_id AND identity.user_id = event.user_id
                    WHERE event.tenant_id = $1
                        AND event.event_type = $4
                        AND event.created_at >= $2
                        AND event.created_at < $3)
            $sql$
        END,
        (
            SELECT string_agg(
                format(
                    'lead(event_type, %1$s) OVER later AS type%1$s, lead(at, %1$s) OVER later - lead(at, %2$s) OVER later '
                    || '<= $5 AS goes%1$s', number, number - 1), ', ')
            FROM generate_series(1, length) AS number
        ),
        (
            SELECT 'array_remove(ARRAY[event_type, ' || string_agg(
                format('CASE WHEN %s THEN type%s END', (
                    SELECT string_agg(format('goes%s', earlier), ' AND ') FROM generate_series(1, number) AS earlier
                ), number), ', ' ORDER BY number) || '], NULL)'
            FROM generate_series(1, length) AS number
        ),
        CASE WHEN first_type IS NULL THEN 'begins' ELSE 'event_type = $4' END)
    USING public.millrace_tenant(), since, until, first_type, gap, most;
END
$paths$;

COMMENT ON TABLE product_events_by_day IS 'Events by day (UTC); sum n over the slots.';
COMMENT ON TABLE product_user_days IS 'Who had events on which day (UTC); sum n over the slots.';
COMMENT ON TABLE product_anonymous_links IS 'Users and the anonymous ids that their events name, by month.';
COMMENT ON TABLE product_previous_links IS 'Users and the former ids that their events name, by month.';
COMMENT ON TABLE product_identities IS 'Which person an id is of: the least of the ids that links join. An id without a row is a person of its own.';
COMMENT ON COLUMN product_identities.is_oversized IS 'More than 1,000 ids would be one person: each is one of its own.';
COMMENT ON TABLE product_shared_ids IS 'Ids that more than 10 others are linked with, whose links join nobody.';
COMMENT ON TABLE product_changes IS 'How often persons changed: other reports, of the same events. For locking, too.';
COMMENT ON VIEW product_identity_counts IS 'Persons of several ids, and ids that the bounds keep apart.';
COMMENT ON FUNCTION product_funnel IS 'Persons that went through event types in order.';
COMMENT ON FUNCTION product_retention IS 'Persons by when they first came, and whether they came back.';
COMMENT ON FUNCTION product_sessions IS 'Sessions: how many, how long, how many of one event.';
COMMENT ON FUNCTION product_paths IS 'Which events come after which.';
