/// Cancels what a connection's server process is doing, from any thread, by a short-lived connection of its own.
///
/// libpq's `PQcancel` waits without a limit for a server that does not answer; this does not.
package struct PostgresCanceller: Sendable {
    @Unprinted private var connectionString: String
    let backendID: Int32

    init(connectionString: String, backendID: Int32) {
        self.connectionString = connectionString
        self.backendID = backendID
    }

    /// Blocks up to about `timeout`. Returns whether a server process was told; it may be between two statements.
    package func cancel(timeout: Duration, interrupt: PostgresInterrupt) throws(PostgresError) -> Bool {
        let connection = try PostgresConnection(
            connectionString: connectionString,
            applicationName: "millrace cancel",
            connectTimeout: timeout,
            interrupt: interrupt
        )
        let result = try connection.query(
            "SELECT pg_cancel_backend($1)", parameters: [.integer(backendID)], timeout: timeout)
        return result.bool(0, 0) ?? false
    }
}
