import FoundationEssentials
import MillracePostgres
import MillraceTestSupport
import Synchronization

/// Buyers who fill their carts and check out again and again, each over a connection of its own.
final class OutboxShop: Sendable {
    private static let lamp = "00000000-0000-4000-8000-0000000000b1"
    private static let chair = "00000000-0000-4000-8000-0000000000b2"

    private let database: TestDatabase
    private let checkouts = Atomic<Int>(0)
    private let isClosed = Atomic<Bool>(false)

    /// In the schema `projections`, which the database already has.
    init(database: TestDatabase) throws {
        self.database = database
        let up = try String(
            decoding: Data(contentsOf: URL(filePath: Repository.root + "/sql/packs/commerce/up.sql")), as: UTF8.self)
        let connection = try database.connect()
        try connection.execute("BEGIN; SET LOCAL search_path = projections, pg_catalog, public; \(up) COMMIT")
        try connection.execute(
            """
            INSERT INTO projections.commerce_products (id, name, price, stock, active, event_at, event_id)
            VALUES
                ('\(Self.lamp)', 'Lamp', 19.90, 1000000, true, now(), gen_random_uuid()),
                ('\(Self.chair)', 'Chair', 5.05, 1000000, true, now(), gen_random_uuid())
            """)
    }

    var done: Int { checkouts.load(ordering: .relaxed) }

    func close() {
        isClosed.store(true, ordering: .relaxed)
    }

    /// Buys one of each until the shop closes.
    func buy(as number: Int) throws {
        let user = "00000000-0000-4000-8000-0000000a\(1000 + number)"
        let cart = "00000000-0000-4000-8000-0000000c\(1000 + number)"
        let connection = try database.connect()
        try connection.execute(
            """
            INSERT INTO projections.commerce_carts (id, user_id, event_at, event_id)
            VALUES ('\(cart)', '\(user)', now(), gen_random_uuid())
            """)
        var round = 0
        while !isClosed.load(ordering: .relaxed) {
            round += 1
            try connection.execute(
                """
                INSERT INTO projections.commerce_cart_items (id, cart_id, product_id, quantity, event_at, event_id)
                SELECT gen_random_uuid(), '\(cart)', product, 1, now(), gen_random_uuid()
                FROM unnest(ARRAY['\(Self.lamp)', '\(Self.chair)']::uuid[]) AS product;
                SELECT projections.commerce_checkout('\(user)', '\(number)-\(round)')
                """)
            checkouts.add(1, ordering: .relaxed)
        }
    }

    /// Of one checkout: the order, and of each of two products the item, the change of stock, and the emptied place.
    static let eventsPerCheckout = 7
}
