import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct RightsTests {
        @Test(arguments: ["ROLE millrace IN DATABASE", "DATABASE"])
        func `settings of the role or the database do not reach the daemon's sessions`(level: String) throws {
            let mishap = try Mishap("settings")
            for (name, value) in [
                ("statement_timeout", "5ms"), ("lock_timeout", "1ms"), ("idle_in_transaction_session_timeout", "1ms"),
                ("default_transaction_read_only", "on"), ("default_transaction_isolation", "serializable"),
                ("default_transaction_deferrable", "on"), ("search_path", "nowhere"), ("DateStyle", "German"),
                ("TimeZone", "Asia/Kathmandu"), ("IntervalStyle", "sql_standard"), ("array_nulls", "off"),
                ("quote_all_identifiers", "on"), ("standard_conforming_strings", "off"), ("bytea_output", "escape"),
            ] {
                try mishap.administer("ALTER \(level) \(mishap.installation.database.name) SET \(name) = '\(value)'")
            }
            #expect(try mishap.daemon.stop() == .status(0))
            try mishap.daemon.start()
            try mishap.daemon.waitUntil("/readyz")
            let twice = try Mishap.event(in: -2, "größer")
            let events = EventFactory(seed: 91)
            #expect(try mishap.post([twice] + Mishap.events(20), isAwaited: true).status == 200)
            #expect(try mishap.post([twice] + Mishap.events(20), isAwaited: true).status == 200)
            let response = try HTTPClient(mishap.daemon.http).postEvents(events.lines(0..<200), query: "?ack=committed")
            #expect(response.status == 200)
            #expect(try eventually { try Readiness.of(mishap.daemon).writing })
            #expect(try mishap.daemon.stop() == .status(0))
            try mishap.administer("ALTER \(level) \(mishap.installation.database.name) RESET ALL")
            #expect(try mishap.auditor.rows == 241)
            try mishap.auditor.verify(mishap.daemon)
        }

        @Test func `a policy that is forced on a month is told, and hides or loses nothing`() throws {
            let mishap = try Mishap()
            let leaf = try Mishap.leaf()
            try mishap.execute(
                "ALTER TABLE \(leaf) ENABLE ROW LEVEL SECURITY; ALTER TABLE \(leaf) FORCE ROW LEVEL SECURITY")
            #expect(try mishap.post(Mishap.events(10)).status == 202)
            try mishap.waitForStall("42501")
            #expect(try mishap.auditor.integer("SELECT count(*) FROM public.dead_letters") == 0)
            try mishap.execute(
                "ALTER TABLE \(leaf) NO FORCE ROW LEVEL SECURITY; ALTER TABLE \(leaf) DISABLE ROW LEVEL SECURITY")
            try mishap.auditor.waitForRows(10)
            try mishap.waitForHealth()
            try mishap.auditor.verify(mishap.daemon)
            #expect(try mishap.daemon.stop() == .status(0))
        }

        @Test func `without TEMP a batch with a repeat waits and names the GRANT, while others go through`() throws {
            let mishap = try Mishap()
            let name = mishap.installation.database.name
            try mishap.administer("REVOKE TEMPORARY ON DATABASE \(name) FROM PUBLIC, millrace")
            let twice = try Mishap.event(in: 0, "twice")
            #expect(try mishap.post([twice], isAwaited: true).status == 200)
            #expect(try mishap.post([twice]).status == 202)
            // The event that follows goes past it.
            #expect(eventually { mishap.daemon.log.contains("GRANT TEMPORARY") })
            #expect(try mishap.post(Mishap.events(5), isAwaited: true).status == 200)
            try mishap.waitForStall("42501", isTotal: false)
            #expect(mishap.daemon.log.contains("some batches are not written"))
            try mishap.administer("GRANT TEMPORARY ON DATABASE \(name) TO millrace")
            try mishap.waitForHealth()
            let report = try mishap.auditor.verify(mishap.daemon)
            #expect(report.total?.committed == 6 && report.total?.duplicate == 1 && report.total?.dead == 0)
            #expect(try mishap.daemon.stop() == .status(0))
        }

        @Test func `events that were gathered with those of a locked month are written without them`() throws {
            let mishap = try Mishap(settings: ["database.small_batch_interval": "\"1s\""])
            #expect(try mishap.post([try Mishap.event(in: -1)], isAwaited: true).status == 200)
            let locker = try mishap.installation.database.connect()
            try locker.execute("BEGIN; LOCK TABLE \(try Mishap.leaf(-1)) IN ACCESS EXCLUSIVE MODE")
            // Few lines that nobody waits for: they make one batch, of neighbours in the spool.
            for _ in 0..<2 {
                #expect(try mishap.post(Mishap.events(3)).status == 202)
                #expect(try mishap.post([try Mishap.event(in: -1)]).status == 202)
            }
            let current = "SELECT count(*) FROM \(try Mishap.leaf(0))"
            #expect(try eventually { try mishap.auditor.integer(current) == 6 }, "\(mishap.daemon.log)")
            try locker.execute("COMMIT")
            try mishap.auditor.waitForRows(9)
            try mishap.auditor.verify(mishap.daemon)
            #expect(try mishap.daemon.stop() == .status(0))
        }

        @Test func `a month that is locked holds back its own events alone`() throws {
            let mishap = try Mishap()
            #expect(try mishap.post([try Mishap.event(in: -1)], isAwaited: true).status == 200)
            let locker = try mishap.installation.database.connect()
            try locker.execute("BEGIN; LOCK TABLE \(try Mishap.leaf(-1)) IN ACCESS EXCLUSIVE MODE")
            #expect(try mishap.post([try Mishap.event(in: -1), try Mishap.event(in: -1)]).status == 202)
            for _ in 0..<3 { #expect(try mishap.post(Mishap.events(5), isAwaited: true).status == 200) }
            try mishap.waitForStall("55P03", isTotal: false)
            for _ in 0..<3 { #expect(try mishap.post(Mishap.events(5), isAwaited: true).status == 200) }
            try locker.execute("COMMIT")
            try mishap.auditor.waitForRows(33)
            try mishap.waitForHealth()
            #expect(try mishap.auditor.integer("SELECT count(*) FROM public.dead_letters") == 0)
            try mishap.auditor.verify(mishap.daemon)
            #expect(try mishap.daemon.stop() == .status(0))
        }
    }
}
