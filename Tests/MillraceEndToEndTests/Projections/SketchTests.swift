import MillraceEvent
import MillracePostgres
import MillraceProjections
import MillraceTestSupport
import Testing

extension EndToEndAlone {
    struct SketchTests {
        /// A daemon and its own database.
        private struct Rig {
            let database: TestDatabase
            let daemon: DaemonProcess
            let auditor: Auditor

            init(_ name: String, cluster: TestCluster? = nil, settings: [String: String] = [:]) throws {
                database = try (cluster ?? .shared).database(name, isMigrated: false)
                daemon = try DaemonProcess(databaseURL: database.connectionString, settings: settings)
                auditor = Auditor(database: database)
                _ = try migrate()
            }

            func migrate() throws -> CommandRun {
                let run = try daemon.run("migrate", "up")
                try #require(run.isSuccess, "\(run.output)\(run.errors)")
                return run
            }
        }

        /// Of the user with this number.
        private static func user(_ number: Int) -> UniqueID {
            EventFactory.uuid(0x1234, UInt64(number) &* 0x9E37_79B9_7F4A_7C15, version: 4)
        }

        private static func lines(_ users: Range<Int>, at milliseconds: Int64) -> [UInt8] {
            var text = ""
            for number in users {
                text += "{\"event_type\":\"page.viewed\",\"user_id\":\"\(user(number))\","
                // About 357 bytes a line, as those that `make bench` sends.
                text += "\"created_at\":\(milliseconds),\"payload\":{\"path\":\"/pricing\",\"n\":\(number),"
                text += "\"agent\":\"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0\","
                text += "\"referrer\":\"https://example.org/articles/\(number)/what-to-read-next?from=newsletter\"}}\n"
            }
            return Array(text.utf8)
        }

        /// WAL of small batches, each with users that the sketches have not seen, in bytes an event.
        private static func walPerEvent(_ rig: Rig) throws -> Int {
            try rig.daemon.start()
            // While the daemon makes its months, no dead version of a row can go, and each change is written whole.
            let months = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'public.conversations'::regclass"
            try #require(try eventually { try rig.auditor.integer(months) > 3 })
            let now = Timestamp.now.microseconds / 1000
            let client = try TCPClient(rig.daemon.tcp, acks: "committed")
            var sent = 0
            func send(_ count: Int) throws {
                try client.send(lines(sent..<sent + count, at: now))
                sent += count
                try client.waitForAck(sent, within: .seconds(60))
            }
            for _ in 0..<30 { try send(100) }
            for _ in 0..<100 { try send(1) }
            // As autovacuum has been there before, in all that goes on for minutes.
            _ = try rig.auditor.strings("VACUUM")
            let position = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"
            let before = try rig.auditor.integer(position)
            let first = sent
            for _ in 0..<400 { try send(3) }
            return (try rig.auditor.integer(position) - before) / (sent - first)
        }

        @Test func `small batches with the default packs write at most half as much WAL again as without`() throws {
            // The log is the cluster's: of other databases it has what autovacuum does there, and after a checkpoint each
            // page whole. Neither is what is counted here.
            let cluster = try TestCluster(isDurable: false)
            for setting in ["autovacuum", "full_page_writes"] {
                try cluster.superuser().execute("ALTER SYSTEM SET \(setting) = off")
            }
            try cluster.superuser().execute("SELECT pg_reload_conf()")
            let bare = try Rig("wal_without_packs", cluster: cluster, settings: ["projections.packs": "[]"])
            let without = try Self.walPerEvent(bare)
            #expect(try bare.daemon.stop() == .status(0))
            let rig = try Rig("wal_with_packs", cluster: cluster)
            let with = try Self.walPerEvent(rig)
            #expect(with * 2 <= without * 3, "\(with) bytes an event with packs, \(without) without")
            #expect(try rig.daemon.stop() == .status(0))
            let tables = ["analytics_active_users", "analytics_active_users_by_month"].map { "projections.\($0)" }
            for table in tables {
                let size = "SELECT pg_total_relation_size('\(table)')"
                let grown = try rig.auditor.integer(size)
                _ = try rig.auditor.strings("VACUUM FULL \(table)")
                let live = try rig.auditor.integer(size)
                #expect(grown <= 4 * live, "\(table)")
                let largest =
                    "SELECT max(n) FROM (SELECT sum(octet_length(sketch)) AS n FROM \(table) GROUP BY bucket, slot) s"
                #expect(try rig.auditor.integer(largest) <= 12 * 1024)
            }
            let verified = try rig.daemon.run("projections", "verify")
            #expect(verified.isSuccess, "\(verified.output)")
        }

        @Test func `an installation with sketches of version 1 is upgraded by migrate up, and its counts stay`() throws
        {
            let older = try Rig(
                "sketches_of_version_1",
                settings: ["projections.directory": DaemonSettings.quoted(OlderPacks.directory)])
            try older.daemon.start()
            let now = Timestamp.now.microseconds / 1000
            let client = try TCPClient(older.daemon.tcp, acks: "committed")
            try client.send(Self.lines(0..<3000, at: now))
            try client.waitForAck(3000, within: .seconds(60))
            #expect(try older.daemon.stop() == .status(0))
            // As the daemon of then wrote them: a byte for each of 2^16 registers.
            let hashes = (0..<3000).map { Self.user($0).bytes.withUnsafeBytes { HyperLogLog.hash($0) } }
            let wide = WideSketch.hexadecimal(WideSketch.bytes(of: hashes))
            for table in ["analytics_active_users", "analytics_active_users_by_month"] {
                _ = try older.auditor.strings("UPDATE projections.\(table) SET sketch = '\\x\(wide)'")
            }

            let daemon = try DaemonProcess(databaseURL: older.database.connectionString)
            let migrated = try daemon.run("migrate", "up")
            #expect(
                migrated.output.contains("upgraded pack analytics from version 1 to 3"),
                "\(migrated.output)\(migrated.errors)")
            // Version 3 has more tables.
            let rebuilt = try daemon.run("projections", "rebuild", "conversations")
            #expect(rebuilt.isSuccess, "\(rebuilt.errors)")
            let kept = try daemon.run("projections", "verify")
            #expect(kept.isSuccess, "\(kept.output)")
            try daemon.start()
            let more = try TCPClient(daemon.tcp, acks: "committed")
            try more.send(Self.lines(2900..<3500, at: now))
            try more.waitForAck(600, within: .seconds(60))
            #expect(try daemon.stop() == .status(0))
            let verified = try daemon.run("projections", "verify")
            #expect(verified.isSuccess, "\(verified.output)")
            #expect(
                try older.auditor.integer("SELECT count(*) FROM ingest_batches WHERE cardinality(folded) < 2") == 0)
        }
    }
}
