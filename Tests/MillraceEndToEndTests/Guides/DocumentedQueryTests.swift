import MillracePostgres
import MillraceProjections
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// What pages and comments tell analysts to ask is asked by index, however many rows there are.
    struct DocumentedQueryTests {
        /// Rows from which on a table is not to be read whole.
        private static let largeMin = 1000

        @Test func `no documented query reads a large table from end to end`() throws {
            let connection = try Self.filled("documented_queries").connect()
            let large = try Self.texts("SELECT relname FROM pg_class WHERE reltuples >= \(Self.largeMin)", connection)
            #expect(large.contains("commerce_orders") && large.contains { $0.hasPrefix("analytics_events_y") })
            var queries = try Self.commented(connection)
            #expect(queries.count >= 4)
            for page in [GuidePage.readme] + GuidePage.guides + GuidePage.packs { queries += Self.queries(of: page) }
            #expect(queries.count > 60)
            for query in queries {
                let plan = try Self.texts("EXPLAIN \(query)", connection)
                for line in plan where line.contains("Seq Scan on ") {
                    #expect(!large.contains { line.contains("Seq Scan on \($0) ") }, "\(query)\n\(plan)")
                }
            }
        }

        @Test func `a query of a view is an index scan, and one of the table without the tenant would not be`() throws {
            let connection = try Self.filled("views_and_tables").connect()
            let conditions = "WHERE status = 'paid' ORDER BY created_at DESC LIMIT 20"
            let view = try Self.texts("EXPLAIN SELECT * FROM projections.commerce_orders_now \(conditions)", connection)
            #expect(view.contains { $0.contains("Index Scan using commerce_orders_status_created_at_idx") }, "\(view)")
            #expect(!view.contains { $0.contains("Sort") }, "\(view)")
            let table = try Self.texts("EXPLAIN SELECT * FROM projections.commerce_orders \(conditions)", connection)
            #expect(table.contains { $0.contains("Seq Scan on commerce_orders") }, "\(table)")
        }

        /// A database with every pack and many rows.
        private static func filled(_ name: String) throws -> TestDatabase {
            let database = try TestCluster.shared.database(name)
            let connection = try database.connect()
            let packs = try PackLoader().load(PackLoader.builtIn)
            try PackInstaller(connection: connection).install(packs)
            try ManyRows.fill(packs, on: connection)
            return database
        }

        /// The SELECTs of a page's blocks.
        private static func queries(of page: GuidePage) -> [String] {
            page.blocks.flatMap { block -> [String] in
                switch block.language {
                case .sh: return block.text.matches(of: #/-c '(SELECT [^']+)'/#).map { String($0.output.1) }
                case .sql:
                    let lines = block.text.split(separator: "\n").filter { !$0.hasPrefix("--") }
                    return lines.joined(separator: "\n").split(separator: ";").map {
                        String($0.drop(while: \.isWhitespace))
                    }
                    .filter { $0.hasPrefix("SELECT") }
                }
            }
        }

        /// What the comments on the views of the packs say that one may ask.
        private static func commented(_ connection: PostgresConnection) throws -> [String] {
            let rows = try connection.execute(
                """
                SELECT class.oid::regclass::text, description,
                    (SELECT format_type(atttypid, NULL) FROM pg_attribute
                     WHERE attrelid = class.oid AND attname = substring(description, 'give an? ([a-z_]+)'))
                FROM pg_class AS class
                JOIN pg_description ON objoid = class.oid AND objsubid = 0
                WHERE relnamespace = 'projections'::regnamespace AND relkind = 'v'
                """)
            var queries: [String] = []
            for row in 0..<rows.rowCount {
                let (view, comment) = (rows.string(row, 0) ?? "", rows.string(row, 1) ?? "")
                if let order = comment.firstMatch(of: #/ORDER BY [a-z_]+ DESC/#) {
                    queries.append("SELECT * FROM \(view) \(order.output) LIMIT 20")
                }
                if let column = comment.firstMatch(of: #/give an? ([a-z_]+)/#) {
                    let value = rows.string(row, 2) == "uuid" ? "md5('7')::uuid" : "7"
                    queries.append("SELECT * FROM \(view) WHERE \(column.output.1) = \(value)")
                }
            }
            return queries
        }

        private static func texts(_ sql: String, _ connection: PostgresConnection) throws -> [String] {
            let rows = try connection.execute(sql)
            return (0..<rows.rowCount).compactMap { rows.string($0, 0) }
        }
    }
}
