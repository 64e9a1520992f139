/// One month of one table, as the catalog has it.
package struct Partition: Sendable, Hashable {
    /// The state of the GIN index on `payload`.
    package enum PayloadIndex: String, Sendable {
        case absent
        case valid
        /// Being built, or left behind by a build that failed.
        case invalid
    }

    package var table: PartitionedTable
    package var name: String
    /// nil for a partition that Millrace did not make.
    package var month: PartitionMonth?
    /// As PostgreSQL writes it: `FOR VALUES FROM ('…') TO ('…')`.
    package var bounds: String
    /// The statistics' estimate.
    package var rowsEstimate: Int
    /// Table, TOAST and indexes.
    package var bytes: Int
    /// `.absent` for conversations, which have no payload.
    package var payloadIndex: PayloadIndex
    /// A DETACH CONCURRENTLY was begun: queries on the parent no longer see it.
    package var isDetachPending: Bool

    /// The table as SQL names it, whatever an administrator has called it.
    package var relation: String { table.relation(name) }

    /// With the rows and bytes of its shards; nil: it has none.
    func sized(_ size: CitusShards.Size?) -> Partition {
        guard let size else { return self }
        var partition = self
        partition.rowsEstimate = size.rows
        partition.bytes = size.bytes
        return partition
    }
}
