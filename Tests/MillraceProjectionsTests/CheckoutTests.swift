import MillracePostgres
import MillraceTestSupport
import Synchronization
import Testing

/// `commerce_checkout`: one transaction, whoever else buys at the same time.
@Suite(.onOwnThreads) struct CheckoutTests {
    @Test func `a cart becomes an order with its prices, stock goes down, the cart is empty`() throws {
        let shop = try CheckoutShop(lamps: 3, chairs: 1)
        try shop.fill(1, lamps: 2, chairs: 1)
        let order = try CheckoutShop.checkout(1, key: "a", on: shop.database.connect())
        #expect(order.amount == "44.85")
        try #expect(shop.stock(of: CheckoutShop.lamp) == 1 && shop.stock(of: CheckoutShop.chair) == 0)
        // A new price changes nothing of what was ordered.
        try shop.database.connect().execute("UPDATE projections.commerce_products SET price = 100")
        try #expect(
            shop.integer("SELECT (sum(quantity * unit_price) * 100)::int FROM projections.commerce_order_items") == 4485
        )
        try #expect(
            shop.integer("SELECT count(*) FROM projections.commerce_cart_items WHERE deleted_at IS NULL") == 0)
        try #expect(shop.events == 1 + 2 + 2 + 2)
    }

    @Test func `two at once want the last item: one order, one clear refusal`() throws {
        for round in 1...10 {
            let shop = try CheckoutShop(lamps: 1, chairs: 0, name: "last item \(round)")
            try shop.fill(1, lamps: 1)
            try shop.fill(2, lamps: 1)
            let refusals = Mutex<[PostgresError]>([])
            let buyers = [1, 2].map { user in
                BackgroundThread {
                    let connection = try shop.database.connect()
                    do throws(PostgresError) {
                        try CheckoutShop.checkout(user, key: "key of \(user)", on: connection)
                    } catch {
                        refusals.withLock { $0.append(error) }
                    }
                }
            }
            for buyer in buyers { try buyer.join() }
            let refusal = try #require(refusals.withLock { $0.first })
            #expect(refusals.withLock { $0.count } == 1)
            #expect(refusal.sqlState?.rawValue == "MR001")
            #expect(refusal.message == "product \(CheckoutShop.lamp) (Lamp): 1 wanted, 0 left")
            try #expect(shop.orders == 1 && shop.stock(of: CheckoutShop.lamp) == 0)
            try #expect(shop.events == 4)
        }
    }

    @Test func `the same key again gets the same order, at the same time too`() throws {
        let shop = try CheckoutShop(lamps: 9, chairs: 0)
        try shop.fill(1, lamps: 1)
        let orders = Mutex<[CheckoutShop.Order]>([])
        let callers = (0..<4).map { _ in
            BackgroundThread {
                let connection = try shop.database.connect()
                for _ in 0..<3 {
                    let order = try CheckoutShop.checkout(1, key: "once", on: connection)
                    orders.withLock { $0.append(order) }
                }
            }
        }
        for caller in callers { try caller.join() }
        #expect(orders.withLock { $0.count } == 12 && Set(orders.withLock { $0.map(\.id) }).count == 1)
        try #expect(shop.orders == 1 && shop.stock(of: CheckoutShop.lamp) == 8 && shop.events == 4)
    }

    @Test func `what can't be sold is refused with its reason, and nothing of it stays`() throws {
        let shop = try CheckoutShop(lamps: 1, chairs: 5)
        let connection = try shop.database.connect()
        func refusal(_ user: Int, key: String = "k") throws -> String? {
            try #require(throws: PostgresError.self) { try CheckoutShop.checkout(user, key: key, on: connection) }
                .sqlState?.rawValue
        }
        try #expect(refusal(1) == "MR003")
        try #expect(refusal(1, key: "") == "MR004")
        try shop.fill(1, lamps: 1, chairs: 6)
        try #expect(refusal(1) == "MR001")
        try connection.execute("UPDATE projections.commerce_products SET active = false WHERE name = 'Lamp'")
        try #expect(refusal(1) == "MR002")
        try connection.execute("DELETE FROM projections.commerce_products WHERE name = 'Lamp'")
        try #expect(refusal(1) == "MR002")
        try shop.fill(2, chairs: 1)
        try CheckoutShop.checkout(2, key: "of 2", on: connection)
        try shop.fill(3, chairs: 1)
        try #expect(refusal(3, key: "of 2") == "MR004")
        try #expect(shop.orders == 1 && shop.stock(of: CheckoutShop.chair) == 4 && shop.events == 4)
    }

    @Test func `a rollback leaves neither order nor event, and the key is free again`() throws {
        let shop = try CheckoutShop(lamps: 1, chairs: 0)
        try shop.fill(1, lamps: 1)
        let connection = try shop.database.connect()
        try connection.execute("BEGIN")
        try CheckoutShop.checkout(1, key: "k", on: connection)
        try connection.execute("ROLLBACK")
        try #expect(shop.orders == 0 && shop.events == 0 && shop.stock(of: CheckoutShop.lamp) == 1)
        #expect(try CheckoutShop.checkout(1, key: "k", on: connection).amount == "19.90")
    }

    @Test func `the events say what the rows are, and their stamps never go back`() throws {
        let shop = try CheckoutShop(lamps: 50, chairs: 50)
        let connection = try shop.database.connect()
        // The clock of whoever saved this lamp was ahead.
        try connection.execute("UPDATE projections.commerce_products SET event_at = now() + interval '1 hour'")
        for user in 1...5 {
            try shop.fill(user, lamps: user, chairs: 1)
            try CheckoutShop.checkout(user, key: "k\(user)", on: connection)
        }
        for (table, type) in [
            ("orders", "order_saved"), ("order_items", "order_item_saved"),
        ] {
            let differences = try connection.execute(
                """
                WITH told AS (
                    SELECT DISTINCT ON (payload -> 'id') payload, created_at, id
                    FROM public.outbox
                    WHERE event_type = 'commerce.\(type)'
                    ORDER BY payload -> 'id', created_at DESC, id DESC
                ),
                kept AS (
                    SELECT to_jsonb(kept) - '{tenant_id,event_at,event_id,deleted_at}'::text[], event_at, event_id
                    FROM projections.commerce_\(table) AS kept
                )
                SELECT (SELECT count(*) FROM kept), (SELECT count(*) FROM (TABLE kept EXCEPT TABLE told) AS less),
                    (SELECT count(*) FROM (TABLE told EXCEPT TABLE kept) AS more)
                """)
            #expect(differences.int(0, 0) ?? 0 >= 2 && differences.int(0, 1) == 0 && differences.int(0, 2) == 0)
        }
        let sold = try connection.execute(
            """
            SELECT count(*), count(*) FILTER (WHERE event.created_at = change.event_at AND event.id = change.event_id
                AND event.payload ->> 'difference' = change.difference::text), bool_and(change.event_at > product.event_at)
            FROM projections.commerce_stock_changes AS change
            JOIN projections.commerce_products AS product ON product.id = change.product_id
            JOIN public.outbox AS event
                ON event.event_type = 'commerce.stock_changed'
                AND event.payload ->> 'order_id' = change.order_id::text
                AND event.payload ->> 'product_id' = change.product_id::text
            """)
        #expect(sold.int(0, 0) == 10 && sold.int(0, 1) == 10 && sold.bool(0, 2) == true)
        let gone = try connection.execute(
            """
            SELECT count(*), count(*) FILTER (WHERE event.created_at = item.deleted_at AND event.id = item.event_id)
            FROM projections.commerce_cart_items AS item
            JOIN public.outbox AS event
                ON event.event_type = 'commerce.cart_item_deleted' AND event.payload = jsonb_build_object('id', item.id)
            """)
        #expect(gone.int(0, 0) == 10 && gone.int(0, 1) == 10)
    }

    @Test func `a table of the caller's session takes the place of none, and not everyone may check out`() throws {
        let shop = try CheckoutShop(lamps: 1, chairs: 0)
        try shop.fill(1, lamps: 1)
        let connection = try shop.database.connect()
        try connection.execute(
            "CREATE TEMPORARY TABLE commerce_products AS TABLE projections.commerce_products WITH NO DATA")
        #expect(try CheckoutShop.checkout(1, key: "k", on: connection).amount == "19.90")
        let rights = try connection.execute(
            "SELECT has_function_privilege('public', 'projections.commerce_checkout(uuid, text, integer)', 'EXECUTE')")
        #expect(rights.bool(0, 0) == false)
    }

    @Test func `a product is found by a mistyped word, through the trigrams`() throws {
        let shop = try CheckoutShop(lamps: 1, chairs: 1)
        let connection = try shop.database.connect()
        try connection.execute(
            """
            INSERT INTO projections.commerce_products (id, name, price, stock, active, event_at, event_id)
            SELECT gen_random_uuid(), 'Thing ' || md5(n::text), 1, 1, true, now(), gen_random_uuid()
            FROM generate_series(1, 5000) AS n;
            ANALYZE projections.commerce_products
            """)
        let found = try connection.execute("SELECT name FROM projections.commerce_search_products('lampe')")
        #expect(found.rowCount >= 1 && found.string(0, 0) == "Lamp")
        let plan = try connection.execute(
            """
            SET enable_seqscan = off;
            EXPLAIN SELECT name FROM projections.commerce_products
            WHERE tenant_id = 0 AND active AND deleted_at IS NULL AND name %> 'lampe'
            """)
        let lines = (0..<plan.rowCount).compactMap { plan.string($0, 0) }
        #expect(lines.contains { $0.contains("commerce_products_name_idx") }, "\(lines)")
    }
}
