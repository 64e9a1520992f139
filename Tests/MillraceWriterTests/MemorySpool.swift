import MillraceChannels
import MillraceEvent
import Synchronization

/// A spool in memory: each record is an extent of its own.
final class MemorySpool: SpoolReader {
    private struct Stored {
        var record: Record
        var firstSequence: UInt64
        var isDamaged = false
    }

    let spoolID = UniqueID.random()
    private let records = Mutex<[Stored]>([])

    /// Appends `lines` as one record and returns its extent.
    func append(
        _ lines: [String], kind: RecordKind = .event, tenant: Int32 = 0, receivedAt: Timestamp = .now,
        isDamaged: Bool = false
    ) -> Extent {
        let bytes = Array((lines.joined(separator: "\n") + "\n").utf8)
        let record = Record(kind: kind, tenant: tenant, receivedAt: receivedAt, count: lines.count, bytes: bytes)
        return records.withLock { records in
            let first = records.last.map { $0.firstSequence + UInt64($0.record.count) } ?? 1
            records.append(Stored(record: record, firstSequence: first, isDamaged: isDamaged))
            return Extent(
                segment: 1, offset: records.count - 1, length: 1, firstSequence: first, count: lines.count)
        }
    }

    var retainedSequences: SequenceSet {
        records.withLock { records in
            SequenceSet([1..<(records.last.map { $0.firstSequence + UInt64($0.record.count) } ?? 1)])
        }
    }

    var fileBytes: Int { records.withLock { $0.reduce(0) { $0 + $1.record.bytes.count } } }

    var burntSequences: [Range<UInt64>] { [] }

    var runStarts: [UInt64] { [1] }

    func read(_ extent: Extent, _ body: (SpoolItem) throws -> Void) throws {
        let stored = records.withLock { $0[extent.offset] }
        let header = RecordHeader(of: stored.record, firstSequence: stored.firstSequence)
        if stored.isDamaged {
            return try body(.damaged(LostSequences(sequences: header.sequences, reason: "flipped in the test")))
        }
        let padded = stored.record.bytes + [UInt8](repeating: 0, count: 64)
        try padded.withUnsafeBytes { bytes in
            try body(
                .record(header, payload: UnsafeRawBufferPointer(rebasing: bytes[..<stored.record.bytes.count])))
        }
    }

    func scan(_ ranges: [Range<UInt64>], into channel: ExtentChannel) async -> [LostSequences] {
        let found = records.withLock { records in
            records.enumerated().map { index, stored in
                Extent(
                    segment: 1, offset: index, length: 1, firstSequence: stored.firstSequence,
                    count: stored.record.count)
            }
        }
        for extent in found where ranges.contains(where: { $0.contains(extent.firstSequence) }) {
            await channel.publishBacklog(extent)
        }
        return []
    }

    func tell(_ event: RetentionEvent) {}
}
