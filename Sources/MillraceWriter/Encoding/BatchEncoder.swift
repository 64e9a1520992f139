internal import CMillrace
package import MillraceEvent
internal import MillraceProjections

/// Turns records into rows of PostgreSQL's binary COPY, gathered by leaf partition.
///
/// One writer's thread owns it and reuses its buffers from batch to batch; up to 16 MiB of them stay.
/// The columns are those of `PartitionedTable.columns`, in that order.
package final class BatchEncoder {
    private let encoder: OpaquePointer
    /// Counts changes, so that a leaf can tell that it is out of date.
    private(set) var generation = 0

    package init() {
        let encoder = mr_encoder_create { tenant, conversationID, conversationCount, created, question, count, id in
            let value = ConversationIdentity.id(
                tenant: tenant,
                conversationID: UnsafeRawBufferPointer(start: conversationID, count: conversationCount),
                createdAt: Timestamp(microseconds: created),
                question: UnsafeRawBufferPointer(start: question, count: count)
            )
            guard let id else { return }
            let bytes = UnsafeMutableRawBufferPointer(start: id, count: 16)
            bytes.storeBytes(of: value.high.bigEndian, as: UInt64.self)
            bytes.storeBytes(of: value.low.bigEndian, toByteOffset: 8, as: UInt64.self)
        }
        guard let encoder else { preconditionFailure("there is no memory for an encoder") }
        self.encoder = encoder
    }

    deinit {
        mr_encoder_destroy(encoder)
    }

    /// Starts a batch of its own: forgets all rows.
    package func reset(batchID: Int64, spoolID: UniqueID) {
        generation += 1
        mr_encoder_reset(encoder, batchID, spoolID.high, spoolID.low)
    }

    /// Adds the lines of a record of kind event or conversation. `payload` has 64 readable bytes behind it. Lines that
    /// don't parse go to `rejections`. After `outOfMemory` the batch must be reset.
    package func add(_ header: RecordHeader, payload: UnsafeRawBufferPointer) throws(BatchEncoderError) {
        generation += 1
        let result = mr_encoder_add(
            encoder, payload.baseAddress?.assumingMemoryBound(to: UInt8.self), payload.count, header.kind.rawValue,
            header.tenant, header.receivedAt.microseconds, header.firstSequence, UInt32(header.count))
        switch Int(result) {
        case MR_ENCODED: return
        case MR_RECORD_MISMATCH: throw .recordMismatch
        default: throw .outOfMemory
        }
    }

    /// Puts each leaf's rows in order of `created_at` for `EncodedLeaf.withChunks`. After `outOfMemory` the batch must be
    /// reset.
    package func sort() throws(BatchEncoderError) {
        if !mr_encoder_sort(encoder) { throw .outOfMemory }
    }

    /// The next rows of a leaf in their order, from the `row`th on; moves `row` to the one after them. `fieldsARow`: of
    /// the leaf's table, its columns and one more.
    func nextChunk(ofLeaf index: Int, fieldsARow: Int, row: inout Int) -> CopyRows {
        let chunk = mr_encoder_next_chunk(encoder, index, &row)
        return CopyRows(
            bytes: UnsafeRawBufferPointer(start: chunk.bytes.bytes, count: chunk.bytes.length),
            fields: UnsafeBufferPointer(start: chunk.fields, count: chunk.count * fieldsARow))
    }

    /// Where the columns of one row are, as in `CopyRows`; valid until the next call, or that of `nextChunk`.
    func fields(ofLeaf index: Int, fieldsARow: Int, row: Int) -> UnsafeBufferPointer<UInt32> {
        UnsafeBufferPointer(start: mr_encoder_fields(encoder, index, row), count: fieldsARow)
    }

    /// The leaves that have rows, in the order in which they were first seen.
    package var leaves: [EncodedLeaf] {
        (0..<mr_encoder_leaf_count(encoder)).map { EncodedLeaf(mr_encoder_leaf(encoder, $0), index: $0, of: self) }
    }

    /// Lines that can't be encoded, in order of sequence.
    package var rejections: [LineRejection] {
        UnsafeBufferPointer(start: mr_encoder_rejections(encoder), count: mr_encoder_rejection_count(encoder)).map {
            LineRejection(sequence: $0.sequence, refusal: Refusal($0.refusal))
        }
    }
}

/// A line that was accepted once and can't be encoded any more (another version's rules): a dead letter.
package struct LineRejection: Sendable, Equatable {
    package var sequence: UInt64
    package var refusal: Refusal
}

/// Why a record could not be encoded at all.
package enum BatchEncoderError: String, Error, Sendable {
    /// The payload does not hold as many lines as its header says, or its kind has no rows.
    case recordMismatch = "record_mismatch"
    case outOfMemory = "out_of_memory"
}
