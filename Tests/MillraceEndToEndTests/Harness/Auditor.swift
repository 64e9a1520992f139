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
    var settled: Int { get throws { try integer("SELECT sum(last_seq - first_seq + 1) FROM public.ingest_batches") } }

    /// Waits until `rows` rows are there, while the server may still be recovering.
    func waitForRows(_ rows: Int, within limit: Duration = .seconds(60)) throws {
        var last = -1
        let isThere = eventually(within: limit) {
            last = (try? self.rows) ?? last
            return last >= rows
        }
        guard isThere else { throw TestSupportError(message: "\(last) rows within \(limit), \(rows) were wanted") }
    }

    /// Waits until the ledger holds `count` sequences.
    func waitForSettled(_ count: Int, within limit: Duration = .seconds(60)) throws {
        var last = -1
        let isThere = eventually(within: limit) {
            last = (try? settled) ?? last
            return last >= count
        }
        guard isThere else { throw TestSupportError(message: "\(last) settled within \(limit), \(count) were wanted") }
    }

    /// `millrace verify` must find all well; returns its report.
    @discardableResult
    func verify(_ daemon: DaemonProcess, sourceLocation: SourceLocation = #_sourceLocation) throws -> VerifyReport {
        let run = try daemon.run("verify", "--json")
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
