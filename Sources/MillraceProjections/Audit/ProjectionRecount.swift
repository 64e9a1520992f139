/// What a recount of one pack found.
package struct ProjectionRecount: Sendable, Equatable {
    /// A row that is not what the rows of the events make it.
    package struct Difference: Sendable, Equatable {
        /// `column=value, …`
        package var key: String
        /// `column=value, …`, or `no row`.
        package var found: String
        package var expected: String
    }

    /// One table, or one way of counting it.
    package struct Table: Sendable, Equatable {
        package var table: String
        package var differenceCount: Int
        /// The first ones.
        package var differences: [Difference]
    }

    package var pack: String
    package var version: Int
    package var batches: Int
    package var rows: Int
    /// Batches in the ledger that are not folded into the live version, and so were not counted.
    package var batchesLeftOut: Int
    /// Rows of batches that the ledger lacks: no version was told of them.
    package var rowsUnknown: Int
    /// Some of those batches; of joined ones, which can't be told apart, the first of the span.
    package var batchesUnknown: [Int64]
    /// Rows too large to read, so that not all of their folds could be counted.
    package var unread: UnreadRows
    /// Not counted: their rows are gone.
    package var sealedMonths: [String]
    package var tables: [Table]

    /// Whether the tables are what the rows make them, every row was read, and is in the ledger.
    package var isEqual: Bool { rowsUnknown == 0 && unread.count == 0 && tables.allSatisfy { $0.differenceCount == 0 } }

    mutating func add(unknown batchIDs: [Int64], in page: RowBatches, limit: Int) {
        for batchID in batchIDs {
            rowsUnknown += page.count(of: batchID)
            if batchesUnknown.count < limit, !batchesUnknown.contains(batchID) { batchesUnknown.append(batchID) }
        }
    }

    /// Rows of joined batches beyond those that the ledger has.
    mutating func add(surplus: [(batchID: Int64, rows: Int)], limit: Int) {
        for (batchID, rows) in surplus {
            rowsUnknown += rows
            if batchesUnknown.count < limit { batchesUnknown.append(batchID) }
        }
    }
}

/// The batches of some rows, and how many rows each has among them.
struct RowBatches {
    private var counts: [Int64: Int] = [:]
    /// Rows of one batch lie together.
    private var run: (batchID: Int64, count: Int) = (0, 0)

    /// A row of binary COPY, as `PartitionedTable.encodedColumns` has it: the batch's id comes last.
    mutating func add(_ row: UnsafeRawBufferPointer) {
        guard row.count >= 8 else { return }
        let batchID = Int64(bigEndian: row.loadUnaligned(fromByteOffset: row.count - 8, as: Int64.self))
        if batchID == run.batchID {
            run.count += 1
        } else {
            if run.count > 0 { counts[run.batchID, default: 0] += run.count }
            run = (batchID, 1)
        }
    }

    /// Ascending.
    var ids: [Int64] {
        var ids = Array(counts.keys)
        if run.count > 0, counts[run.batchID] == nil { ids.append(run.batchID) }
        return ids.sorted()
    }

    func count(of batchID: Int64) -> Int {
        counts[batchID, default: 0] + (run.batchID == batchID ? run.count : 0)
    }
}
