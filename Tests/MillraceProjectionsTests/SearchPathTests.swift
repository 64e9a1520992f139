import MillracePostgres
import MillraceProjections
import MillraceTestSupport
import Testing

/// What runs with its owner's rights runs only its owner's code.
@Suite(.onOwnThreads) struct SearchPathTests {
    private static let packs = ["analytics", "casework", "commerce", "conversations", "product", "workspaces"]
    /// Functions that look for temporary tables and types first, or run as their owner and look into `public`.
    private static let open = """
        SELECT count(*)
        FROM pg_proc
        JOIN pg_namespace AS space ON space.oid = pronamespace
        WHERE space.nspname !~ '^(pg_|information_schema)'
            AND (
                prosecdef AND NOT coalesce(
                    proconfig && ARRAY[
                        'search_path=projections, pg_catalog, pg_temp', 'search_path=pg_catalog, pg_temp'
                    ], false)
                OR EXISTS (
                    SELECT FROM unnest(proconfig) AS setting
                    WHERE setting LIKE 'search_path=%' AND setting NOT LIKE '%, pg_temp'))
        """

    private func installed(_ name: String = #function) throws -> TestDatabase {
        let database = try TestCluster.own.database(name)
        try PackInstaller(connection: database.connect()).install(PackLoader().load(Self.packs))
        return database
    }

    @Test func `every function of the packs looks into pg_temp last`() throws {
        let database = try installed()
        let connection = try database.connect()
        #expect(try connection.execute(Self.open).int(0, 0) == 0)
        #expect(try connection.execute("SELECT count(*) FROM pg_proc WHERE prosecdef").int(0, 0) ?? 0 > 0)
    }

    @Test func `functions of packs that were made before are corrected by the next migrate up`() throws {
        let database = try installed()
        let connection = try database.connect()
        try connection.execute(
            """
            ALTER FUNCTION projections.commerce_checkout SET search_path = projections, pg_catalog, public;
            ALTER FUNCTION projections.commerce_search_products SET search_path = projections, pg_catalog, public
            """)
        #expect(try connection.execute(Self.open).int(0, 0) == 2)
        try PackInstaller(connection: connection).install(PackLoader().load(Self.packs))
        #expect(try connection.execute(Self.open).int(0, 0) == 0)
    }

    @Test func `a caller's temporary table whose type runs code gets no rights by a checkout`() throws {
        let database = try installed()
        let owner = try database.connect()
        let user = CheckoutShop.user(1)
        try owner.execute(
            """
            INSERT INTO projections.commerce_products (id, name, price, stock, active, event_at, event_id)
            VALUES ('\(CheckoutShop.lamp)', 'Lamp', 19.90, 3, true, now(), gen_random_uuid());
            INSERT INTO projections.commerce_carts (id, user_id, event_at, event_id)
            VALUES ('\(CheckoutShop.chair)', '\(user)', now(), gen_random_uuid());
            INSERT INTO projections.commerce_cart_items (id, cart_id, product_id, quantity, event_at, event_id)
            VALUES (gen_random_uuid(), '\(CheckoutShop.chair)', '\(CheckoutShop.lamp)', 1, now(), gen_random_uuid());
            """)
        let role = "caller_\(database.name)"
        try TestCluster.own.superuser().execute("CREATE ROLE \(role) LOGIN")
        try owner.execute(
            """
            GRANT USAGE ON SCHEMA projections TO \(role);
            GRANT EXECUTE ON FUNCTION projections.commerce_checkout TO \(role)
            """)
        let caller = try PostgresConnection(
            connectionString: TestCluster.own.cluster.connectionString(role: role, database: database.name),
            applicationName: "test caller", connectTimeout: .seconds(30), interrupt: PostgresInterrupt())
        try caller.execute(
            """
            CREATE FUNCTION pg_temp.peek(integer) RETURNS boolean LANGUAGE plpgsql AS $peek$
            BEGIN
                PERFORM set_config('peek.role', current_user, false);
                RETURN true;
            END
            $peek$;
            CREATE DOMAIN pg_temp.spy AS integer CHECK (pg_temp.peek(VALUE));
            """)
        // Each of the pack's tables, as the session's own, with a domain for every integer.
        let tables = try owner.execute(
            """
            SELECT format(
                'CREATE TEMPORARY TABLE %I (%s)', rel.relname,
                string_agg(
                    format(
                        '%I %s', attname,
                        CASE
                            WHEN atttypid = 'integer'::regtype THEN 'pg_temp.spy'
                            ELSE format_type(atttypid, atttypmod)
                        END),
                    ', ' ORDER BY attnum))
            FROM pg_class AS rel
            JOIN pg_attribute ON attrelid = rel.oid AND attnum > 0 AND NOT attisdropped
            WHERE rel.relnamespace = 'projections'::regnamespace AND rel.relname LIKE 'commerce\\_%' AND rel.relkind = 'r'
            GROUP BY rel.relname
            """)
        for row in 0..<tables.rowCount { try caller.execute(tables.string(row, 0) ?? "") }
        let order = try CheckoutShop.checkout(1, key: "mine", on: caller)
        #expect(order.amount == "19.90")
        #expect(try owner.execute("SELECT count(*) FROM projections.commerce_orders").int(0, 0) == 1)
        #expect(try caller.execute("SELECT current_setting('peek.role', true)").string(0, 0) ?? "" == "")
    }
}
