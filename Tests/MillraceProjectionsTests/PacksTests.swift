import MillraceEvent
import MillracePostgres
import MillraceProjections
import MillraceTestSupport
import Testing

/// The packs of sql/packs, against a real PostgreSQL and the parser.
@Suite(.onOwnThreads) struct PacksTests {
    @Test func `all packs of the folder are compiled in`() {
        #expect(PackLoader.builtIn == PackFolder.all.map(\.name))
    }

    @Test(arguments: PackFolder.all)
    func `up, down and up again lead to the same objects, and down leaves nothing`(pack: PackFolder) throws {
        let connection = try TestCluster.shared.database("packs").connect()
        try pack.install(in: "scratch", on: connection)
        let full = try Self.objects(in: "scratch", connection)
        #expect(full.count > 5)
        #expect(full.allSatisfy { $0.contains("scratch.\(pack.name)_") || $0.contains("scratch._\(pack.name)_") })
        try pack.remove(from: "scratch", on: connection)
        try #expect(Self.objects(in: "scratch", connection).isEmpty)
        try pack.install(in: "scratch", on: connection)
        try #expect(Self.objects(in: "scratch", connection) == full)
    }

    @Test(arguments: PackFolder.all)
    func `each fold and each count has its table, keyed by tenant first, and no foreign keys`(pack: PackFolder) throws {
        let connection = try TestCluster.shared.database("packs").connect()
        try pack.install(in: "scratch", on: connection)
        let definition = try PackLoader().load(pack.name)
        var tables: Set<String> = []
        for fold in definition.folds {
            tables.insert(fold.table)
            if case .entity(let entity) = fold.kind { tables.formUnion(entity.counts.map(\.table)) }
        }
        let result = try connection.execute(
            """
            SELECT class.relname, attribute.attname, attribute.attnotnull, key.contype
            FROM pg_constraint AS key
            JOIN pg_class AS class ON class.oid = key.conrelid AND class.relnamespace = 'scratch'::regnamespace
            JOIN pg_attribute AS attribute ON attribute.attrelid = class.oid AND attribute.attnum = key.conkey[1]
            WHERE key.contype IN ('p', 'f')
            """)
        var found: Set<String> = []
        for row in 0..<result.rowCount {
            #expect(result.string(row, 3) == "p" && result.string(row, 1) == "tenant_id")
            found.insert(result.string(row, 0) ?? "")
        }
        // Made by triggers, of links of ids.
        if pack.name == "product" { tables.formUnion(["product_changes", "product_identities", "product_shared_ids"]) }
        #expect(found == tables)
    }

    @Test(arguments: PackFolder.all)
    func `every example is accepted and folded, and every type that is folded has an example`(pack: PackFolder) throws {
        let folds = try PackLoader().load(pack.name).folds
        let parser = EventParser()
        var types: Set<String> = []
        var identities: Set<UniqueID> = []
        let examples = try pack.examples()
        #expect(!examples.isEmpty)
        for line in examples {
            switch try parser.parse(example: line) {
            case .event(let event):
                types.insert(event.eventType)
                #expect(identities.insert(try #require(event.id)).inserted && event.isTimeKnown, "\(line)")
                #expect(Self.takes(folds, event.eventType), "\(line)")
            case .conversation:
                #expect(folds.contains { $0.source == .conversations }, "\(line)")
            }
        }
        for pattern in folds.flatMap(Self.patterns) where pattern != .any {
            #expect(types.contains { pattern.matches($0) }, "no example of \(pattern)")
        }
    }

    @Test(arguments: PackFolder.all)
    func `every line of the seed is accepted at any time and folded`(pack: PackFolder) throws {
        let folds = try PackLoader().load(pack.name).folds
        let parser = EventParser()
        var last: UniqueID?
        for line in try pack.seeds() {
            switch try parser.parse(example: line) {
            case .event(let event):
                #expect(Self.takes(folds, event.eventType), "\(line)")
                // Without a time it never gets too old, and lines received together keep the order of the file.
                let id = try #require(event.id)
                #expect(!event.isTimeKnown && last.map { ($0.high, $0.low) < (id.high, id.low) } ?? true)
                last = id
            case .conversation:
                #expect(folds.contains { $0.source == .conversations }, "\(line)")
            }
        }
    }

    private static func patterns(_ fold: FoldDefinition) -> [EventTypePattern] {
        guard case .events(let patterns) = fold.source else { return [] }
        guard case .entity(let entity) = fold.kind else { return patterns }
        return patterns + entity.deletes
    }

    private static func takes(_ folds: [FoldDefinition], _ type: String) -> Bool {
        folds.flatMap(patterns).contains { $0.matches(type) }
    }

    /// Names of tables, views, indexes, types and functions, and the constraints' texts.
    private static func objects(in schema: String, _ connection: PostgresConnection) throws -> [String] {
        let result = try connection.execute(
            """
            SELECT relkind::text || ' ' || oid::regclass
            FROM pg_class WHERE relnamespace = '\(schema)'::regnamespace AND relkind NOT IN ('t')
            UNION ALL
            SELECT 'type ' || oid::regtype
            FROM pg_type WHERE typnamespace = '\(schema)'::regnamespace
            UNION ALL
            SELECT 'function ' || oid::regprocedure || proconfig::text
            FROM pg_proc WHERE pronamespace = '\(schema)'::regnamespace
            UNION ALL
            SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
            FROM pg_constraint WHERE connamespace = '\(schema)'::regnamespace
            ORDER BY 1
            """)
        return (0..<result.rowCount).compactMap { result.string($0, 0) }
    }
}
