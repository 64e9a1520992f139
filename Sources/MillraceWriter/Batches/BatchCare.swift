import MillracePostgres

/// How far a writer goes with a batch that the database refuses.
struct BatchCare: Sendable, Equatable {
    /// Tables that took rows since the batch was first refused: a row that they refuse is itself at fault.
    var takers: Set<PartitionedTable> = []
    /// Whether what a trigger, a rule or a conversion says is looked for in single rows.
    var searchesRows = false

    /// Every refused row is at fault.
    static let full = BatchCare(takers: Set(PartitionedTable.allCases), searchesRows: true)

    /// Whether `error` is reason for the careful way.
    func isCareful(after error: PostgresError) -> Bool {
        switch error.category {
        case .duplicate: true
        case .poison: searchesRows || !["0A", "P0"].contains(error.sqlState?.category)
        case .retry, .retryWithAlarm, .missingPartition, .stop: false
        }
    }

    /// The same after a COPY into the months. What a worker of Citus refuses of a row comes as an internal error, whatever it
    /// was; what the same row meets in the staged INSERT is told as it is.
    func isCareful(after error: PostgresError, on connection: PostgresConnection) -> Bool {
        let mayBeOfWorker = connection.hasCitus && connection.isUsable && error.code == .serverError
        return isCareful(after: error) || mayBeOfWorker && error.sqlState == .internalError
    }
}

/// A table takes no row of a batch, and none other is known to go in: it is not the rows that are at fault.
struct TableRefusal: Error {
    var table: PartitionedTable
    /// Of one of the rows.
    var cause: PostgresError
}

/// The rows of a batch make more in the projections than may be in memory at a time: its halves are to be written, each by
/// itself. Nothing was written.
struct BatchOverfull: Error {}
