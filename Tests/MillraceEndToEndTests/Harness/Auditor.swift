import MillracePostgres
import MillraceTestSupport
import Testing

/// Looks at what is in the tables, by SQL of its own and by `millrace verify`. Connects anew for each question,
/// because PostgreSQL comes and goes in these tests.
struct Auditor {
    let database: TestDatabase

    func integer(_ sql: String) throws -> Int {
        let result = try database.connect().execute(sql, timeout: .seconds(300))
        return result.rowCount > 0 ? result.int(0, 0) ?? 0 : 0
    }

    func strings(_ sql: String) throws -> [String] {
        let result = try database.connect().execute(sql, timeout: .seconds(300))
        return (0..<result.rowCount).map { result.string($0, 0) ?? "NULL" }
    }

    var events: Int { get throws { try integer("SELECT count(*) FROM public.analytics_events") } }
    var conversations: Int { get throws { try integer("SELECT count(*) FROM public.conversations") } }
    var rows: Int { get throws { try events + conversations } }
    /// Sequences that the ledger holds.
    var settled: Int { get throws { try integer(Self.settledQuery) } }

    private static let settledQuery = "SELECT sum(last_seq - first_seq + 1) FROM public.ingest_batches"

    /// Waits until `rows` rows are there, while the server may still be recovering.
    func waitForRows(_ rows: Int, within limit: Duration = .seconds(90)) throws {
        try wait(
            for: rows, "rows",
            """
            SELECT (SELECT count(*) FROM public.analytics_events) + (SELECT count(*) FROM public.conversations)
            """, within: limit)
    }

    /// Waits until the ledger holds `count` sequences.
    func waitForSettled(_ count: Int, within limit: Duration = .seconds(90)) throws {
        try wait(for: count, "settled", Self.settledQuery, within: limit)
    }

    /// Over one session as long as it lasts: each costs the server a process.
    private func wait(for count: Int, _ what: String, _ sql: String, within limit: Duration) throws {
        var last = -1
        var session: PostgresConnection?
        let isThere = eventually(within: limit) {
            do {
                let connection = try session ?? database.connect()
                session = connection
                let result = try connection.execute(sql, timeout: .seconds(300))
                last = result.rowCount > 0 ? result.int(0, 0) ?? 0 : 0
            } catch {
                session = nil
            }
            return last >= count
        }
        guard isThere else { throw TestSupportError(message: "\(last) \(what) within \(limit), \(count) were wanted") }
    }

    /// `millrace verify` must find all well; returns its report.
    @discardableResult
    func verify(
        _ daemon: DaemonProcess, within limit: Duration = .seconds(120),
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> VerifyReport {
        let run = try daemon.run("verify", "--json", within: limit)
        let report = try run.report(VerifyReport.self)
        #expect(run.isSuccess, "\(run.errors)", sourceLocation: sourceLocation)
        #expect(report.ok, "\(report.failures)", sourceLocation: sourceLocation)
        for kind in report.conservation {
            let sum = kind.committed + kind.duplicate + kind.dead + kind.refused + kind.inSpool
            #expect(kind.received == sum, "the conservation law, \(kind.kind)", sourceLocation: sourceLocation)
        }
        return report
    }
}

/// What `millrace verify --json` says, as far as the tests look.
struct VerifyReport: Decodable {
    struct Check: Decodable {
        var name: String
        var ok: Bool
        var detail: String
    }

    struct Kind: Decodable {
        var kind: String
        var received: Int
        var committed: Int
        var duplicate: Int
        var dead: Int
        var refused: Int
        var inSpool: Int
    }

    var ok: Bool
    var checks: [Check]
    var conservation: [Kind]

    var total: Kind? { conservation.first { $0.kind == "total" } }

    /// What is not well.
    var failures: [String] { checks.filter { !$0.ok }.map { "\($0.name): \($0.detail)" } }
}
