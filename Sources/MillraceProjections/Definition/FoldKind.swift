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
        /// Key columns after tenant_id and bucket.
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
        /// Event types that change the columns they name, of an entity that is there.
        package var patches: [EventTypePattern]
        /// The primary key after tenant_id.
        package var key: [ColumnMapping]
        package var columns: [ColumnMapping]
        package var counts: [StatusCounts]

        package init(
            deletes: [EventTypePattern], patches: [EventTypePattern] = [], key: [ColumnMapping],
            columns: [ColumnMapping], counts: [StatusCounts]
        ) {
            self.deletes = deletes
            self.patches = patches
            self.key = key
            self.columns = columns
            self.counts = counts
        }

        /// Columns that its counts are by, or add up.
        package var countedColumns: Set<String> {
            Set(counts.flatMap { $0.by + $0.sums + ($0.bucket.map { [$0.column] } ?? []) })
        }
    }
}

/// The span of time that a projection's row stands for, in UTC; the column `bucket` holds its start.
package enum TimeBucket: String, Sendable, CaseIterable {
    case hour
    case day
    case month
}

/// A column of a projection's table and the field that it is filled from.
package struct ColumnMapping: Sendable, Equatable {
    package var column: String
    package var field: FieldPath
    /// The value of a row whose field is missing or null, as PostgreSQL reads the column's type; nil: NULL.
    package var fallback: String?
    /// Of pack.toml, from 1; for messages.
    package var line: Int

    package init(column: String, field: FieldPath, fallback: String? = nil, line: Int = 1) {
        self.column = column
        self.field = field
        self.fallback = fallback
        self.line = line
    }
}

/// A field of a row, as pack.toml names it: `event_type`, `payload`, `payload.page.path`, `metadata.tags.0`.
package struct FieldPath: Sendable, Hashable, CustomStringConvertible {
    /// The column of `analytics_events` or `conversations`.
    package var column: String
    /// Object members, or array elements by number, within the jsonb column; empty: the whole column.
    package var path: [String]

    package init(column: String, path: [String] = []) {
        self.column = column
        self.path = path
    }

    package var description: String { ([column] + path).joined(separator: ".") }
}

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
