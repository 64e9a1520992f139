import MillracePostgres
import MillraceProjections
import MillraceTestSupport
import Testing

@Suite(.onOwnThreads) struct PackInstallerTests {
    private let connection: PostgresConnection
    private let scratch: ScratchDirectory
    private let shop: ShopPack

    init() throws {
        connection = try TestCluster.shared.database().connect()
        scratch = try ScratchDirectory()
        shop = try ShopPack(in: scratch)
    }

    private func pack() throws -> PackDefinition { try PackLoader(directory: shop.directory).load("shop") }

    private func addBatch() throws {
        try connection.execute(
            """
            INSERT INTO ingest_batches (spool_id, first_seq, last_seq, batch_id, rows, duplicates, dead)
            VALUES (gen_random_uuid(), 1, 1, 1, 1, 0, 0)
            """)
    }

    private func texts(_ sql: String) throws -> [String] {
        let rows = try connection.execute(sql)
        return (0..<rows.rowCount).map { rows.string($0, 0) ?? "" }
    }

    private let objects = """
        SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
        WHERE nspname LIKE 'projections%' AND relname NOT LIKE 'versions%' AND relname NOT LIKE 'parked%'
        UNION ALL
        SELECT proname FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname LIKE 'projections%'
        UNION ALL
        SELECT nspname FROM pg_namespace WHERE nspname LIKE 'projections%'
        UNION ALL
        SELECT typname FROM pg_type JOIN pg_namespace n ON n.oid = typnamespace
        WHERE nspname LIKE 'projections%' AND typname LIKE '%shop%'
        ORDER BY 1
        """

    @Test func `on an empty ledger a pack is live at once`() throws {
        let pack = try pack()
        let outcomes = try PackInstaller(connection: connection).install([pack])
        #expect(outcomes.map(\.outcome) == [.live])
        let version = try #require(try PackVersion.all(connection).first)
        #expect(version.state == .live && version.schema == "projections" && version.isMade(from: pack))
        try #expect(texts("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'projections%'") == ["projections"])
        try connection.execute(
            """
            INSERT INTO projections.shop_orders (id, status, total, event_at, event_id)
            VALUES (1, 'NEW', 7, now(), gen_random_uuid()), (2, 'PAID', 8, now(), gen_random_uuid())
            """)
        try #expect(texts("SELECT projections.shop_open_total('NEW')") == ["7.00"])
        try #expect(texts("SELECT sum(n) FROM projections.shop_orders_by_status") == ["2"])
        try #expect(PackInstaller(connection: connection).install([pack]).map(\.outcome) == [.alreadyThere])
    }

    @Test func `with batches in the ledger a pack is built beside`() throws {
        try addBatch()
        let outcomes = try PackInstaller(connection: connection).install([try pack()])
        #expect(outcomes.map(\.outcome) == [.building(batches: 1)])
        let version = try #require(try PackVersion.all(connection).first)
        #expect(version.state == .building && version.schema == "projections_shop_next" && version.batchesTotal == 1)
        try #expect(texts("SELECT to_regclass('projections_shop_next.shop_orders') IS NOT NULL") == ["t"])
        let standing = try #require(PackStanding.all([try pack()], try PackVersion.all(connection)).first)
        #expect(standing.state == .building && standing.refusal == nil)
        #expect(standing.warning?.fix.contains("millrace projections rebuild shop") == true)
    }

    @Test func `tables that are read have a view of the session's tenant, made for older versions too`() throws {
        try shop.write(
            version: 1,
            suffix: """
                ALTER TABLE shop_orders ADD COLUMN password_hash text;
                CREATE VIEW shop_notes_now AS SELECT 1 AS mine;
                """)
        let installer = PackInstaller(connection: connection)
        try installer.install([pack()])
        let views = """
            SELECT relname FROM pg_class
            WHERE relnamespace = 'projections'::regnamespace AND relkind = 'v' AND relname LIKE '%\\_now' ORDER BY 1
            """
        let made = try texts(views)
        #expect(made.contains("shop_orders_now") && made.contains("shop_top_customers_now"))
        try #expect(texts("SELECT mine FROM projections.shop_notes_now") == ["1"])
        try connection.execute(
            """
            INSERT INTO projections.shop_orders (tenant_id, id, status, total, event_at, event_id, deleted_at)
            SELECT tenant, id, 'NEW', 7, now(), gen_random_uuid(), CASE WHEN id = 2 THEN now() END
            FROM generate_series(1, 3) AS id, unnest(ARRAY[0, 7]) AS tenant
            """)
        try #expect(
            texts("SELECT tenant_id || ' ' || id FROM projections.shop_orders_now ORDER BY 1") == ["0 1", "0 3"])
        try #expect(texts("SET millrace.tenant = '7'; SELECT count(*) FROM projections.shop_orders_now") == ["2"])
        try #expect(texts("SET millrace.tenant = '7; DROP'; SELECT count(*) FROM projections.shop_orders_now") == ["0"])
        try #expect(
            texts(
                """
                SELECT string_agg(attname, ' ') FROM pg_attribute
                WHERE attrelid = 'projections.shop_orders_now'::regclass AND attname ~ 'password|deleted'
                """) == [""])
        // A version that was made before there were any.
        try connection.execute(
            """
            RESET millrace.tenant;
            DROP VIEW projections.shop_orders_now;
            UPDATE projections.versions SET objects = array_remove(objects, 'relation shop_orders_now')
            """)
        try installer.install([pack()])
        try #expect(texts(views) == made)
        try #expect(installer.removeAll([]) == ["shop"])
        try #expect(texts(views).isEmpty)
    }

    @Test func `daemons that install at once make one version`() throws {
        let database = try TestCluster.shared.database()
        let pack = try pack()
        let threads = (0..<3).map { _ in
            BackgroundThread { _ = try PackInstaller(connection: database.connect()).install([pack]) }
        }
        for thread in threads { try thread.join() }
        try #expect(PackVersion.all(database.connect()).count == 1)
    }

    @Test func `an up.sql that fails leaves nothing and is named`() throws {
        try shop.write(version: 1, suffix: "CREATE TABLE shop_broken (n missing_type);")
        let before = try texts(objects)
        let error = try #require(throws: ProjectionsError.self) {
            try PackInstaller(connection: connection).install([try pack()])
        }
        #expect(error.code == .invalidSQL && error.pack == "shop" && error.message.contains("missing_type"))
        try #expect(texts(objects) == before)
        #expect(connection.transactionStatus == .idle)
    }

    @Test func `tables that the folds don't fit are refused with the line`() throws {
        try shop.write(version: 1, suffix: "ALTER TABLE shop_orders DROP COLUMN customer CASCADE;")
        let error = try #require(throws: PackErrors.self) {
            try PackInstaller(connection: connection).install([try pack()])
        }
        #expect(error.errors.first?.file.hasSuffix("shop/pack.toml") == true)
        try #expect(PackVersion.all(connection).isEmpty)
    }

    @Test func `removing everything leaves what was there before, whatever the pack made`() throws {
        let before = try texts(objects)
        let pack = try pack()
        let installer = PackInstaller(connection: connection)
        try installer.install([pack])
        // By its down.sql, and without it.
        try #expect(installer.removeAll([pack]) == ["shop"])
        try #expect(texts(objects) == before)
        try installer.install([pack])
        try #expect(installer.removeAll([]) == ["shop"])
        try #expect(texts(objects) == before)
        try addBatch()
        try installer.install([pack])
        try #expect(installer.removeAll([pack]) == ["shop"])
        try #expect(texts(objects) == before)
        try Migrator(connection: connection).down(count: 100)
    }

    @Test func `someone else's view on a pack's tables is never dropped`() throws {
        let installer = PackInstaller(connection: connection)
        try installer.install([try pack()])
        try connection.execute("CREATE VIEW public.mine AS SELECT * FROM projections.shop_orders")
        let error = try #require(throws: ProjectionsError.self) { try installer.removeAll([]) }
        #expect(error.code == .dependentView && error.message.contains("mine"))
        try #expect(texts("SELECT count(*) FROM public.mine") == ["0"])
    }

    @Test func `files and versions in the database are compared`() throws {
        let pack = try pack()
        var newer = pack
        newer.version = 2
        newer.hash = String(repeating: "0", count: 64)
        var changed = pack
        changed.hash = newer.hash
        #expect(PackStanding.all([pack], []).map(\.state) == [.missing])
        try PackInstaller(connection: connection).install([pack])
        let versions = try PackVersion.all(connection)
        #expect(PackStanding.all([pack], versions).map(\.state) == [.current])
        #expect(PackStanding.all([newer], versions).map(\.state) == [.outdated])
        #expect(PackStanding.all([], versions).map(\.state) == [.unconfigured])
        let refusal = try #require(PackStanding.all([changed], versions).first?.refusal)
        #expect(refusal.code == .definitionChanged && refusal.hint.contains("version"))
        var future = versions
        future[0].version = 3
        #expect(PackStanding.all([pack], future).map(\.state) == [.newer])
    }
}
