@testable import MillracePostgres
import MillraceTestSupport
import Testing

@Suite(.onOwnThreads) struct PostgresPipelineTests {
    private static let prepared =
        "SELECT count(*), sum(generic_plans + custom_plans) FROM pg_prepared_statements WHERE NOT from_sql"

    @Test func `answers come in the order of the statements, and the connection is free again`() throws {
        let connection = try TestCluster.shared.database(isMigrated: false).connect()
        for turn in 1...3 {
            var pipeline = PostgresPipeline(connection)
            try pipeline.send("CREATE TEMP TABLE t\(turn) (n integer, name text)")
            try pipeline.send(
                "INSERT INTO t\(turn) VALUES ($1, $2), ($3, NULL)", parameters: ["1", "naïve '\\", .integer(turn)])
            let read = try pipeline.send("SELECT n, name FROM t\(turn) ORDER BY name", answersBinary: true)
            #expect(read == 2)
            var numbers: [Int] = []
            try pipeline.finish { number, result in
                numbers.append(number)
                guard number == read else { return }
                #expect(result.rowCount == 2 && result.string(0, 1) == "naïve '\\" && result.isNull(1, 1))
                #expect(result.withBytes(1, 0) { $0.map(Array.init) } == [0, 0, 0, UInt8(turn)])
            }
            #expect(numbers == [0, 1, 2])
            #expect(try connection.execute("SELECT \(turn)").int(0, 0) == turn)
        }
    }

    @Test func `nothing sent is nothing to wait for`() throws {
        let connection = try TestCluster.shared.database(isMigrated: false).connect()
        var pipeline = PostgresPipeline(connection)
        try pipeline.finish { _, _ in Issue.record("an answer to nothing") }
    }

    @Test func `after an error the rest is skipped, and a savepoint brings the transaction back`() throws {
        let connection = try TestCluster.shared.database(isMigrated: false).connect()
        try connection.execute("CREATE TABLE t (n integer PRIMARY KEY); BEGIN; INSERT INTO t VALUES (1)")
        var pipeline = PostgresPipeline(connection)
        try pipeline.send("SAVEPOINT here")
        try pipeline.send("INSERT INTO t VALUES ($1)", parameters: ["2"])
        try pipeline.send("INSERT INTO t VALUES ($1)", parameters: ["1"])
        try pipeline.send("SELECT * FROM absent")
        var answered: [Int] = []
        let error = try #require(throws: PostgresError.self) {
            try pipeline.finish { number, _ in answered.append(number) }
        }
        #expect(error.sqlState == .uniqueViolation)
        #expect(answered == [0, 1])
        #expect(connection.isUsable && connection.transactionStatus == .failed)
        try connection.execute("ROLLBACK TO SAVEPOINT here")
        try pipeline.send("INSERT INTO t VALUES ($1)", parameters: ["3"])
        try pipeline.finish()
        try connection.execute("COMMIT")
        #expect(try connection.execute("SELECT string_agg(n::text, ' ' ORDER BY n) FROM t").string(0, 0) == "1 3")
    }

    @Test func `a text is prepared once a session, and again when that failed`() throws {
        let connection = try TestCluster.shared.database(isMigrated: false).connect()
        for count in 1...4 {
            var pipeline = PostgresPipeline(connection)
            try pipeline.send("SELECT $1::integer", parameters: [.integer(count)])
            try pipeline.send("SELECT $1::integer", parameters: ["0"])
            try pipeline.finish()
            let prepared = try connection.execute(Self.prepared)
            #expect(prepared.int(0, 0) == 1 && prepared.int(0, 1) == count * 2)
        }
        for isThere in [false, true] {
            var pipeline = PostgresPipeline(connection)
            try pipeline.send("INSERT INTO late VALUES (1)")
            do throws(PostgresError) {
                try pipeline.finish()
                #expect(isThere)
            } catch {
                #expect(!isThere && error.sqlState?.rawValue == "42P01")
                try connection.execute("CREATE TABLE late (n integer)")
            }
        }
        #expect(try connection.execute("SELECT count(*) FROM late").int(0, 0) == 1)
    }

    @Test func `a table that is made anew under its name is found`() throws {
        let connection = try TestCluster.shared.database(isMigrated: false).connect()
        for _ in 1...2 {
            try connection.execute("DROP TABLE IF EXISTS t; CREATE TABLE t (n integer)")
            var pipeline = PostgresPipeline(connection)
            try pipeline.send("INSERT INTO t VALUES ($1)", parameters: ["5"])
            try pipeline.finish()
            #expect(try connection.execute("SELECT sum(n) FROM t").int(0, 0) == 5)
        }
    }

    @Test func `more texts than are remembered work as well`() throws {
        let connection = try TestCluster.shared.database(isMigrated: false).connect()
        var sum = 0
        for number in Array(0..<300) + [0, 299] {
            var pipeline = PostgresPipeline(connection)
            try pipeline.send("SELECT \(number)")
            try pipeline.finish { _, result in sum += result.int(0, 0) ?? -1 }
        }
        #expect(sum == 299 * 300 / 2 + 299)
    }

    @Test func `neither side waits for the other when questions and answers are large`() throws {
        let connection = try TestCluster.shared.database(isMigrated: false).connect()
        var pipeline = PostgresPipeline(connection)
        let value = [UInt8](repeating: 7, count: 1 << 20)
        for _ in 0..<24 {
            try pipeline.send("SELECT $1::bytea", parameters: [.binary(value, type: 17)], answersBinary: true)
        }
        var byteCount = 0
        try pipeline.finish { _, result in byteCount += result.withBytes(0, 0) { $0?.count ?? 0 } }
        #expect(byteCount == 24 << 20)
    }

    @Test func `a session that ends amid the statements is an error to try again`() throws {
        let connection = try TestCluster.shared.database(isMigrated: false).connect()
        var pipeline = PostgresPipeline(connection)
        try pipeline.send("SELECT 1")
        try pipeline.send("SELECT pg_terminate_backend(pg_backend_pid())")
        try pipeline.send("SELECT 2")
        let error = try #require(throws: PostgresError.self) { try pipeline.finish() }
        #expect(error.category == .retry)
        #expect(!connection.isUsable)
        #expect(throws: PostgresError.isClosed) { try pipeline.send("SELECT 1") }
    }

    @Test func `an interrupt ends the wait`() throws {
        let interrupt = PostgresInterrupt()
        let connection = try TestCluster.shared.database(isMigrated: false).connect(interrupt: interrupt)
        interrupt.raise()
        var pipeline = PostgresPipeline(connection)
        try pipeline.send("SELECT pg_sleep(60)")
        let error = try #require(throws: PostgresError.self) { try pipeline.finish() }
        #expect(error.code == .interrupted && !connection.isUsable)
    }
}
