/// Counts of an entity table's rows that are not deleted, kept by difference as the rows change.
package struct StatusCounts: Sendable, Equatable {
    package var name: String
    /// Without its schema.
    package var table: String
    /// Columns of the entity table, and of the counts'.
    package var by: [String]
    /// The timestamptz column that the bucket is of; nil: no bucket.
    package var bucket: Bucket?
    /// Numeric columns of the entity table that are added up.
    package var sums: [String]
    /// Of pack.toml, from 1; for messages.
    package var line: Int

    package struct Bucket: Sendable, Equatable {
        package var column: String
        package var unit: TimeBucket

        package init(column: String, unit: TimeBucket) {
            self.column = column
            self.unit = unit
        }
    }

    package init(name: String, table: String, by: [String], bucket: Bucket?, sums: [String], line: Int = 1) {
        self.name = name
        self.table = table
        self.by = by
        self.bucket = bucket
        self.sums = sums
        self.line = line
    }
}
