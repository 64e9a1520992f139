import MillracePostgres
import MillraceTestSupport
import Testing

@Suite(.onOwnThreads) struct PostgresCopyTests {
    private let connection: PostgresConnection

    init() throws {
        connection = try TestCluster.shared.database(isMigrated: false).connect()
        try connection.execute("CREATE TABLE t (n bigint PRIMARY KEY, line text)")
    }

    private static let copy = "COPY t FROM STDIN WITH (FORMAT binary)"

    /// A binary tuple of a bigint and a text.
    private func row(_ number: Int64, _ line: String) -> [UInt8] {
        func bigEndian(_ value: some FixedWidthInteger) -> [UInt8] {
            withUnsafeBytes(of: value.bigEndian) { Array($0) }
        }
        return bigEndian(Int16(2)) + bigEndian(Int32(8)) + bigEndian(number)
            + bigEndian(Int32(line.utf8.count)) + Array(line.utf8)
    }

    @Test func `binary rows go in with header and trailer, and are counted`() throws {
        let count = try connection.copyIn(Self.copy) { (writer) throws(PostgresError) in
            for number in 1...1000 { try writer.write(row(Int64(number), "line \(number)")) }
        }
        #expect(count == 1000)
        try #expect(connection.execute("SELECT line FROM t WHERE n = 777").string(0, 0) == "line 777")
    }

    @Test func `a COPY of no rows is a COPY`() throws {
        try #expect(connection.copyIn(Self.copy) { _ in } == 0)
    }

    @Test func `more than the socket takes goes through whole, in pieces cut anywhere`() throws {
        let bytes = (0..<200).flatMap { row($0, String(repeating: "abcdefghij", count: 10_000)) }
        let count = try connection.copyIn(Self.copy) { (writer) throws(PostgresError) in
            var rest = bytes[...]
            while !rest.isEmpty {
                try writer.write(Array(rest.prefix(777_777)))
                rest = rest.dropFirst(777_777)
            }
        }
        #expect(count == 200)
        try #expect(connection.execute("SELECT sum(length(line)) FROM t").int(0, 0) == 200 * 100_000)
    }

    @Test func `an error about a row comes out of copyIn, and the session goes on`() throws {
        let error = try #require(throws: PostgresError.self) {
            try connection.copyIn(Self.copy) { (writer) throws(PostgresError) in
                for number in [1, 2, 1] { try writer.write(row(Int64(number), "")) }
            }
        }
        #expect(error.category == .duplicate && error.constraint == "t_pkey")
        #expect(connection.isUsable && connection.transactionStatus == .idle)
        try #expect(connection.execute("SELECT count(*) FROM t").int(0, 0) == 0)
    }

    @Test func `a savepoint survives a COPY that fails`() throws {
        try connection.execute("BEGIN; SAVEPOINT s")
        #expect(throws: PostgresError.self) {
            try connection.copyIn(Self.copy) { (writer) throws(PostgresError) in
                try writer.write(row(1, "a") + row(1, "b"))
            }
        }
        #expect(connection.transactionStatus == .failed)
        try connection.execute("ROLLBACK TO SAVEPOINT s")
        try #expect(
            connection.copyIn(Self.copy) { (writer) throws(PostgresError) in try writer.write(row(1, "a")) } == 1)
        try #expect(connection.execute("COMMIT").commandTag == "COMMIT")
    }

    @Test func `a body that throws abandons the COPY on the server too`() throws {
        try connection.execute("BEGIN")
        let mine = PostgresError(code: .serverError, message: "changed my mind")
        let error = try #require(throws: PostgresError.self) {
            try connection.copyIn(Self.copy) { (writer) throws(PostgresError) in
                try writer.write(row(1, "a"))
                throw mine
            }
        }
        #expect(error == mine)
        #expect(connection.isUsable && connection.transactionStatus == .failed)
        try connection.execute("ROLLBACK")
        try #expect(connection.execute("SELECT count(*) FROM t").int(0, 0) == 0)
    }

    @Test func `a COPY the server refuses to begin leaves the session usable`() throws {
        let error = try #require(throws: PostgresError.self) {
            try connection.copyIn("COPY public.analytics_events_y2026m11 FROM STDIN") { _ in }
        }
        #expect(error.category == .missingPartition)
        #expect(connection.isUsable)
    }

    @Test func `a bad binary value is a poison row`() throws {
        let error = try #require(throws: PostgresError.self) {
            try connection.copyIn(Self.copy) { (writer) throws(PostgresError) in
                try writer.write(row(1, "\0"))
            }
        }
        #expect(error.sqlState?.rawValue == "22021" && error.category == .poison)
    }
}
