import MillracePostgres
import MillraceProjections
import MillraceTestSupport
import Testing

/// The reports of the pack `product` beside a recount in plain SQL, which knows no windows.
@Suite(.onOwnThreads) struct ProductReportTests {
    /// Events of 40 ids in two tenants over a month, at times that are multiples of ten minutes: many at the same time, and
    /// many just a gap apart. A third of the ids are another's too.
    private static func database(_ name: String = #function, events: Int = 3000) throws -> TestDatabase {
        let seed = Int.random(in: 1...999_999)
        print("seed of the events: \(seed)")
        let database = try TestCluster.shared.database(name)
        let connection = try database.connect()
        for month in [8, 9] {
            try Partitions(connection: connection).ensure(
                #require(PartitionMonth(year: 2026, month: month)), of: .analyticsEvents)
        }
        try PackInstaller(connection: connection).install(PackLoader().load(["product"]))
        try connection.execute(
            """
            INSERT INTO analytics_events (id, tenant_id, event_type, user_id, payload, created_at, batch_id)
            SELECT
                md5('\(seed) id ' || i)::uuid,
                CASE WHEN i % 5 = 0 THEN 7 ELSE 0 END,
                (ARRAY['a', 'b', 'c', 'd', 'b'])[1 + random_of(i, 'type', 5)],
                CASE WHEN i % 11 > 0 THEN md5('user ' || random_of(i, 'user', 40))::uuid END,
                jsonb_build_object('plan', (ARRAY['free', 'team', NULL])[1 + random_of(i, 'plan', 3)],
                    'page', jsonb_build_object('path', '/' || random_of(i, 'path', 4))),
                '2026-08-20'::timestamptz + random_of(i, 'time', 3500) * interval '10 minutes',
                1
            FROM generate_series(1, \(events)) AS i;
            INSERT INTO projections.product_user_days (tenant_id, bucket, user_id, slot, n)
            SELECT tenant_id, date_trunc('day', created_at, 'UTC'), user_id, extract(minute FROM created_at)::integer % 2, count(*)
            FROM analytics_events
            WHERE user_id IS NOT NULL
            GROUP BY 1, 2, 3, 4;
            INSERT INTO projections.product_anonymous_links (tenant_id, user_id, linked_id, bucket, slot, n)
            SELECT tenant, md5('user ' || i)::uuid, md5('user ' || i + 20 + tenant)::uuid, '2026-08-01', 0, 1
            FROM generate_series(0, 12) AS i, unnest(ARRAY[0, 7]) AS tenant;
            ANALYZE
            """.replacingRandom(seed))
        return database
    }

    /// A view of the session's tenant's events as persons'.
    private static let events = """
        SET millrace.tenant = '7';
        CREATE TEMPORARY TABLE e AS
        SELECT coalesce(person_id, event.user_id) AS person, created_at AS at, id, event_type, payload
        FROM analytics_events AS event
        LEFT JOIN projections.product_identities AS identity USING (tenant_id, user_id)
        WHERE event.user_id IS NOT NULL AND tenant_id = 7;
        """

    private func compare(
        _ database: TestDatabase, _ found: String, _ should: String, rows: ClosedRange<Int>,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        func strings(_ sql: String) throws -> [String] {
            let connection = try database.connect()
            try connection.execute(Self.events)
            // As the read API's sessions are.
            try connection.execute("SET enable_seqscan = off; SET max_parallel_workers_per_gather = 0")
            let rows = try connection.execute("SELECT r::text FROM (\(sql)) AS r")
            return (0..<rows.rowCount).compactMap { rows.string($0, 0) }
        }
        let (made, recounted) = (try strings(found), try strings(should))
        #expect(rows.contains(made.count), "\(made.count) rows", sourceLocation: sourceLocation)
        #expect(made == recounted, sourceLocation: sourceLocation)
    }

    // MARK: - Funnels

    private static func funnelRecount(bucket: String, value: String) -> String {
        """
        WITH start AS (
            SELECT person, at, id, \(bucket) AS bucket, \(value) AS value
            FROM e
            WHERE event_type = 'a' AND at >= '2026-08-25' AND at < '2026-09-05'
        ), depth AS (
            SELECT person, bucket, value, max(
                CASE
                    WHEN EXISTS (
                        SELECT FROM e AS two JOIN e AS three ON (three.at, three.id) > (two.at, two.id)
                            AND three.person = two.person
                        WHERE two.person = start.person AND two.event_type = 'b' AND three.event_type = 'c'
                            AND (two.at, two.id) > (start.at, start.id) AND three.at <= start.at + interval '1 day'
                    ) THEN 3
                    WHEN EXISTS (
                        SELECT FROM e AS two
                        WHERE two.person = start.person AND two.event_type = 'b'
                            AND (two.at, two.id) > (start.at, start.id) AND two.at <= start.at + interval '1 day'
                    ) THEN 2
                    ELSE 1
                END) AS depth
            FROM start
            GROUP BY 1, 2, 3
        )
        SELECT bucket, value, step, (ARRAY['a', 'b', 'c'])[step], count(*) FILTER (WHERE depth >= step),
            round(count(*) FILTER (WHERE depth >= step) / count(*)::numeric, 4)::double precision
        FROM depth, generate_series(1, 3) AS step
        GROUP BY 1, 2, 3
        ORDER BY 1, 2, 3
        """
    }

    @Test func `a funnel equals its recount, whole, by day and by a property`() throws {
        let database = try Self.database()
        func funnel(_ more: String = "") -> String {
            """
            SELECT * FROM projections.product_funnel('{a,b,c}', '2026-08-25', '2026-09-05', '1 day'\(more))
            """
        }
        try compare(
            database, funnel(), Self.funnelRecount(bucket: "NULL::timestamptz", value: "NULL::text"), rows: 3...3)
        try compare(
            database, funnel(", 'day'"),
            Self.funnelRecount(bucket: "date_trunc('day', at, 'UTC')", value: "NULL::text"), rows: 30...33)
        try compare(
            database, funnel(", property => '{plan}'"),
            Self.funnelRecount(bucket: "NULL::timestamptz", value: "coalesce(payload ->> 'plan', '')"), rows: 9...9)
        try compare(
            database, funnel(", 'week', '{page,path}'"),
            Self.funnelRecount(bucket: "date_trunc('week', at, 'UTC')", value: "payload #>> '{page,path}'"),
            rows: 20...36)
    }

    @Test func `a step that is the same type again wants another event, and values are those of most persons`() throws {
        let database = try Self.database(events: 400)
        try compare(
            database,
            "SELECT step, n FROM projections.product_funnel('{b,b}', '2026-08-20', '2026-10-01', '3 days')",
            """
            SELECT step, count(*) FILTER (WHERE depth >= step)
            FROM (
                SELECT one.person, max(CASE WHEN two.id IS NULL THEN 1 ELSE 2 END) AS depth
                FROM e AS one
                LEFT JOIN e AS two ON two.person = one.person AND two.event_type = 'b'
                    AND (two.at, two.id) > (one.at, one.id) AND two.at <= one.at + interval '3 days'
                WHERE one.event_type = 'b'
                GROUP BY 1
            ) AS depths, generate_series(1, 2) AS step
            GROUP BY 1
            ORDER BY 1
            """, rows: 2...2)
        try compare(
            database,
            """
            SELECT DISTINCT value
            FROM projections.product_funnel('{b,c}', '2026-08-20', '2026-10-01', '3 days', property => '{page,path}', most => 1)
            """,
            """
            SELECT payload #>> '{page,path}'
            FROM e
            WHERE event_type = 'b'
            GROUP BY 1
            ORDER BY count(DISTINCT person) DESC, 1
            LIMIT 1
            """, rows: 1...1)
    }

    // MARK: - Retention

    @Test(arguments: ["day", "week", "month"]) func `retention equals its recount`(_ period: String) throws {
        let database = try Self.database()
        try compare(
            database, "SELECT * FROM projections.product_retention('2026-08-20', '2026-09-07', '\(period)', 4)",
            """
            WITH active AS (
                SELECT DISTINCT person, date_trunc('\(period)', at, 'UTC') AS start FROM e
            ), begun AS (
                SELECT person, min(start) AS cohort FROM active GROUP BY 1
            )
            SELECT cohort, number, count(active.start), round(count(active.start) / count(*)::numeric, 4)::double precision
            FROM begun
            CROSS JOIN generate_series(0, 3) AS number
            LEFT JOIN active ON active.person = begun.person
                AND active.start = (cohort AT TIME ZONE 'UTC' + number * interval '1 \(period)') AT TIME ZONE 'UTC'
            WHERE cohort >= date_trunc('\(period)', '2026-08-20'::timestamptz, 'UTC') AND cohort < '2026-09-07'
                AND (cohort AT TIME ZONE 'UTC' + number * interval '1 \(period)') AT TIME ZONE 'UTC' < now()
            GROUP BY 1, 2
            ORDER BY 1, 2
            """, rows: 4...80)
    }

    // MARK: - Sessions

    private static func sessionRecount(bucket: String, gap: String) -> String {
        """
        WITH event AS (
            SELECT person, at FROM e WHERE at >= '2026-08-25 00:05' AND at < '2026-09-05 12:00'
        ), start AS (
            SELECT DISTINCT person, at
            FROM event AS one
            WHERE NOT EXISTS (
                SELECT FROM event AS earlier
                WHERE earlier.person = one.person AND earlier.at < one.at AND earlier.at >= one.at - interval '\(gap)')
        ), session AS (
            SELECT person, begun, count(*) AS events, max(at) - begun AS length
            FROM (
                SELECT person, at, (
                    SELECT max(start.at) FROM start WHERE start.person = event.person AND start.at <= event.at
                ) AS begun
                FROM event
            ) AS placed
            GROUP BY 1, 2
        )
        SELECT \(bucket), count(*), sum(events)::bigint, count(*) FILTER (WHERE events = 1),
            round(count(*) FILTER (WHERE events = 1) / count(*)::numeric, 4)::double precision,
            round(avg(extract(epoch FROM length)), 3)::double precision,
            max(extract(epoch FROM length))::double precision
        FROM session
        GROUP BY 1
        ORDER BY 1
        """
    }

    @Test func `sessions equal their recount, whole and by day, for several gaps`() throws {
        let database = try Self.database()
        for (gap, bucket) in [
            ("30 minutes", "none"), ("2 hours", "day"), ("10 minutes", "week"), ("5 minutes", "hour"),
        ] {
            let start = bucket == "none" ? "NULL::timestamptz" : "date_trunc('\(bucket)', begun, 'UTC')"
            try compare(
                database,
                """
                SELECT * FROM projections.product_sessions('2026-08-25 00:05', '2026-09-05 12:00', '\(gap)', '\(bucket)')
                """, Self.sessionRecount(bucket: start, gap: gap), rows: 1...300)
        }
    }

    // MARK: - Paths

    private static func pathRecount(begins: String) -> String {
        """
        WITH event AS (
            SELECT person, at, id, event_type, (
                SELECT count(*) FROM e AS earlier WHERE earlier.person = e.person AND (earlier.at, earlier.id) < (e.at, e.id)
                    AND earlier.at >= '2026-08-25'
            ) AS place
            FROM e
            WHERE at >= '2026-08-25' AND at < '2026-09-10'
        )
        SELECT array_remove(ARRAY[one.event_type, two.event_type, three.event_type, four.event_type], NULL) AS path, count(*)
        FROM event AS one
        LEFT JOIN event AS two
            ON two.person = one.person AND two.place = one.place + 1 AND two.at - one.at <= interval '3 hours'
        LEFT JOIN event AS three
            ON three.person = one.person AND three.place = two.place + 1 AND three.at - two.at <= interval '3 hours'
        LEFT JOIN event AS four
            ON four.person = one.person AND four.place = three.place + 1 AND four.at - three.at <= interval '3 hours'
        WHERE \(begins)
        GROUP BY 1
        ORDER BY 2 DESC, 1
        """
    }

    @Test func `paths equal their recount, from a type and from the first event of a session`() throws {
        let database = try Self.database()
        try compare(
            database,
            "SELECT * FROM projections.product_paths('2026-08-25', '2026-09-10', 'c', 3, '3 hours', 1000)",
            Self.pathRecount(begins: "one.event_type = 'c'"), rows: 2...85)
        try compare(
            database,
            "SELECT * FROM projections.product_paths('2026-08-25', '2026-09-10', NULL, 3, '3 hours', 1000)",
            Self.pathRecount(
                begins: """
                    NOT EXISTS (
                        SELECT FROM event AS earlier WHERE earlier.person = one.person AND earlier.place = one.place - 1
                            AND one.at - earlier.at <= interval '3 hours')
                    """), rows: 2...200)
        try compare(
            database,
            "SELECT count(*), sum(n) FROM projections.product_paths('2026-08-25', '2026-09-10', 'a', 1, '3 hours', 2)",
            "SELECT 2, n FROM (SELECT sum(n) AS n FROM (SELECT count(*) AS n FROM (\(Self.nextOf("a"))) AS x GROUP BY type ORDER BY 1 DESC LIMIT 2) AS y) AS z",
            rows: 1...1)
    }

    private static func nextOf(_ type: String) -> String {
        """
        SELECT (
            SELECT next.event_type FROM e AS next
            WHERE next.person = one.person AND (next.at, next.id) > (one.at, one.id)
                AND next.at <= one.at + interval '3 hours' AND next.at < '2026-09-10'
            ORDER BY next.at, next.id
            LIMIT 1
        ) AS type
        FROM e AS one
        WHERE one.event_type = '\(type)' AND at >= '2026-08-25' AND at < '2026-09-10'
        """
    }
}

extension String {
    /// `random_of(i, name, n)`: 0 ..< n, of the seed.
    fileprivate func replacingRandom(_ seed: Int) -> String {
        replacing(#/random_of\(i, ('[a-z]+'), (\d+)\)/#) { match in
            "(abs(hashtextextended(\(match.output.1) || i, \(seed))) % \(match.output.2))::integer"
        }
    }
}
