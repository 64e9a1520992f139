/// What went wrong between Millrace and PostgreSQL.
///
/// `description` is fit for logs: it never holds a connection string, a password, or the server's DETAIL, which quotes
/// values of rows.
package struct PostgresError: Error, Sendable, Hashable {
    package enum Code: String, Sendable, CaseIterable {
        /// No connection could be made, or the one there was is gone.
        case connectionFailed = "connection_failed"
        /// A `PostgresInterrupt` ended the wait.
        case interrupted
        /// The server did not answer within the caller's limit.
        case timedOut = "timed_out"
        /// The server answered with an error; `sqlState` says which.
        case serverError = "server_error"
        /// The server took fewer rows than it was sent, without an error.
        case rowsKeptOut = "rows_kept_out"
        /// A month's table is no partition any more.
        case partitionGone = "partition_gone"
        /// The database can't hold what Millrace writes.
        case databaseUnfit = "database_unfit"
    }

    package var code: Code
    /// The server's; also known for a refused connection where the server named one. nil when it never answered.
    package var sqlState: SQLState?
    /// The server's primary message, or Millrace's own sentence.
    package var message: String
    /// The constraint, table and schema that the server names in its error, where it does.
    package var constraint: String?
    package var table: String?
    package var schema: String?
    /// The server's DETAIL: quotes values of rows, so it stays out of `description`, logs and metrics.
    package var detail: String?
    /// The operator's next step.
    package var hint: String

    package init(
        code: Code,
        sqlState: SQLState? = nil,
        message: String,
        constraint: String? = nil,
        table: String? = nil,
        schema: String? = nil,
        detail: String? = nil,
        hint: String? = nil
    ) {
        self.code = code
        self.sqlState = sqlState
        self.message = message
        self.constraint = constraint
        self.table = table
        self.schema = schema
        self.detail = detail
        self.hint = hint ?? Self.defaultHint(code: code, sqlState: sqlState)
    }

    /// What the sender of the failed statement does next; see `SQLStateClass`.
    package var category: SQLStateClass { SQLStateClass(self) }

    /// Whether the same work may succeed later without anybody's help.
    package var isRetryable: Bool {
        switch category {
        case .retry, .retryWithAlarm: true
        case .poison, .missingPartition, .duplicate, .stop: false
        }
    }

    /// Whether the server could not make an answer, or take a value, because it is too large: a limit of the program (54), no
    /// memory for it, or more than a piece of memory may have.
    package var isOfSize: Bool {
        guard code == .serverError, let sqlState else { return false }
        return sqlState.category == "54" || sqlState.rawValue == "53200"
            || sqlState == .internalError && message.contains("invalid memory alloc request size")
    }

    private static func defaultHint(code: Code, sqlState: SQLState?) -> String {
        switch code {
        case .interrupted: return "Nothing to do: Millrace is stopping, and tries again after its next start."
        case .timedOut:
            return "Check whether the server is overloaded, locked up or stopped: pg_stat_activity, its log."
        case .rowsKeptOut:
            return
                "Check the triggers of the table and of its partitions (\\d in psql); one returns NULL for these rows."
        case .partitionGone: return "See `millrace partitions list`: somebody detached, dropped or renamed the month."
        case .databaseUnfit: return "Point database.url at a database that fits."
        case .connectionFailed where sqlState == nil:
            return "Check that PostgreSQL runs and that database.url reaches it."
        case .connectionFailed, .serverError: break
        }
        switch sqlState?.category {
        case "08": return "Check that PostgreSQL runs and that database.url reaches it."
        case "28": return "Compare the role, its password and pg_hba.conf with database.url."
        case "3D": return "Create the database that database.url names, or correct the name."
        case "42" where sqlState == .insufficientPrivilege:
            return "Grant the role what sql/roles.sql lists, or connect as the tables' owner."
        case "0A", "P0": return "Check the triggers, rules and functions that the table's rows pass through."
        case "55", "57":
            return "Find out who holds the table: pg_locks, pg_blocking_pids; an ALTER, a LOCK TABLE or a VACUUM FULL."
        case "42": return "Run `millrace migrate up`; the schema is not the one this version wants."
        case "53": return "Free what the server is short of: connections, memory or disk."
        case "25": return "Point database.url at the primary (target_session_attrs=read-write)."
        default: return "See the server's log for this SQLSTATE."
        }
    }
}

extension PostgresError: CustomStringConvertible {
    package var description: String {
        var text = "\(code.rawValue)"
        if let sqlState { text += " \(sqlState)" }
        text += ": \(message)"
        if let constraint { text += " (constraint \(constraint))" }
        return "\(text). \(hint)"
    }
}
