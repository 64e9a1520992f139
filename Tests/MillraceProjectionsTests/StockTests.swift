import MillracePostgres
import MillraceTestSupport
import Testing

/// The stock of `commerce_products`: what was saved and the changes after it, whatever comes first.
@Suite(.onOwnThreads) struct StockTests {
    /// As the folds write them; the number is the time.
    private enum Step: Sendable, Equatable {
        case saved(Int, stock: Int)
        case changed(Int, by: Int)
        case deleted(Int)

        var sql: String {
            switch self {
            case .saved(let time, let stock):
                Self.upsert(
                    "name, price, stock, active", "'Lamp', 1, \(stock), true", time,
                    set: """
                        stock = EXCLUDED.stock, name = EXCLUDED.name, price = EXCLUDED.price, active = EXCLUDED.active,
                        deleted_at = NULL
                        """)
            case .deleted(let time):
                Self.upsert(
                    "deleted_at", "now()", time, set: "stock = NULL, name = NULL, deleted_at = EXCLUDED.deleted_at")
            case .changed(let time, let difference):
                """
                INSERT INTO projections.commerce_stock_changes (event_id, event_at, product_id, difference)
                VALUES (md5('\(time)')::uuid, to_timestamp(\(time)), '\(CheckoutShop.chair)', \(difference))
                ON CONFLICT DO NOTHING
                """
            }
        }

        private static func upsert(_ columns: String, _ values: String, _ time: Int, set: String) -> String {
            """
            INSERT INTO projections.commerce_products AS t (id, \(columns), event_at, event_id)
            VALUES ('\(CheckoutShop.chair)', \(values), to_timestamp(\(time)), md5('\(time)')::uuid)
            ON CONFLICT (tenant_id, id) DO UPDATE
            SET \(set), event_at = EXCLUDED.event_at, event_id = EXCLUDED.event_id
            WHERE (t.event_at, t.event_id) < (EXCLUDED.event_at, EXCLUDED.event_id)
            """
        }
    }

    private let connection: PostgresConnection

    init() throws {
        connection = try TestCluster.shared.database("stock").connect()
        try PackFolder(name: "commerce").install(on: connection)
    }

    private func stock(after steps: [Step]) throws -> String {
        try connection.execute("TRUNCATE projections.commerce_products, projections.commerce_stock_changes")
        for step in steps { try connection.execute(step.sql) }
        return try connection.execute("SELECT coalesce(stock::text, 'none') FROM projections.commerce_products")
            .string(0, 0) ?? "no row"
    }

    @Test func `saves, differences and an end lead to one stock in every order, twice too`() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededGenerator(seed: seed)
        let stories: [([Step], String)] = [
            ([.saved(1, stock: 10), .changed(2, by: -3), .changed(3, by: 5)], "12"),
            ([.changed(1, by: 50), .saved(2, stock: 10), .changed(3, by: -1), .saved(4, stock: 7)], "7"),
            ([.saved(1, stock: 2), .changed(2, by: -5), .changed(3, by: 1)], "-2"),
            ([.saved(1, stock: 2), .changed(2, by: 1), .deleted(3), .changed(4, by: 1)], "none"),
            ([.saved(1, stock: 2), .deleted(3), .changed(4, by: 1), .saved(5, stock: 4), .changed(6, by: 9)], "13"),
        ]
        for (steps, expected) in stories {
            for _ in 1...12 {
                let order = (steps + steps.shuffled(using: &random).prefix(2)).shuffled(using: &random)
                try #expect(stock(after: order) == expected, "\(order), seed \(seed)")
            }
        }
    }

    @Test func `a product and its changes that are made at the same time are added up`() throws {
        for round in 0..<4 {
            let database = try TestCluster.shared.database("stock_race")
            let first = try database.connect()
            try PackFolder(name: "commerce").install(on: first)
            let steps: [Step] = [.saved(1, stock: 10), .changed(2, by: 5)]
            // One transaction is open while the other one writes the same product's row.
            let (early, late) = round.isMultiple(of: 2) ? (steps[0], steps[1]) : (steps[1], steps[0])
            try first.execute("BEGIN; \(early.sql)")
            let thread = BackgroundThread { _ = try database.connect().execute(late.sql) }
            let isWaiting = try eventually {
                try database.connect().execute(BlockedSessions.count()).int(0, 0) == 1
            }
            #expect(isWaiting)
            try first.execute("COMMIT")
            try thread.join()
            try #expect(first.execute("SELECT stock FROM projections.commerce_products").int(0, 0) == 15)
        }
    }

    @Test func `what is saved is not below 0, and a checkout sells nothing below it`() throws {
        let error = try #require(throws: PostgresError.self) {
            try connection.execute(Step.saved(1, stock: -1).sql)
        }
        #expect(error.sqlState?.rawValue == "23514" && error.constraint == "commerce_products_stock_check")
        let shop = try CheckoutShop(lamps: 1, chairs: 1)
        try shop.fill(1, chairs: 1)
        try shop.database.connect().execute(
            """
            INSERT INTO projections.commerce_stock_changes (event_id, event_at, product_id, difference)
            VALUES (gen_random_uuid(), now() + interval '1 second', '\(CheckoutShop.chair)', -4)
            """)
        try #expect(shop.stock(of: CheckoutShop.chair) == -3)
        let refusal = try #require(throws: PostgresError.self) {
            try CheckoutShop.checkout(1, key: "k", on: shop.database.connect())
        }
        #expect(refusal.message.hasSuffix("1 wanted, 0 left"))
        try #expect(shop.integer("SELECT stock FROM projections.commerce_catalogue WHERE name = 'Chair'") == 0)
    }
}
