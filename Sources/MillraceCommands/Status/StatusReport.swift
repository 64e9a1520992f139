internal import MillraceConsole
internal import MillraceProjections
internal import MillraceTelemetry

/// What `millrace status` tells.
struct StatusReport: Encodable {
    struct Daemon: Encodable {
        var isRunning: Bool
        /// As /readyz says.
        var isReady: Bool
        var address: String
        /// Whether events get into the database; nil when it does not say.
        var isWriting: Bool?
        /// Why not, and since when.
        var writingReason: String?
        var writingSince: String?
        /// What /readyz answers when not ready, or why it does not answer.
        var detail: String?
        /// nil when it does not say.
        var memory: Memory?
    }

    /// What the daemon holds for clients: `memory.budget` bounds it.
    struct Memory: Encodable, Equatable {
        var usedBytes: Int
        var budgetBytes: Int

        init(usedBytes: Int, budgetBytes: Int) {
            self.usedBytes = usedBytes
            self.budgetBytes = budgetBytes
        }

        /// nil when the text of `/metrics` lacks one of the two.
        init?(metrics text: String) {
            let metrics = ScrapedMetrics(text)
            func value(_ metric: MetricName) -> Int? { metrics.value(metric).flatMap { Int(exactly: $0) } }
            guard let used = value(.memoryUsed), let budget = value(.memoryBudget) else { return nil }
            self.init(usedBytes: used, budgetBytes: budget)
        }
    }

    struct Spool: Encodable {
        var directory: String
        var spoolId: String
        var segments: Int
        var bytes: Int
        /// Lines that are not in the ledger; nil when the ledger was not reached.
        var backlogLines: Int?
        /// Age of the oldest of these; nil when there is none.
        var oldestUncommittedSeconds: Double?
        var filesSetAside: Int
    }

    struct Database: Encodable {
        struct Reason: Encodable {
            var code: String
            var letters: Int
        }

        /// Events that a projection lacks.
        struct Parked: Encodable {
            var pack: String
            var fold: String
            var code: String
            var constraint: String?
            var sqlstate: String?
            var events: Int
            var oldest: String
            /// For people.
            var reason: String

            private enum CodingKeys: CodingKey {
                case pack, fold, code, constraint, sqlstate, events, oldest
            }

            init(_ count: ParkedCount) {
                (pack, fold, code) = (count.pack, count.fold, count.code)
                (constraint, sqlstate) = (count.constraint, count.sqlState)
                (events, oldest, reason) = (count.events, count.oldest, count.reason)
            }
        }

        struct Table: Encodable {
            var table: String
            var rowsEstimate: Int
            var bytes: Int
            /// Months after this one whose partition is there, without a gap.
            var monthsAhead: Int
            /// Months that rows can't go to, or that are not seen: name, state and what fixes it.
            var wrongMonths: [String]
            var detachedMonths: [String]
        }

        var version: String
        var migrationsPending: Int
        var batches: Int
        var lastCommitAt: String?
        /// Rows and batches a second, in the last minute.
        var rowsPerSecond: Double
        var batchesPerSecond: Double
        var tables: [Table]
        var openDeadLetters: [Reason]
        /// In the live versions.
        var parked: [Parked]
    }

    var daemon: Daemon
    /// nil when its directory is not there.
    var spool: Spool?
    /// nil when it was not reached.
    var database: Database?
    /// Why something is missing above.
    var problems: [String]

    var isWell: Bool { daemon.isReady && daemon.isWriting != false && database != nil && problems.isEmpty }

    /// For people.
    var text: String {
        let state = daemon.isReady ? "ready" : daemon.isRunning ? "running, not ready" : "not running"
        var lines = ["daemon    \(state) at \(daemon.address)" + (daemon.detail.map { ": \($0)" } ?? "")]
        if daemon.isWriting == false {
            lines.append(
                "writing   nothing since \(daemon.writingSince ?? "?"): \(daemon.writingReason ?? "no reason given")")
        }
        if let memory = daemon.memory {
            lines.append(
                "memory    \(Format.bytes(memory.usedBytes)) of memory.budget \(Format.size(memory.budgetBytes))")
        }
        if let spool { lines += Self.lines(spool) }
        if let database { lines += Self.lines(database) }
        for problem in problems { lines.append("problem   \(problem)") }
        return lines.joined(separator: "\n")
    }

    private static func lines(_ spool: Spool) -> [String] {
        var backlog = "backlog   " + (spool.backlogLines.map { "\(Format.count($0)) lines" } ?? "not known")
        if let age = spool.oldestUncommittedSeconds {
            backlog += ", the oldest \(Format.duration(.seconds(age))) old"
        }
        var first = "spool     \(spool.segments) segments, \(Format.bytes(spool.bytes)) in \(spool.directory)"
        if spool.filesSetAside > 0 { first += ", \(spool.filesSetAside) damaged pieces set aside" }
        return [first, backlog]
    }

    private static func lines(_ database: Database) -> [String] {
        var lines = ["database  PostgreSQL \(database.version)"]
        if database.migrationsPending > 0 { lines.append("schema    \(database.migrationsPending) migrations pending") }
        lines.append(
            "ledger    last commit \(database.lastCommitAt ?? "never"); in the last minute "
                + "\(Format.decimal(database.rowsPerSecond)) rows/s, \(Format.decimal(database.batchesPerSecond)) batches/s"
        )
        for table in database.tables {
            lines.append(
                "table     \(table.table): about \(Format.count(table.rowsEstimate)) rows, \(Format.bytes(table.bytes)), "
                    + "\(table.monthsAhead) months ahead")
            for month in table.wrongMonths { lines.append("month     \(month)") }
            for month in table.detachedMonths { lines.append("month     \(month): detached") }
        }
        for reason in database.openDeadLetters {
            lines.append("dead      \(Format.count(reason.letters)) open letters: \(reason.code)")
        }
        for parked in database.parked {
            lines.append(
                "parked    \(Format.count(parked.events)) events in \(parked.reason), the oldest since \(parked.oldest)"
            )
        }
        if !database.parked.isEmpty { lines.append("          \(ParkedCount.hint)") }
        return lines
    }
}
