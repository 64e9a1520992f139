internal import CMillrace
internal import MillraceEvent
internal import MillracePostgres

/// The rows of one leaf in a `BatchEncoder`, numbered in order of sequence. Valid until the encoder is added to or reset.
package struct EncodedLeaf {
    package let key: LeafKey
    /// Number of rows.
    package let count: Int
    private let leaf: mr_leaf
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
        let bytes = leaf.rows[row]
        return try body(UnsafeRawBufferPointer(start: bytes.bytes, count: bytes.length))
    }

    /// Passes each row on with its sequence, in the order in which they were added, as a binary COPY row. The bytes are
    /// valid during the call only.
    package func forEachRow<Failure: Error>(
        _ body: (_ sequence: UInt64, _ row: UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        check(0..<count)
        for row in 0..<count {
            let bytes = leaf.rows[row]
            try body(leaf.sequences[row], UnsafeRawBufferPointer(start: bytes.bytes, count: bytes.length))
        }
    }

    /// Passes all rows on as binary COPY rows, without header and trailer, in the order that `BatchEncoder.sort` gave
    /// them: chunks of some ten KiB, whole rows each, valid during the call only.
    package func withChunks<Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        check(0..<count)
        var row = 0
        while row < count {
            try body(encoder.nextChunk(ofLeaf: index, row: &row))
        }
    }

    /// The months of the rows' `created_at`; for leaves whose key does not tell.
    var months: Set<PartitionMonth> {
        var months: Set<PartitionMonth> = []
        for row in 0..<count {
            if let month = withRow(row, { createdAt($0) }).flatMap({ PartitionMonth(microseconds: $0) }) {
                months.insert(month)
            }
        }
        return months
    }

    /// The month of a row's `created_at`.
    func month(ofRow row: Int) -> PartitionMonth? {
        withRow(row) { createdAt($0) }.flatMap { PartitionMonth(microseconds: $0) }
    }

    /// In microseconds since 1970: of a COPY row, which is its count of fields (int16), then each one's length (int32,
    /// -1: NULL) and bytes.
    private func createdAt(_ row: UnsafeRawBufferPointer) -> Int64? {
        let columns = key.columns.split(separator: ",")
        guard let index = columns.firstIndex(where: { $0.drop { $0 == " " } == "created_at" }) else { return nil }
        var offset = 2
        for _ in 0..<index where offset + 4 <= row.count {
            offset += 4 + max(0, Int(Int32(bigEndian: row.loadUnaligned(fromByteOffset: offset, as: Int32.self))))
        }
        guard offset + 12 <= row.count else { return nil }
        return Int64(bigEndian: row.loadUnaligned(fromByteOffset: offset + 4, as: Int64.self)) + Timestamp.postgresEpoch
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
