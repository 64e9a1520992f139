import MillraceEvent
import MillracePostgres

/// Names the leaf partition of each of a batch's leaves, and makes those that are missing. Belongs to one writer.
struct LeafPartitions {
    let options: PartitionOptions

    /// The table that `COPY` and `INSERT` name. Rows whose id decides alone whether they are new go through the parent:
    /// they are few, and were received in whatever month.
    func table(for key: LeafKey) -> String {
        guard let month = key.partitionMonth else { return key.parent }
        return "public.\(key.table.partitionName(month))"
    }

    /// Blocks. The connection must be idle.
    func ensureLeaves(of leaves: [EncodedLeaf], on connection: PostgresConnection) throws(PostgresError) {
        let partitions = Partitions(connection: connection, options: options)
        for leaf in leaves {
            if let month = leaf.key.partitionMonth {
                try partitions.ensure(month, of: leaf.key.table)
            } else if let month = PartitionMonth(microseconds: Timestamp.now.microseconds) {
                // Received in this month, or in the one before when the spool had a backlog.
                try partitions.ensure(month.advanced(by: -1), of: leaf.key.table)
                try partitions.ensure(month, of: leaf.key.table)
            }
        }
    }
}
