/// How rows become the rows of a projection.
package enum FoldKind: Sendable, Equatable {
    /// Counts and sums; a row for each bucket, dimensions and slot.
    case counter(Counter)
    /// Counts ranked by an index; one row a bucket and dimensions, without slots.
    case top(Counter)
    /// HyperLogLog sketches of the distinct values of `of`.
    case unique(Unique)
    /// Typed rows, the last writer wins.
    case entity(Entity)
    /// One row an event.
    case append(columns: [ColumnMapping])

    package struct Counter: Sendable, Equatable {
        package var bucket: TimeBucket?
        /// Key columns behind tenant_id and bucket.
        package var dimensions: [ColumnMapping]
        /// Numeric columns that are added up beside `n`.
        package var sums: [ColumnMapping]

        package init(bucket: TimeBucket?, dimensions: [ColumnMapping], sums: [ColumnMapping]) {
            self.bucket = bucket
            self.dimensions = dimensions
            self.sums = sums
        }
    }

    package struct Unique: Sendable, Equatable {
        package var bucket: TimeBucket?
        package var dimensions: [ColumnMapping]
        /// What is distinct; rows where it is missing or null don't count.
        package var of: FieldPath

        package init(bucket: TimeBucket?, dimensions: [ColumnMapping], of: FieldPath) {
            self.bucket = bucket
            self.dimensions = dimensions
            self.of = of
        }

        /// Whether its table, which has these columns, has each sketch in rows of a chunk; else in one row, as tables of older
        /// packs.
        package func isChunked(_ columns: some Sequence<String>) -> Bool {
            columns.contains("chunk") && !dimensions.contains { $0.column == "chunk" }
        }
    }

    package struct Entity: Sendable, Equatable {
        /// Event types that remove; nothing else in their payload than the key is read.
        package var deletes: [EventTypePattern]
        /// The primary key behind tenant_id.
        package var key: [ColumnMapping]
        package var columns: [ColumnMapping]
        package var counts: [StatusCounts]

        package init(
            deletes: [EventTypePattern], key: [ColumnMapping], columns: [ColumnMapping], counts: [StatusCounts]
        ) {
            self.deletes = deletes
            self.key = key
            self.columns = columns
            self.counts = counts
        }
    }
}
