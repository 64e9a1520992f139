internal import CMillrace
internal import MillraceEvent
internal import MillracePostgres
package import MillraceProjections

/// The rows of one leaf in a `BatchEncoder`, numbered in order of sequence. Valid until the encoder is added to or reset.
package struct EncodedLeaf {
    package let key: LeafKey
    /// Number of rows.
    package let count: Int
    private let leaf: mr_leaf
    /// Of its table: the columns and one more.
    private let fieldsARow: Int
    private let index: Int
    private let encoder: BatchEncoder
    private let generation: Int

    /// `index`: of the leaf in the encoder.
    init(_ leaf: mr_leaf, index: Int, of encoder: BatchEncoder) {
        key =
            leaf.is_identified
            ? .identifiedEvents
            : .month(
                Int(leaf.kind) == MR_KIND_EVENT ? .event : .conversation, year: Int(leaf.year),
                month: Int(leaf.month))
        count = leaf.count
        fieldsARow = key.table.columns.count + 1
        self.leaf = leaf
        self.index = index
        self.encoder = encoder
        generation = encoder.generation
    }

    /// Sequences of the rows, ascending within a record.
    package func sequences(of rows: Range<Int>) -> [UInt64] {
        check(rows)
        return Array(UnsafeBufferPointer(start: leaf.sequences, count: count)[rows])
    }

    /// Passes a row on as a binary COPY row, without header and trailer. The bytes are valid during the call only.
    package func withRow<Value, Failure: Error>(
        _ row: Int, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        check(row..<row + 1)
        return try body(copyRow(row).bytes)
    }

    /// Passes each row on with its sequence, in the order in which they were added. The bytes are valid during the call
    /// only.
    package func forEachRow<Failure: Error>(
        _ body: (_ sequence: UInt64, _ row: CopyRows) throws(Failure) -> Void
    ) throws(Failure) {
        check(0..<count)
        for row in 0..<count { try body(leaf.sequences[row], copyRow(row)) }
    }

    /// Passes all rows on in the order that `BatchEncoder.sort` gave them: chunks of some ten KiB, whole rows each, valid
    /// during the call only.
    package func withChunks<Failure: Error>(_ body: (CopyRows) throws(Failure) -> Void) throws(Failure) {
        check(0..<count)
        var row = 0
        while row < count {
            try body(encoder.nextChunk(ofLeaf: index, fieldsARow: fieldsARow, row: &row))
        }
    }

    private func copyRow(_ row: Int) -> CopyRows {
        CopyRows(
            bytes: UnsafeRawBufferPointer(start: leaf.rows[row].bytes, count: leaf.rows[row].length),
            fields: encoder.fields(ofLeaf: index, fieldsARow: fieldsARow, row: row))
    }

    /// The months of the rows' `created_at`; for leaves whose key does not tell.
    var months: Set<PartitionMonth> {
        (0..<count).reduce(into: []) { months, row in
            if let month = month(ofRow: row) { months.insert(month) }
        }
    }

    /// The month of a row's `created_at`.
    func month(ofRow row: Int) -> PartitionMonth? {
        check(row..<row + 1)
        guard let column = key.table.columns.firstIndex(of: "created_at"),
            let createdAt = copyRow(row).value(ofColumn: column)
        else { return nil }
        return PartitionMonth(
            microseconds: Int64(bigEndian: createdAt.loadUnaligned(as: Int64.self)) + Timestamp.postgresEpoch)
    }

    /// `rows` for a staging table: each with its sequence (int8) as one more column in front.
    package func stagingRows(_ rows: Range<Int>) -> [UInt8] {
        check(rows)
        return withUnsafePointer(to: leaf) { leaf in
            let byteCount = mr_leaf_staged_bytes(leaf, rows.lowerBound, rows.upperBound)
            return [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, initializedCount in
                mr_leaf_stage(leaf, rows.lowerBound, rows.upperBound, buffer.baseAddress)
                initializedCount = byteCount
            }
        }
    }

    private func check(_ rows: Range<Int>) {
        precondition(generation == encoder.generation, "a leaf is used only until its encoder changes")
        precondition(rows.lowerBound >= 0 && rows.upperBound <= count, "the rows are within the leaf")
    }
}
