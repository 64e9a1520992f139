@testable import MillracePostgres
import MillraceTestSupport
import Testing

@Suite(.onOwnThreads) struct PostgresConnectionTests {
    @Test func `parameters come back as they went, text, binary and NULL`() throws {
        let connection = try TestCluster.shared.database(isMigrated: false).connect()
        let result = try connection.query(
            "SELECT $1::text, $2::int4, $3::text, $4::bigint",
            parameters: ["naïve 'quoted' \\", .binary([0, 0, 1, 2], type: 23), nil, .integer(Int64.min)])
        #expect(result.string(0, 0) == "naïve 'quoted' \\")
        #expect(result.int(0, 1) == 258)
        #expect(result.isNull(0, 2) && result.string(0, 2) == nil)
        #expect(result.string(0, 3) == "-9223372036854775808")
        #expect(result.rowCount == 1 && result.columns.count == 4)
    }

    @Test func `rows come one by one until no more are wanted, and the session lives where few were left`() throws {
        let connection = try TestCluster.shared.database(isMigrated: false).connect()
        var seen: [Int] = []
        try connection.rows(
            "SELECT n, 'a' FROM generate_series(1, $1::integer) AS n", parameters: [.integer(Int64(1000))]
        ) {
            #expect($0.rowCount == 1 && $0.columnCount == 2)
            seen.append($0.int(0, 0) ?? 0)
            return seen.count < 700
        }
        #expect(seen == Array(1...700) && connection.isUsable)
        try connection.rows("SELECT 1 WHERE false") { _ in
            Issue.record("a row")
            return true
        }
        try #expect(connection.execute("SELECT 1").int(0, 0) == 1)
        try connection.rows("SELECT repeat('a', 1000000) FROM generate_series(1, 1000)") { _ in false }
        #expect(!connection.isUsable)
    }

    @Test func `an error after some rows, and one of the reader, end the rows and not the session`() throws {
        let connection = try TestCluster.shared.database(isMigrated: false).connect()
        var count = 0
        let error = try #require(throws: PostgresError.self) {
            try connection.rows("SELECT 1 / (5 - n) FROM generate_series(1, 9) AS n") { _ in
                count += 1
                return true
            }
        }
        #expect(error.sqlState?.rawValue == "22012" && count == 4)
        #expect(throws: CancellationError.self) {
            try connection.rows("SELECT 1 / (5 - n) FROM generate_series(1, 9) AS n") { _ in throw CancellationError() }
        }
        try #expect(connection.execute("SELECT 1").int(0, 0) == 1)
    }

    @Test func `of several statements the last one answers, and the first error ends them`() throws {
        let connection = try TestCluster.shared.database(isMigrated: false).connect()
        try #expect(connection.execute("SELECT 1; SELECT 2; SELECT 3").int(0, 0) == 3)
        let error = try #require(throws: PostgresError.self) {
            try connection.execute("CREATE TABLE t (); SELECT 1/0; CREATE TABLE u ()")
        }
        #expect(error.sqlState?.rawValue == "22012")
        try #expect(
            connection.execute("SELECT to_regclass('t') IS NULL AND to_regclass('u') IS NULL").bool(0, 0) == true)
    }

    @Test func `an error names constraint, table and schema`() throws {
        let connection = try TestCluster.shared.database(isMigrated: false).connect()
        try connection.execute("CREATE TABLE t (n integer CONSTRAINT positive CHECK (n > 0))")
        let error = try #require(throws: PostgresError.self) { try connection.execute("INSERT INTO t VALUES (-7)") }
        #expect(error.code == .serverError && error.sqlState == .checkViolation)
        #expect(error.constraint == "positive" && error.table == "t" && error.schema == "public")
        #expect(error.detail?.contains("-7") == true)
        #expect(!error.description.contains("-7"))
        #expect(connection.isUsable && connection.transactionStatus == .idle)
    }

    @Test func `a session is in UTC and UTF-8 whatever the server's defaults are`() throws {
        let database = try TestCluster.shared.database(isMigrated: false)
        try database.connect().execute(
            """
            ALTER DATABASE \(database.name) SET timezone = 'Asia/Kolkata';
            ALTER DATABASE \(database.name) SET datestyle = 'German'
            """)
        let result = try database.connect().execute("SELECT timestamptz '2026-11-01 00:00:00+00', pg_client_encoding()")
        #expect(result.string(0, 0) == "2026-11-01 00:00:00+00")
        #expect(result.string(0, 1) == "UTF8")
    }

    @Test(arguments: [
        ("statement_timeout", "1ms", "0"), ("lock_timeout", "1ms", "0"),
        ("idle_in_transaction_session_timeout", "1ms", "0"), ("idle_session_timeout", "1h", "0"),
        ("default_transaction_read_only", "on", "off"),
        ("default_transaction_isolation", "serializable", "read committed"),
        ("default_transaction_deferrable", "on", "off"), ("row_security", "on", "off"),
        ("search_path", "nowhere", "public"), ("client_encoding", "LATIN1", "UTF8"), ("jit", "on", "off"),
        ("TimeZone", "Asia/Kathmandu", "UTC"), ("DateStyle", "German", "ISO, YMD"),
        ("IntervalStyle", "sql_standard", "postgres"), ("bytea_output", "escape", "hex"),
        ("extra_float_digits", "-15", "1"), ("array_nulls", "off", "on"), ("transform_null_equals", "on", "off"),
        ("quote_all_identifiers", "on", "off"), ("standard_conforming_strings", "off", "on"),
        ("client_connection_check_interval", "0", "1s"),
    ])
    func `what a role or a database sets does not reach a session`(_ setting: (String, String, String)) throws {
        let (name, value, wanted) = setting
        let database = try TestCluster.own.database("settings", isMigrated: false)
        let superuser = try TestCluster.own.superuser()
        for level in ["ROLE millrace IN DATABASE", "DATABASE"] {
            try superuser.execute("ALTER \(level) \(database.name) SET \(name) = '\(value)'")
            let session = try database.connect()
            #expect(try session.execute("SELECT current_setting('\(name)')").string(0, 0) == wanted)
            try superuser.execute("ALTER \(level) \(database.name) RESET \(name)")
        }
    }

    @Test func `a column or a row that the server did not send is NULL`() throws {
        let result = try TestCluster.shared.database(isMigrated: false).connect().execute("SELECT 1 WHERE false")
        #expect(result.int(0, 0) == nil && result.string(5, 7) == nil && result.bool(-1, 0) == nil)
    }

    @Test func `a transaction commits, and rolls back when its body throws`() throws {
        let connection = try TestCluster.shared.database(isMigrated: false).connect()
        try connection.execute("CREATE TABLE t (n integer)")
        try connection.transaction { () throws(PostgresError) in try connection.execute("INSERT INTO t VALUES (1)") }
        #expect(throws: PostgresError.self) {
            try connection.transaction { () throws(PostgresError) in
                try connection.execute("INSERT INTO t VALUES (2)")
                try connection.execute("SELECT 1/0")
            }
        }
        #expect(connection.transactionStatus == .idle)
        try #expect(connection.execute("SELECT n FROM t").rowCount == 1)
    }

    @Test func `a COMMIT that the server turns into a rollback is an error`() throws {
        let connection = try TestCluster.shared.database(isMigrated: false).connect()
        let error = try #require(throws: PostgresError.self) {
            try connection.transaction { () throws(PostgresError) in
                do throws(PostgresError) { try connection.execute("SELECT 1/0") } catch {}
            }
        }
        #expect(error.sqlState?.rawValue == "25P02")
        #expect(connection.isUsable)
    }

    @Test func `a session that an administrator ends is not usable again`() throws {
        let database = try TestCluster.shared.database(isMigrated: false)
        let connection = try database.connect()
        try database.connect().query(
            "SELECT pg_terminate_backend($1, 10000)", parameters: [.integer(connection.backendID)])
        let error = try #require(throws: PostgresError.self) { try connection.execute("SELECT 1") }
        #expect(error.category == .retry)
        #expect(!connection.isUsable && connection.transactionStatus == .unknown)
        #expect(throws: PostgresError.isClosed) { try connection.execute("SELECT 1") }
    }

    @Test func `a canceller ends the statement and leaves the session`() throws {
        let connection = try TestCluster.shared.database(isMigrated: false).connect()
        let canceller = connection.canceller
        let thread = BackgroundThread {
            // The statement may not have begun: cancel until it ends.
            let isEnded = try eventually(within: .seconds(60)) {
                try !canceller.cancel(timeout: .seconds(10), interrupt: PostgresInterrupt())
            }
            #expect(isEnded)
        }
        let error = try #require(throws: PostgresError.self) {
            try connection.execute("SELECT pg_sleep(60)", timeout: .seconds(60))
        }
        #expect(error.sqlState == .queryCanceled && error.isRetryable)
        connection.close()
        try thread.join()
    }

    @Test func `the server's identity is the same for each session`() throws {
        let database = try TestCluster.shared.database(isMigrated: false)
        let identity = try database.connect().serverIdentity()
        #expect(try database.connect().serverIdentity() == identity)
        #expect(identity.systemIdentifier != nil && identity.timeline == 1)
    }
}
