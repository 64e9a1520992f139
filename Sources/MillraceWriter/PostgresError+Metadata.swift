import Logging
import MillracePostgres

extension PostgresError {
    /// For a log line: never DETAIL, which quotes rows.
    var metadata: Logger.Metadata {
        var metadata: Logger.Metadata = ["code": "\(code.rawValue)", "reason": "\(message)", "hint": "\(hint)"]
        if let sqlState { metadata["sql_state"] = "\(sqlState)" }
        return metadata
    }
}
