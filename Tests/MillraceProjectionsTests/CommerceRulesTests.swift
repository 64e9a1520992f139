import MillracePostgres
import MillraceProjections
import MillraceTestSupport
import Testing

/// What the tables of the pack `commerce` keep to, besides the checkout and the stock.
@Suite(.onOwnThreads) struct CommerceRulesTests {
    private static let user = CheckoutShop.user(1)

    private let connection: PostgresConnection

    init() throws {
        connection = try TestCluster.shared.database("commerce_rules").connect()
        try PackInstaller(connection: connection).install([PackLoader().load("commerce")])
    }

    private func texts(_ sql: String) throws -> [String] {
        let rows = try connection.execute(sql)
        return (0..<rows.rowCount).map { rows.string($0, 0) ?? "" }
    }

    /// As the fold writes a user; the number is the time.
    private func write(_ time: Int, isDeleted: Bool, in schema: String = "projections") throws {
        let values = isDeleted ? "NULL, NULL, to_timestamp(\(time))" : "'a@example.com', 'customer', NULL"
        try connection.execute(
            """
            INSERT INTO \(schema).commerce_users AS t (id, email, role, deleted_at, event_at, event_id)
            VALUES ('\(Self.user)', \(values), to_timestamp(\(time)), gen_random_uuid())
            ON CONFLICT (tenant_id, id) DO UPDATE
            SET email = EXCLUDED.email, role = EXCLUDED.role, deleted_at = EXCLUDED.deleted_at,
                event_at = EXCLUDED.event_at, event_id = EXCLUDED.event_id
            WHERE (t.event_at, t.event_id) < (EXCLUDED.event_at, EXCLUDED.event_id)
            """)
    }

    @Test func `a deleted user is queued for erasure, unless it is saved again`() throws {
        let queue = "SELECT user_id || ' ' || pack || ' ' || extract(epoch FROM deleted_at)::int FROM user_erasures"
        try write(1, isDeleted: false)
        try #expect(texts(queue) == [])
        try write(5, isDeleted: true)
        try #expect(texts(queue) == ["\(Self.user) commerce 5"])
        // What comes late changes nothing.
        try write(3, isDeleted: false)
        try #expect(texts(queue) == ["\(Self.user) commerce 5"])
        try write(7, isDeleted: false)
        try #expect(texts(queue) == [])
        // First of all, a tombstone.
        try connection.execute("DELETE FROM projections.commerce_users")
        try write(9, isDeleted: true)
        try #expect(texts(queue) == ["\(Self.user) commerce 9"])
    }

    @Test func `a version that is built or counted queues nobody`() throws {
        try PackFolder(name: "commerce").install(in: "projections_commerce_next", on: connection)
        try write(5, isDeleted: true, in: "projections_commerce_next")
        try #expect(texts("SELECT user_id FROM user_erasures") == [])
    }

    @Test func `a payment intent is one order's`() throws {
        func order(_ id: Int, _ intent: String, tenant: Int = 0) throws {
            try connection.execute(
                """
                INSERT INTO projections.commerce_orders (
                    tenant_id, id, user_id, status, total_amount, payment_intent_id, created_at, event_at, event_id
                )
                VALUES (
                    \(tenant), md5('\(id)')::uuid, '\(Self.user)', 'paid', 1, \(intent), now(), now(), gen_random_uuid()
                )
                """)
        }
        try order(1, "'pi_1'")
        let error = try #require(throws: PostgresError.self) { try order(2, "'pi_1'") }
        #expect(error.constraint == "commerce_orders_payment_intent_id_key")
        try order(2, "'pi_2'")
        try order(1, "'pi_1'", tenant: 7)
        try order(3, "NULL")
        try order(4, "NULL")
        try #expect(texts("SELECT count(*) FROM projections.commerce_orders_now") == ["4"])
    }
}
