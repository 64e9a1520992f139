import MillracePostgres

/// Names the leaf partition of each of a batch's leaves, and makes those that are missing. Belongs to one writer.
struct LeafPartitions {
    let options: PartitionOptions

    /// The table that `COPY` and `INSERT` name. Rows whose id decides alone whether they are new go through the parent:
    /// they are few, and were received in whatever month.
    func table(for key: LeafKey) -> String {
        guard !key.needsEventID else { return key.parent }
        return "public.\(key.table.partitionName(key.month))"
    }

    /// Blocks. The connection must be idle.
    func ensureLeaves(of leaves: [BatchEncoder.Leaf], on connection: PostgresConnection) throws(PostgresError) {
        let partitions = Partitions(connection: connection, options: options)
        for leaf in leaves { try partitions.ensure(leaf.key.month, of: leaf.key.table) }
    }
}
