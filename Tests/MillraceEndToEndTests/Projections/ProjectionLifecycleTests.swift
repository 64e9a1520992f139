import FoundationEssentials
import Glibc
import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct ProjectionLifecycleTests {
        /// A daemon with the pack of an operator, installed by `migrate up`.
        private struct Rig {
            let scratch: ScratchDirectory
            let shop: ShopPack
            let database: TestDatabase
            let daemon: DaemonProcess
            let auditor: Auditor

            init(_ name: String = #function) throws {
                scratch = try ScratchDirectory()
                shop = try ShopPack(in: scratch)
                database = try TestCluster.shared.database(name, isMigrated: false)
                daemon = try DaemonProcess(
                    databaseURL: database.connectionString,
                    settings: [
                        "projections.packs": "[\"analytics\", \"shop\"]",
                        "projections.directory": DaemonSettings.quoted(shop.directory),
                    ])
                auditor = Auditor(database: database)
            }

            func run(_ command: String...) throws -> CommandRun {
                let run = try daemon.run(command)
                try #require(run.isSuccess, "\(command): \(run.output)\(run.errors)")
                return run
            }

            /// Orders saved again and again, late ones too, some deleted, and notes.
            static func lines(_ range: Range<Int>) -> [UInt8] {
                var text = ""
                for n in range {
                    let type = n % 10 == 0 ? "shop.order_deleted" : n % 10 == 1 ? "shop.noted" : "shop.order_saved"
                    let status = ["NEW", "PAID", "SHIPPED"][n % 3]
                    let payload =
                        "{\"id\":\(n % 97),\"order\":\(n),\"text\":\"note \(n)\",\"status\":\"\(status)\","
                        + "\"total\":\(n % 1000),\"customer\":\"customer \(n % 50)\"}"
                    text += "{\"event_type\":\"\(type)\",\"payload\":\(payload)}\n"
                }
                return Array(text.utf8)
            }

            /// What a plain recount of the rows says, against the live tables.
            func expectRecount(sourceLocation: SourceLocation = #_sourceLocation) throws {
                let counted = try auditor.strings(
                    """
                    SELECT concat_ws(' ', payload ->> 'status', count(*), sum((payload ->> 'total')::numeric))
                    FROM analytics_events WHERE event_type = 'shop.order_saved' GROUP BY payload ->> 'status' ORDER BY 1
                    """)
                let folded = try auditor.strings(
                    """
                    SELECT concat_ws(' ', status, sum(n), sum(total))
                    FROM projections.shop_orders_by_day GROUP BY status ORDER BY 1
                    """)
                #expect(folded == counted, sourceLocation: sourceLocation)
                let latest = try auditor.strings(
                    """
                    SELECT DISTINCT ON (payload ->> 'id') concat_ws(' ', payload ->> 'id', event_type)
                    FROM analytics_events WHERE event_type <> 'shop.noted'
                    ORDER BY payload ->> 'id', created_at DESC, id DESC
                    """)
                let entities = try auditor.strings(
                    """
                    SELECT concat_ws(
                        ' ', id, CASE WHEN deleted_at IS NULL THEN 'shop.order_saved' ELSE 'shop.order_deleted' END)
                    FROM projections.shop_orders ORDER BY id::text
                    """)
                #expect(entities == latest, sourceLocation: sourceLocation)
            }
        }

        @Test func `a rebuild under intake, killed half way and gone on with, ends equal to the recount`() throws {
            let rig = try Rig()
            _ = try rig.run("migrate", "up")
            try rig.daemon.start()
            let client = try TCPClient(rig.daemon.tcp, acks: "committed")
            try client.send(Rig.lines(0..<60_000))
            try client.waitForAck(60_000, within: .seconds(60))
            try rig.expectRecount()
            _ = try rig.run("projections", "verify")
            #expect(try rig.daemon.stop() == .status(0))

            // The next version, with the daemon and its intake running.
            try rig.shop.write(version: 2)
            try rig.daemon.start()
            #expect(rig.daemon.log.contains("millrace projections rebuild shop"))
            let isOver = ManagedFlag()
            let endpoint = rig.daemon.tcp
            let sender = BackgroundThread {
                let client = try TCPClient(endpoint, acks: "committed")
                var sent = 0
                while !isOver.isSet {
                    try client.send(Rig.lines(60_000 + sent..<60_500 + sent))
                    sent += 500
                    try client.waitForAck(sent, within: .seconds(60))
                }
            }
            let first = try SpawnedProcess(
                MillraceBinary.path, ["projections", "rebuild", "shop", "--config", rig.daemon.configuration],
                mark: rig.daemon.configuration, output: rig.scratch.path + "/rebuild.out",
                errors: rig.scratch.path + "/rebuild.err")
            let done = "SELECT COALESCE(max(batches_done), 0) FROM projections.versions WHERE state = 'building'"
            _ = try eventually { try !first.isRunning || rig.auditor.integer(done) > 0 }
            first.signal(SIGKILL)
            try first.waitForExit(within: .seconds(20))
            try rig.daemon.kill()
            try rig.daemon.start()
            isOver.set()
            // Its connection went with the daemon; what was not acknowledged may or may not be there.
            _ = try? sender.join()

            let live = "SELECT max(version) FROM projections.versions WHERE state = 'live' AND pack = 'shop'"
            let more = try TCPClient(rig.daemon.tcp, acks: "committed")
            try more.send(Rig.lines(200_000..<210_000))
            _ = try rig.run("projections", "rebuild", "shop")
            #expect(try rig.auditor.integer(live) == 2)
            try more.waitForAck(10_000, within: .seconds(60))
            #expect(try rig.daemon.stop() == .status(0))
            try rig.expectRecount()
            _ = try rig.run("projections", "verify")
            _ = try rig.run("projections", "list")
        }

        @Test func `a definition that changed under its version refuses to start, and says the fix`() throws {
            let rig = try Rig()
            _ = try rig.run("migrate", "up")
            try rig.shop.write(version: 1, suffix: "CREATE INDEX ON shop_notes (\"order\");")
            try rig.daemon.launch()
            #expect(try rig.daemon.process.waitForExit(within: .seconds(20)) == .status(1))
            #expect(rig.daemon.log.contains("shop") && rig.daemon.log.contains("raise `version`"), "\(rig.daemon.log)")
            let check = try rig.daemon.run("check")
            #expect(!check.isSuccess && check.output.contains("raise `version`"), "\(check.output)")
            #expect(try !rig.daemon.run("projections", "list").isSuccess)
        }

        @Test func `a pack that is not installed refuses to start, until migrate up`() throws {
            let rig = try Rig()
            _ = try rig.run("migrate", "up", "--to", "\(Migration.all.count)")
            try rig.daemon.launch()
            #expect(try rig.daemon.process.waitForExit(within: .seconds(20)) == .status(1))
            #expect(rig.daemon.log.contains("millrace migrate up"), "\(rig.daemon.log)")
            #expect(try rig.run("migrate", "up").output.contains("installed pack shop, version 1"))
            try rig.daemon.start()
            #expect(try rig.daemon.stop() == .status(0))
            #expect(try rig.run("migrate", "status").output.contains("pack shop version 1: current"))
            _ = try rig.run("migrate", "reset", "--yes")
            #expect(try rig.auditor.integer("SELECT count(*) FROM projections.versions WHERE state = 'live'") == 2)
            _ = try rig.run("migrate", "down", "--steps", "100")
        }

        @Test func `readers see the old version or the new one whole`() throws {
            let rig = try Rig()
            _ = try rig.run("migrate", "up")
            try rig.daemon.start()
            let client = try TCPClient(rig.daemon.tcp, acks: "committed")
            try client.send(Rig.lines(0..<5000))
            try client.waitForAck(5000, within: .seconds(60))
            let isOver = ManagedFlag()
            let database = rig.database
            let reader = BackgroundThread {
                let auditor = Auditor(database: database)
                while !isOver.isSet {
                    let sums = try auditor.strings("SELECT sum(n)::text FROM projections.shop_orders_by_day")
                    guard sums == ["4000"] else { throw TestSupportError(message: "a reader saw \(sums)") }
                }
            }
            for _ in 0..<3 { _ = try rig.run("projections", "rebuild", "shop", "--quiet") }
            isOver.set()
            try reader.join()
            #expect(try rig.daemon.stop() == .status(0))
        }
    }
}
