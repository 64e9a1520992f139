package import MillracePostgres

/// Gives saves that come back with their month the status that was said of them meanwhile, and takes what that changes off
/// or onto what is counted. Blocks; the connection must be idle, and the month attached.
package struct ReturnedStatuses {
    /// Conversations of a transaction.
    private static let conversationsMax = 100

    private let connection: PostgresConnection
    private let packs: [PackDefinition]
    /// Limit of one statement.
    private let timeout: Duration

    package init(connection: PostgresConnection, packs: [PackDefinition], timeout: Duration = .seconds(4 * 3600)) {
        self.connection = connection
        self.packs = packs
        self.timeout = timeout
    }

    /// `relation`: the month's table of conversations, with its schema. To do it again changes nothing.
    package func settle(in relation: String) throws {
        let fold = BatchFold(slot: 0)
        while try settlePart(of: relation, fold) {}
    }

    /// Returns whether there was anything to do.
    private func settlePart(of relation: String, _ fold: BatchFold) throws -> Bool {
        try ProjectionsLock(connection: connection).transaction {
            try connection.execute(ProjectionsLock.sharedStatement, timeout: timeout)
            try connection.execute(ConversationStatuses.aloneStatement, timeout: timeout)
            try connection.execute("SET LOCAL millrace.slot = 0")
            let isOther = "status <> public.conversation_status(tenant_id, conversation_id, id)"
            let found = try connection.execute(
                try connection.lookForCitus()
                    ? """
                    WITH stored AS MATERIALIZED (
                        SELECT tenant_id, conversation_id, id, status
                        FROM \(relation)
                        WHERE conversation_id IN (SELECT conversation_id FROM public.conversation_statuses)
                    )
                    SELECT DISTINCT conversation_id
                    FROM stored
                    WHERE \(isOther)
                    LIMIT \(Self.conversationsMax)
                    """
                    : """
                    SELECT DISTINCT conversation_id
                    FROM \(relation) AS stored
                    WHERE \(ConversationStatuses.areThere) AND \(isOther)
                    LIMIT \(Self.conversationsMax)
                    """, timeout: timeout)
            let conversations = (0..<found.rowCount).compactMap { found.string($0, 0) }
            guard !conversations.isEmpty else { return false }
            fold.begin(try FoldTarget.all(of: packs, on: connection))
            try ConversationStatuses(batchID: nil, on: connection).change(conversations, ownOnly: false, fold)
            let outcome = try fold.apply(batchID: 0, on: connection)
            if let failure = outcome.failures.first { throw failure.error }
            return true
        }
    }
}
