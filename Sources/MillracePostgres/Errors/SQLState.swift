/// The five characters by which PostgreSQL names a condition; the first two are its class.
package struct SQLState: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    package let rawValue: String

    package init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// The first two characters, as in appendix A of PostgreSQL's manual.
    package var category: Substring { rawValue.prefix(2) }

    package var description: String { rawValue }

    package static let connectionFailure = SQLState(rawValue: "08006")
    package static let readOnlyTransaction = SQLState(rawValue: "25006")
    package static let uniqueViolation = SQLState(rawValue: "23505")
    package static let checkViolation = SQLState(rawValue: "23514")
    package static let serializationFailure = SQLState(rawValue: "40001")
    package static let deadlockDetected = SQLState(rawValue: "40P01")
    package static let insufficientPrivilege = SQLState(rawValue: "42501")
    package static let undefinedTable = SQLState(rawValue: "42P01")
    package static let duplicateTable = SQLState(rawValue: "42P07")
    package static let lockNotAvailable = SQLState(rawValue: "55P03")
    package static let queryCanceled = SQLState(rawValue: "57014")
    package static let cannotConnectNow = SQLState(rawValue: "57P03")
    package static let internalError = SQLState(rawValue: "XX000")
    package static let dataCorrupted = SQLState(rawValue: "XX001")
}

/// What to do about an error of the database: the one table that decides.
package enum SQLStateClass: String, Sendable, CaseIterable {
    /// It passes by itself: try again with back-off.
    case retry
    /// Nothing known to pass by itself, nothing known to be final: try again with back-off, and tell someone.
    case retryWithAlarm = "retry_with_alarm"
    /// A row is at fault: find it by halving the batch, put it into `dead_letters`, write the rest.
    case poison
    /// The month has no partition: create it and try again.
    case missingPartition = "missing_partition"
    /// Rows are there already: go by the staging table.
    case duplicate
    /// Someone must act on the database or the configuration: stop writing, keep spooling, alarm.
    case stop

    package init(_ error: PostgresError) {
        switch error.code {
        case .interrupted, .timedOut: self = .retry
        case .rowsKeptOut: self = .poison
        case .partitionGone: self = .missingPartition
        case .databaseUnfit: self = .stop
        case .connectionFailed:
            switch error.sqlState?.category {
            case "28", "3D", "42": self = .stop
            default: self = .retry
            }
        case .serverError: self = Self.of(error)
        }
    }

    private static func of(_ error: PostgresError) -> SQLStateClass {
        guard let state = error.sqlState else { return .retryWithAlarm }
        switch state.rawValue {
        case "23505": return .duplicate
        // Citus passes on a worker's unique violation inside COPY as an internal error with the worker's message.
        case "XX000" where error.message.contains("duplicate key value"): return .duplicate
        // "no partition of relation found for row" has no constraint to name; a CHECK has.
        case "23514" where error.constraint == nil: return .missingPartition
        case "42P01" where namesPartition(error.message): return .missingPartition
        case "25006", "55P03", "57014", "57P01", "57P02", "57P03": return .retry
        default: break
        }
        switch state.category {
        case "08", "40", "53": return .retry
        // 54 is a limit that one value exceeds, such as a document too long for tsvector; 0A and P0 are what a conversion, a
        // rule or a trigger says of a row.
        case "0A", "22", "23", "44", "54", "P0": return .poison
        case "28", "3D", "42": return .stop
        default: return .retryWithAlarm
        }
    }

    /// Whether the relation quoted in the server's message is a month: ends in `_yYYYYmMM`.
    private static func namesPartition(_ message: String) -> Bool {
        message.contains(#/_y[0-9]{4}m[0-9]{2}\b/#)
    }
}
