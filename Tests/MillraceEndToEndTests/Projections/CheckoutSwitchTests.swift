import MillracePostgres
import MillraceTestSupport
import Synchronization
import Testing

extension EndToEnd {
    /// Checkouts while versions of their pack are put in the place of each other.
    struct CheckoutSwitchTests {
        private final class Till: Sendable {
            let done = Atomic<Int>(0)
            let isClosed = Atomic<Bool>(false)
        }

        private static let lamp = "00000000-0000-4000-8000-0000000000b1"
        private static let stock = 1_000_000
        private static let buyers = 3
        private static let switches = 6

        @Test func `checkouts during rebuilds: every one succeeds, and stock and orders are exact`() throws {
            let installation = try Installation(
                settings: ["projections.packs": #"["commerce"]"#, "outbox.poll": "\"10ms\""])
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            #expect(try daemon.run("migrate", "up").isSuccess)
            try daemon.start()
            let client = try TCPClient(daemon.tcp, acks: "committed")
            try client.send(
                """
                {"event_type":"commerce.product_saved","payload":{"id":"\(Self.lamp)","name":"Lamp","price":2.5,"stock":\(Self.stock)}}
                """)
            for number in 1...Self.buyers {
                try client.send(
                    """
                    {"event_type":"commerce.cart_saved","payload":{"id":"\(Self.id("c", number))","user_id":"\(Self.id("a", number))"}}
                    """)
            }
            try client.waitForAck(1 + Self.buyers, within: .seconds(60))
            let till = Till()
            let threads = (1...Self.buyers).map { number in
                BackgroundThread {
                    try Self.buy(as: number, installation, till)
                }
            }
            // One that was about to call when the switch came, with what it had prepared.
            let prepared = try installation.database.connect()
            try prepared.execute("PREPARE buy AS SELECT id FROM projections.commerce_checkout($1, $2)")
            for _ in 1...Self.switches {
                let goal = till.done.load(ordering: .relaxed) + 5
                _ = eventually(within: .seconds(30)) { till.done.load(ordering: .relaxed) >= goal }
                let rebuild = try daemon.run("projections", "rebuild", "commerce")
                #expect(rebuild.isSuccess, "\(rebuild.output) \(rebuild.errors)")
                let refusal = try #require(throws: PostgresError.self) {
                    try prepared.execute("EXECUTE buy('\(Self.id("a", 999))', 'none')")
                }
                #expect(refusal.sqlState?.rawValue == "MR003", "\(refusal)")
            }
            till.isClosed.store(true, ordering: .relaxed)
            for thread in threads { try thread.join() }
            let count = till.done.load(ordering: .relaxed)
            #expect(count >= 5 * Self.switches)
            #expect(try auditor.integer("SELECT count(*) FROM projections.commerce_orders") == count)
            #expect(try auditor.integer("SELECT sum(quantity) FROM projections.commerce_order_items") == count)
            #expect(try auditor.integer("SELECT stock FROM projections.commerce_products") == Self.stock - count)
            #expect(try auditor.strings("SELECT message FROM projections.parked") == [])
            let verified = try daemon.run("projections", "verify")
            #expect(verified.isSuccess, "\(verified.output) \(verified.errors)")
            #expect(try daemon.stop() == .status(0))
        }

        private static func id(_ letter: String, _ number: Int) -> String {
            "00000000-0000-4000-8000-00\(letter)0\(String(10_000_000 + number))"
        }

        /// Puts a lamp into the cart and buys it, again and again; the outbox is empty between, so that a rebuild can switch.
        private static func buy(as number: Int, _ installation: Installation, _ till: Till) throws {
            let connection = try installation.database.connect()
            let client = try TCPClient(installation.daemon.tcp, acks: "committed")
            var round = 0
            while !till.isClosed.load(ordering: .relaxed) {
                round += 1
                let item = """
                    {"event_type":"commerce.cart_item_saved","payload":{"id":"\(id("d", number * 1000 + round))",\
                    "cart_id":"\(id("c", number))","product_id":"\(lamp)","quantity":1}}
                    """
                try client.send(item)
                try client.waitForAck(round, within: .seconds(60))
                let order = try connection.execute(
                    "SELECT total_amount FROM projections.commerce_checkout('\(id("a", number))', '\(number)-\(round)')"
                )
                #expect(order.string(0, 0) == "2.50")
                till.done.add(1, ordering: .relaxed)
                let isEmpty = try eventually(within: .seconds(60)) {
                    try connection.execute("SELECT count(*) FROM public.outbox").int(0, 0) == 0
                }
                #expect(isEmpty)
            }
        }
    }
}
