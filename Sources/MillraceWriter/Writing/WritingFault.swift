import Logging
package import MillracePostgres
import MillraceTelemetry

/// Why a batch is not written, for an operator.
package struct WritingFault: Sendable, Equatable {
    /// snake_case; `PostgresError.Code`, or one of the codes below.
    package var code: String
    /// PostgreSQL's, when it answered.
    package var sqlState: String?
    package var message: String
    /// What to do about it.
    package var hint: String
    /// Whether it lasts until somebody acts, as far as its SQLSTATE tells.
    package var wantsOperator = false

    package init(
        code: String, sqlState: String? = nil, message: String, hint: String, wantsOperator: Bool = false
    ) {
        self.code = code
        self.sqlState = sqlState
        self.message = message
        self.hint = hint
        self.wantsOperator = wantsOperator
    }

    package init(_ error: PostgresError) {
        self.init(
            code: error.code.rawValue, sqlState: error.sqlState?.rawValue, message: error.message, hint: error.hint,
            wantsOperator: error.category == .stop)
    }

    init(_ refusal: TableRefusal) {
        self.init(refusal.cause)
        message = "public.\(refusal.table.rawValue) takes no row: \(message)"
        wantsOperator = true
    }

    /// Nothing has failed, and nothing is written either.
    static let noAnswer = WritingFault(
        code: "no_answer", message: "PostgreSQL has not finished the batch that it was given",
        hint: "See what it waits for: pg_stat_activity and pg_locks, its disk, its processors.")

    /// The batch's bytes could not be read.
    static func spoolUnreadable(_ error: any Error) -> WritingFault {
        WritingFault(
            code: "spool_unreadable", message: "the spool could not be read: \(error)",
            hint: "See the spool's disk; nothing is lost as long as its files are there.")
    }
}

extension PostgresError {
    /// For a log line: never DETAIL, which quotes rows.
    var metadata: Logger.Fields {
        var metadata: Logger.Fields = [.code: "\(code.rawValue)", .reason: "\(message)", .hint: "\(hint)"]
        if let sqlState { metadata[.sqlState] = "\(sqlState)" }
        return metadata
    }
}
