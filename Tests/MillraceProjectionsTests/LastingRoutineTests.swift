import MillracePostgres
import MillraceProjections
import MillraceTestSupport
import Synchronization
import Testing

/// Functions of a pack over a switch to its next version.
@Suite(.onOwnThreads) struct LastingRoutineTests {
    private let database: TestDatabase
    private let connection: PostgresConnection
    private let scratch: ScratchDirectory
    private let shop: ShopPack

    init() throws {
        database = try TestCluster.shared.database("lasting_routines")
        connection = try database.connect()
        scratch = try ScratchDirectory()
        shop = try ShopPack(in: scratch)
    }

    /// Of types that PostgreSQL has, and one of a type that the pack makes.
    private static func functions(answering number: Int, isPublic: Bool = true) -> String {
        """

        CREATE FUNCTION shop_lasting(INOUT a integer, OUT total numeric, b text DEFAULT 'b')
            LANGUAGE plpgsql
        AS $$
        DECLARE
            found record;
        BEGIN
            PERFORM projections.hold_versions();
            SELECT count(*) AS n, min(status::text) AS status INTO found FROM shop_orders;
            total := \(number) + found.n;
        END
        $$;
        CREATE FUNCTION shop_bound(a shop_orders) RETURNS integer LANGUAGE sql AS 'SELECT \(number)';
        \(isPublic ? "" : "REVOKE EXECUTE ON FUNCTION shop_lasting FROM PUBLIC;")
        """
    }

    private func pack() throws -> PackDefinition { try PackLoader(directory: shop.directory).load("shop") }

    private func text(_ sql: String) throws -> String? { try connection.execute(sql).string(0, 0) }

    private func rebuild() throws {
        _ = try Rebuild(connection: connection, pack: pack(), joinAge: .seconds(3600)).run { _ in }
    }

    @Test func `a function of PostgreSQL's own types is replaced in its place, any other one is made anew`() throws {
        try shop.write(version: 1, suffix: Self.functions(answering: 100))
        try PackInstaller(connection: connection).install([pack()])
        let oids = """
            SELECT string_agg(oid::text, ' ' ORDER BY proname DESC) FROM pg_proc
            WHERE proname IN ('shop_lasting', 'shop_bound')
            """
        let before = try #require(try text(oids)?.split(separator: " "))
        let other = try database.connect()
        try other.execute("PREPARE ask AS SELECT total FROM projections.shop_lasting(1)")
        #expect(try other.execute("EXECUTE ask").string(0, 0) == "100")
        try shop.write(version: 2, suffix: Self.functions(answering: 200, isPublic: false))
        try rebuild()
        let after = try #require(try text(oids)?.split(separator: " "))
        #expect(after[0] == before[0] && after[1] != before[1])
        #expect(try other.execute("EXECUTE ask").string(0, 0) == "200")
        // As the new version says.
        #expect(
            try text("SELECT has_function_privilege('public', 'projections.shop_lasting(integer, text)', 'EXECUTE')")
                == "f")
        #expect(
            try text("SELECT proconfig::text FROM pg_proc WHERE proname = 'shop_lasting'")
                == #"{"search_path=projections, pg_catalog, public, pg_temp"}"#)
        #expect(try text("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'projections\\_%'") == "0")
        // The same definition again, with what was granted, and back to nothing.
        try connection.execute("GRANT EXECUTE ON FUNCTION projections.shop_lasting TO pg_monitor")
        try rebuild()
        #expect(try other.execute("EXECUTE ask").string(0, 0) == "200")
        #expect(
            try text(
                "SELECT has_function_privilege('pg_monitor', 'projections.shop_lasting(integer, text)', 'EXECUTE')")
                == "t")
        try #expect(PackInstaller(connection: connection).removeAll([]) == ["shop"])
        #expect(try text("SELECT count(*) FROM pg_proc WHERE proname LIKE 'shop\\_%'") == "0")
    }

    /// One session that calls, step by step, on a thread of its own.
    private final class Caller: Sendable {
        let step = Atomic<Int>(0)
        let done = Atomic<Int>(0)

        /// Runs `statements`, each once `step` has come to its number.
        func run(_ statements: [String], on database: TestDatabase) -> BackgroundThread {
            BackgroundThread {
                let connection = try database.connect()
                for (number, statement) in statements.enumerated() {
                    _ = eventually { self.step.load(ordering: .sequentiallyConsistent) > number }
                    let answer = try connection.execute(statement)
                    if statement.contains("shop_lasting"), answer.string(0, 0) != "100" {
                        throw TestSupportError(message: "\(statement) answers \(answer.string(0, 0) ?? "nothing")")
                    }
                    self.done.add(1, ordering: .sequentiallyConsistent)
                }
            }
        }

        func goOn(waiting: Bool) {
            let goal = step.add(1, ordering: .sequentiallyConsistent).newValue
            if waiting { _ = eventually { self.done.load(ordering: .sequentiallyConsistent) >= goal } }
        }
    }

    private static let call = "SELECT total FROM projections.shop_lasting(1)"

    @Test func `a call that waits for the switch goes on in the new version, and a switch waits for a call`() throws {
        try shop.write(version: 1, suffix: Self.functions(answering: 100))
        try PackInstaller(connection: connection).install([pack()])
        let caller = Caller()
        // It has run before, with the tables of the version that goes.
        let thread = caller.run([Self.call, Self.call, Self.call, "BEGIN", Self.call, "COMMIT"], on: database)
        for _ in 1...2 { caller.goOn(waiting: true) }
        try connection.execute("BEGIN; SELECT pg_advisory_xact_lock(1296826372, 0)")
        caller.goOn(waiting: false)
        #expect(try isWaiting())
        // What a switch does, in short: the tables and their types are others then.
        try connection.execute(
            """
            CREATE TABLE projections.shop_later (LIKE projections.shop_orders INCLUDING ALL);
            DROP TABLE projections.shop_orders CASCADE;
            ALTER TABLE projections.shop_later RENAME TO shop_orders;
            COMMIT
            """)
        for _ in 4...5 { caller.goOn(waiting: true) }
        let refusal = try #require(throws: PostgresError.self) {
            try connection.execute("BEGIN; SET LOCAL lock_timeout = 100; SELECT pg_advisory_xact_lock(1296826372, 0)")
        }
        #expect(refusal.sqlState == .lockNotAvailable)
        try connection.execute("ROLLBACK")
        caller.goOn(waiting: true)
        try thread.join()
        try connection.execute("BEGIN; SELECT pg_advisory_xact_lock(1296826372, 0); COMMIT")
    }

    @Test func `a call and a switch that wait for each other both end well`() throws {
        try shop.write(version: 1, suffix: Self.functions(answering: 100))
        try PackInstaller(connection: connection).install([pack()])
        let caller = Caller()
        let thread = caller.run(
            ["BEGIN", "SELECT count(*) FROM projections.shop_orders", Self.call, "COMMIT"], on: database)
        for _ in 1...2 { caller.goOn(waiting: true) }
        try connection.execute("BEGIN; SELECT pg_advisory_xact_lock(1296826372, 0)")
        caller.goOn(waiting: false)
        #expect(try isWaiting())
        // The switch gives way after its lock_timeout, as `ProjectionsLock.alone` does, and would try again.
        let error = try #require(throws: PostgresError.self) {
            try connection.execute(
                "SET LOCAL lock_timeout = 2000; LOCK TABLE projections.shop_orders IN ACCESS EXCLUSIVE MODE")
        }
        #expect(error.sqlState == .lockNotAvailable || error.sqlState == .deadlockDetected)
        try connection.execute("ROLLBACK")
        caller.goOn(waiting: false)
        try thread.join()
    }

    private func isWaiting() throws -> Bool {
        let watcher = try database.connect()
        return try eventually {
            try watcher.execute(BlockedSessions.count()).int(0, 0) == 1
        }
    }
}
