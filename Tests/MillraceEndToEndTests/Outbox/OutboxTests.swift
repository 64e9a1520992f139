import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct OutboxTests {
        private static let waiting = "SELECT count(*) FROM public.outbox"

        /// Waits until the outbox is empty.
        private func waitUntilEmpty(_ auditor: Auditor, within limit: Duration = .seconds(60)) throws {
            var last = -1
            let isEmpty = eventually(within: limit) {
                last = (try? auditor.integer(Self.waiting)) ?? last
                return last == 0
            }
            guard isEmpty else { throw TestSupportError(message: "\(last) rows in the outbox after \(limit)") }
        }

        @Test func `an event written in a transaction is in the tables once it is committed, and only then`() throws {
            let installation = try Installation(settings: ["outbox.poll": "\"20ms\""])
            let auditor = installation.auditor
            try installation.daemon.start()
            let connection = try installation.database.connect()
            let insert = """
                INSERT INTO public.outbox (event_type, user_id, payload)
                SELECT 'app.saved', '843d440a-a7a7-45ee-96df-3568c37384b9', jsonb_build_object('n', n, 'text', E'é\\n"')
                FROM generate_series(1, 2500) AS n
                """
            try connection.execute("BEGIN; \(insert); ROLLBACK")
            try connection.execute("BEGIN; \(insert)")
            try installation.database.connect().execute("INSERT INTO public.outbox (event_type) VALUES ('app.other')")
            try auditor.waitForRows(1)
            #expect(try auditor.events == 1)
            try connection.execute("COMMIT")
            try auditor.waitForRows(2501)
            try waitUntilEmpty(auditor)
            let events = try connection.execute(
                """
                SELECT count(DISTINCT id), count(DISTINCT payload -> 'n'), min(payload ->> 'text'),
                    bool_and(user_id = '843d440a-a7a7-45ee-96df-3568c37384b9')
                FROM public.analytics_events WHERE event_type = 'app.saved'
                """)
            #expect(events.int(0, 0) == 2500 && events.int(0, 1) == 2500 && events.bool(0, 3) == true)
            #expect(events.string(0, 2) == "é\n\"")
            try auditor.verify(installation.daemon)
            let metrics = try HTTPClient.get("/metrics", at: installation.daemon.http).text
            #expect(metrics.contains("millrace_outbox_delivered_rows_total 2501\n"))
            #expect(metrics.contains("millrace_outbox_waiting_rows 0\n"))
            #expect(try installation.daemon.stop() == .status(0))
        }

        @Test func `what is no event goes to dead_letters and blocks nobody`() throws {
            let installation = try Installation(settings: ["outbox.poll": "\"20ms\""])
            let auditor = installation.auditor
            let connection = try installation.database.connect()
            try connection.execute(
                """
                INSERT INTO public.outbox (event_type, payload, created_at)
                VALUES
                    ('app.large', jsonb_build_object('text', repeat('x', 300000)), now()),
                    ('app.huge', jsonb_build_object('text', repeat('é', 3000000)), now()),
                    ('app.list', '[1]', now()),
                    ('', '{}', now()),
                    (repeat('t', 201), '{}', now()),
                    ('app.past', '{}', now() - interval '2 years'),
                    ('app.future', '{}', now() + interval '2 days'),
                    ('app.never', '{}', 'infinity'),
                    ('app.good', '{}', now() + interval '1 hour')
                """)
            try installation.daemon.start()
            try waitUntilEmpty(auditor)
            #expect(try auditor.strings("SELECT event_type FROM public.analytics_events") == ["app.good"])
            let codes = try auditor.strings(
                "SELECT code || CASE WHEN message LIKE '%outbox%' THEN '' ELSE '!' END FROM public.dead_letters")
            #expect(
                codes.sorted() == [
                    "created_at_out_of_range", "created_at_out_of_range", "invalid_created_at", "invalid_event_type",
                    "invalid_event_type", "invalid_payload", "line_too_long", "payload_too_large",
                ])
            let report = try auditor.verify(installation.daemon)
            #expect(report.total?.refused == 8)
            #expect(try installation.daemon.stop() == .status(0))
        }

        @Test func `checkouts while the daemon is killed again and again: each event once, and the outbox empty`()
            throws
        {
            let installation = try Installation(
                settings: [
                    "outbox.poll": "\"10ms\"", "outbox.batch_rows": "50", "database.retry_min": "\"5ms\"",
                    "database.retry_max": "\"100ms\"",
                ])
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            let shop = try OutboxShop(database: installation.database)
            let seed = SeededGenerator.seed("MILLRACE_OUTBOX_SEED")
            var random = SeededGenerator(seed: seed)
            try daemon.start()
            let buyers = (1...3).map { number in BackgroundThread { try shop.buy(as: number) } }
            for _ in 1...8 {
                let goal = shop.done + Int.random(in: 1...150, using: &random)
                _ = eventually(within: .seconds(10)) { shop.done >= goal }
                try daemon.kill()
                try daemon.start()
            }
            shop.close()
            for buyer in buyers { try buyer.join() }
            try waitUntilEmpty(auditor)
            #expect(try auditor.events == shop.done * OutboxShop.eventsPerCheckout)
            #expect(try auditor.integer("SELECT count(DISTINCT id) FROM public.analytics_events") == auditor.events)
            #expect(
                try auditor.strings(
                    """
                    SELECT 'order ' || kept.id
                    FROM projections.commerce_orders AS kept
                    LEFT JOIN public.analytics_events AS event
                        ON event.id = kept.event_id AND event.created_at = kept.event_at
                        AND event.payload = to_jsonb(kept) - '{tenant_id,event_at,event_id,deleted_at}'::text[]
                    WHERE event.id IS NULL
                    """) == [])
            try auditor.verify(daemon)
            print("\(shop.done) checkouts, \(try auditor.events) events")
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `of two daemons one takes rows, and the other one goes on when it is killed`() throws {
            let installation = try Installation(settings: ["outbox.poll": "\"10ms\""])
            let second = try DaemonProcess(
                databaseURL: installation.database.connectionString, settings: ["outbox.poll": "\"10ms\""])
            let auditor = installation.auditor
            let connection = try installation.database.connect()
            try installation.daemon.start()
            let insert = "INSERT INTO public.outbox (event_type) SELECT 'app.saved' FROM generate_series(1, 100)"
            try connection.execute(insert)
            try waitUntilEmpty(auditor)
            try second.start()
            try connection.execute(insert)
            try waitUntilEmpty(auditor)
            #expect(try auditor.integer("SELECT count(DISTINCT spool_id) FROM public.ingest_batches") == 1)
            try installation.daemon.kill()
            try connection.execute(insert)
            try waitUntilEmpty(auditor)
            #expect(try auditor.integer("SELECT count(DISTINCT spool_id) FROM public.ingest_batches") == 2)
            #expect(try auditor.events == 300)
            #expect(try second.stop() == .status(0))
        }

        @Test func `PostgreSQL comes and goes: rows wait, then leave, and a stop meanwhile is quick`() throws {
            let cluster = try TestCluster(isDurable: true)
            let installation = try Installation(
                cluster: cluster,
                settings: [
                    "outbox.poll": "\"10ms\"", "database.retry_min": "\"5ms\"", "database.retry_max": "\"100ms\"",
                    "database.drain_limit": "\"1s\"",
                ])
            let auditor = installation.auditor
            try installation.daemon.start()
            for _ in 1...3 {
                try installation.database.connect().execute(
                    "INSERT INTO public.outbox (event_type) SELECT 'app.saved' FROM generate_series(1, 500)")
                try cluster.stopImmediately()
                try cluster.start()
            }
            try waitUntilEmpty(auditor)
            #expect(try auditor.events == 1500)
            try cluster.stopImmediately()
            #expect(try installation.daemon.stop(within: .seconds(10)) == .status(0))
        }
    }
}
