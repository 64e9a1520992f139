internal import MillracePostgres

/// Whether a database answers, and if not why, in words that anyone may read: no host, role or password.
struct DatabaseHealth: Sendable, Equatable {
    /// nil: it answers.
    var problem: String?

    static let healthy = DatabaseHealth()

    private init() {}

    init(problem: String) {
        self.problem = problem
    }

    init(_ error: any Error) {
        switch error {
        case let error as PostgresError: problem = Self.problem(error)
        case let refusal as ReadRefusal: problem = refusal.message
        default: problem = "no answer"
        }
    }

    private static func problem(_ error: PostgresError) -> String {
        switch error.sqlState?.category {
        case "28": return "the server refuses the role or its password"
        case "3D": return "the server has no such database"
        case "53": return "the server is short of connections, memory or disk"
        case "57": return "the server is starting, stopping, or cut the question short"
        default: break
        }
        switch error.code {
        case .connectionFailed: return "no connection"
        case .timedOut: return "no answer in time"
        case .interrupted: return "the daemon is stopping"
        case .databaseUnfit, .rowsKeptOut, .partitionGone, .serverError:
            return "the server refuses: SQLSTATE \(error.sqlState?.rawValue ?? "unknown")"
        }
    }
}
