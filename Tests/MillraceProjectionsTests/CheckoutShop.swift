import MillracePostgres
import MillraceTestSupport

/// A database with the pack `commerce` and a few goods in it.
struct CheckoutShop {
    static let lamp = "00000000-0000-4000-8000-0000000000b1"
    static let chair = "00000000-0000-4000-8000-0000000000b2"

    let database: TestDatabase

    /// Stock: lamps at 19.90, chairs at 5.05.
    init(lamps: Int, chairs: Int, name: String = #function) throws {
        database = try TestCluster.shared.database(name)
        let connection = try database.connect()
        try PackFolder(name: "commerce").install(on: connection)
        try connection.execute(
            """
            INSERT INTO projections.commerce_products (id, name, price, stock, active, event_at, event_id)
            VALUES
                ('\(Self.lamp)', 'Lamp', 19.90, \(lamps), true, now(), gen_random_uuid()),
                ('\(Self.chair)', 'Chair', 5.05, \(chairs), true, now(), gen_random_uuid())
            """)
    }

    static func user(_ number: Int) -> String { "00000000-0000-4000-8000-0000000a\(1000 + number)" }

    /// Puts goods into the cart of a user, which is made when there is none.
    func fill(_ user: Int, lamps: Int = 0, chairs: Int = 0) throws {
        let connection = try database.connect()
        let cart = "00000000-0000-4000-8000-0000000c\(1000 + user)"
        try connection.execute(
            """
            INSERT INTO projections.commerce_carts (id, user_id, event_at, event_id)
            VALUES ('\(cart)', '\(Self.user(user))', now(), gen_random_uuid())
            ON CONFLICT DO NOTHING
            """)
        for (product, quantity) in [(Self.lamp, lamps), (Self.chair, chairs)] where quantity > 0 {
            try connection.execute(
                """
                INSERT INTO projections.commerce_cart_items (id, cart_id, product_id, quantity, event_at, event_id)
                VALUES (gen_random_uuid(), '\(cart)', '\(product)', \(quantity), now(), gen_random_uuid())
                """)
        }
    }

    /// The order's id and amount.
    @discardableResult
    static func checkout(_ user: Int, key: String, on connection: PostgresConnection) throws(PostgresError) -> Order {
        let result = try connection.execute(
            "SELECT id, total_amount FROM projections.commerce_checkout('\(Self.user(user))', '\(key)')")
        return Order(id: result.string(0, 0) ?? "", amount: result.string(0, 1) ?? "")
    }

    struct Order: Equatable, Sendable {
        var id: String
        var amount: String
    }

    func integer(_ sql: String) throws -> Int? { try database.connect().execute(sql).int(0, 0) }

    func stock(of product: String) throws -> Int? {
        try integer("SELECT stock FROM projections.commerce_products WHERE id = '\(product)'")
    }

    var orders: Int? { get throws { try integer("SELECT count(*) FROM projections.commerce_orders") } }
    var events: Int? { get throws { try integer("SELECT count(*) FROM public.outbox") } }
}
