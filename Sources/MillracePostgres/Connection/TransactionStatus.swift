/// Where a connection stands, as of the last answer.
package enum TransactionStatus: String, Sendable {
    case idle
    /// A statement is under way.
    case active
    case inTransaction = "in_transaction"
    /// In a transaction that failed; only ROLLBACK (or ROLLBACK TO a savepoint) leads on.
    case failed
    /// The connection is bad.
    case unknown
}
