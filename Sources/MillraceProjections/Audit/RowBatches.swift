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
