import MillracePostgres
import MillraceTestSupport
import Testing

@Suite(.onOwnThreads) struct PostgresCopyOutTests {
    private let interrupt = PostgresInterrupt()
    private let connection: PostgresConnection

    init() throws {
        connection = try TestCluster.shared.database(isMigrated: false).connect(interrupt: interrupt)
    }

    @Test func `binary rows come one by one, without header and trailer`() throws {
        var rows: [[UInt8]] = []
        let count = try connection.copyOut(
            "COPY (VALUES (7::int2, 'ab'), (8::int2, NULL)) TO STDOUT (FORMAT binary)"
        ) { row in
            rows.append(Array(row))
            return true
        }
        #expect(count == 2)
        #expect(rows == [[0, 2, 0, 0, 0, 2, 0, 7, 0, 0, 0, 2, 97, 98], [0, 2, 0, 0, 0, 2, 0, 8, 255, 255, 255, 255]])
        #expect(connection.isUsable && connection.transactionStatus == .idle)
    }

    @Test func `text rows are lines`() throws {
        var text: [UInt8] = []
        try connection.copyOut("COPY (SELECT generate_series(1, 3)) TO STDOUT", format: .text) { row in
            text += row
            return true
        }
        #expect(String(decoding: text, as: UTF8.self) == "1\n2\n3\n")
    }

    @Test func `a COPY of no rows is a COPY`() throws {
        for format in [CopyFormat.binary, .text] {
            let sql = "COPY (SELECT 1 WHERE false) TO STDOUT (FORMAT \(format))"
            try #expect(connection.copyOut(sql, format: format) { _ in true } == 0)
        }
    }

    @Test func `rows larger than the socket's buffers come whole`() throws {
        var lengths: [Int] = []
        let count = try connection.copyOut(
            "COPY (SELECT repeat('x', n * 300000) FROM generate_series(1, 20) AS n) TO STDOUT (FORMAT binary)"
        ) { row in
            lengths.append(row.count)
            return true
        }
        #expect(count == 20)
        #expect(lengths == (1...20).map { 2 + 4 + $0 * 300_000 })
    }

    @Test func `an error amid the rows is thrown after those that came, and the session goes on`() throws {
        var count = 0
        let error = try #require(throws: PostgresError.self) {
            try connection.copyOut("COPY (SELECT 1 / (5 - n) FROM generate_series(1, 9) AS n) TO STDOUT", format: .text)
            {
                _ in
                count += 1
                return true
            }
        }
        #expect(error.sqlState?.rawValue == "22012" && count == 4)
        #expect(connection.isUsable)
        try #expect(connection.execute("SELECT 1").int(0, 0) == 1)
    }

    @Test func `a COPY that the server refuses to begin leaves the session usable`() throws {
        let error = try #require(throws: PostgresError.self) {
            try connection.copyOut("COPY missing TO STDOUT (FORMAT binary)") { _ in true }
        }
        #expect(error.sqlState == .undefinedTable)
        #expect(connection.isUsable)
    }

    @Test func `a statement that is no COPY to here is a mistake that ends the session`() throws {
        for sql in ["COPY t FROM STDIN", "SELECT 1"] {
            let connection = try TestCluster.shared.database(isMigrated: false).connect()
            try connection.execute("CREATE TABLE t (n int)")
            #expect(throws: PostgresError.self) { try connection.copyOut(sql) { _ in true } }
            #expect(!connection.isUsable)
        }
    }

    @Test func `who wants no more rows gets none, at the price of the session`() throws {
        var count = 0
        try connection.copyOut("COPY (SELECT generate_series(1, 10000000)) TO STDOUT (FORMAT binary)") { _ in
            count += 1
            return count < 10
        }
        #expect(count == 10 && !connection.isUsable)
    }

    @Test func `an interrupt ends it amid the rows`() throws {
        let error = try #require(throws: PostgresError.self) {
            try connection.copyOut("COPY (SELECT generate_series(1, 100000000)) TO STDOUT (FORMAT binary)") { _ in
                interrupt.raise()
                return true
            }
        }
        #expect(error.code == .interrupted && !connection.isUsable)
    }

    @Test func `a time limit ends it`() throws {
        let error = try #require(throws: PostgresError.self) {
            try connection.copyOut(
                "COPY (SELECT pg_sleep(60)) TO STDOUT (FORMAT binary)", timeout: .milliseconds(50)
            ) { _ in true }
        }
        #expect(error.code == .timedOut && !connection.isUsable)
    }
}
