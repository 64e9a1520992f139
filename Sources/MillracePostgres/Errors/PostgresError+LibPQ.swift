internal import CLibPQ

extension PostgresError {
    /// The error of a result whose status is one.
    init(result: OpaquePointer, connection: OpaquePointer) {
        let state = Self.field(.sqlState, of: result).map(SQLState.init(rawValue:))
        guard let state else {
            // Made by libpq, not by the server: the connection broke.
            self = .lost(connection)
            return
        }
        self.init(
            code: .serverError,
            sqlState: state,
            message: Self.field(.message, of: result) ?? "the server gave no message",
            constraint: Self.field(.constraint, of: result),
            table: Self.field(.table, of: result),
            schema: Self.field(.schema, of: result),
            detail: Self.field(.detail, of: result)
        )
    }

    /// Whether the server closes the session after this error, as an administrator's command or a crash makes it.
    static func endsSession(_ result: OpaquePointer) -> Bool {
        field(.severity, of: result).map { $0 != "ERROR" } ?? true
    }

    /// A connection that broke amid its use.
    static func lost(_ connection: OpaquePointer) -> PostgresError {
        PostgresError(
            code: .connectionFailed,
            sqlState: .connectionFailure,
            message: "the connection was lost: \(firstLine(String(cString: PQerrorMessage(connection))))"
        )
    }

    /// A connection that was never made. libpq keeps the server's SQLSTATE only in its verbose text
    /// (`FATAL:  28P01: …`); the word may be translated, the two blanks and the five characters stay.
    static func refused(_ connection: OpaquePointer) -> PostgresError {
        let text = String(cString: PQerrorMessage(connection))
        if let match = text.firstMatch(of: #/:  ([0-9A-Z]{5}): +([^\n]+)/#) {
            return PostgresError(
                code: .connectionFailed,
                sqlState: SQLState(rawValue: String(match.output.1)),
                message: String(match.output.2)
            )
        }
        return PostgresError(code: .connectionFailed, message: firstLine(text))
    }

    static let isClosed = PostgresError(
        code: .connectionFailed, sqlState: .connectionFailure, message: "the connection is closed")

    static func timedOut(_ operation: String) -> PostgresError {
        PostgresError(code: .timedOut, message: "\(operation) got no answer in time")
    }

    static func interrupted(_ operation: String) -> PostgresError {
        PostgresError(code: .interrupted, message: "\(operation) was interrupted")
    }

    /// `PG_DIAG_…` of libpq's postgres_ext.h; Swift does not import character macros.
    enum Field: Unicode.Scalar {
        case severity = "V"
        case sqlState = "C"
        case message = "M"
        case detail = "D"
        case schema = "s"
        case table = "t"
        case constraint = "n"
    }

    static func field(_ field: Field, of result: OpaquePointer) -> String? {
        PQresultErrorField(result, Int32(field.rawValue.value)).map { String(cString: $0) }
    }

    private static func firstLine(_ text: String) -> String {
        let line = text.prefix { $0 != "\n" }
        return line.isEmpty ? "no reason given" : String(line)
    }
}
