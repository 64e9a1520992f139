import FoundationEssentials
internal import MillraceChannels
import MillraceEvent

/// What reading a batch out of the spool has shown so far, besides its rows: counts, and the lines that became dead
/// letters on the way.
struct EncodedBatch {
    var batchID: Int64
    /// Lines of each kind, by record.
    var eventLines = 0
    var conversationLines = 0
    /// Whose the lines are, refused ones left out; neighbours of one tenant together.
    private(set) var owners: [(tenant: Int32, sequences: Range<UInt64>)] = []
    /// When the lines were received, each time once for neighbours.
    var arrivals: [Arrival] = []
    /// Refused at the intake (kind `refused`), unreadable (`spool_damage`), or no longer parsed.
    var letters: [DeadLetter] = []

    init(batchID: Int64) {
        self.batchID = batchID
    }

    /// `sequences`: later than those before.
    mutating func add(_ sequences: Range<UInt64>, of tenant: Int32) {
        if let last = owners.last, last.tenant == tenant, last.sequences.upperBound == sequences.lowerBound {
            owners[owners.count - 1].sequences = last.sequences.lowerBound..<sequences.upperBound
        } else {
            owners.append((tenant, sequences))
        }
    }
}

/// Reads batches, a part at a time, and encodes them. Owned by one writer; its buffers are reused.
struct BatchReader {
    private let spool: any SpoolReader
    let encoder: BatchEncoder

    init(spool: any SpoolReader) {
        self.spool = spool
        encoder = BatchEncoder()
    }

    /// Reads a part of a batch, and adds to `encoded` what it finds; its rows are the encoder's until the next part is
    /// read. Blocks on the disk. Throws what the spool's reader throws.
    func read(_ part: ArraySlice<Extent>, into encoded: inout EncodedBatch) throws {
        encoder.reset(batchID: encoded.batchID, spoolID: spool.spoolID)
        var rejectionsSeen = 0
        for extent in part {
            try spool.read(extent) { item in
                switch item {
                case .record(let header, let payload):
                    try add(header, payload, to: &encoded, &rejectionsSeen)
                case .damaged(let lost):
                    encoded.eventLines += lost.sequences.count
                    encoded.add(lost.sequences, of: 0)
                    encoded.letters.append(DeadLetter(lost, kind: .event))
                }
            }
        }
        try encoder.sort()
    }

    private func add(
        _ header: RecordHeader, _ payload: UnsafeRawBufferPointer, to encoded: inout EncodedBatch,
        _ rejectionsSeen: inout Int
    ) throws {
        let sequences = header.sequences
        if let last = encoded.arrivals.last, last.receivedAt == header.receivedAt,
            last.sequences.upperBound == sequences.lowerBound
        {
            encoded.arrivals[encoded.arrivals.count - 1].sequences = last.sequences.lowerBound..<sequences.upperBound
        } else {
            encoded.arrivals.append(Arrival(receivedAt: header.receivedAt, sequences: sequences))
        }
        switch header.kind {
        case .event: encoded.eventLines += header.count
        case .conversation: encoded.conversationLines += header.count
        case .refused:
            encoded.letters += RefusedRecordLine.letters(in: payload, header: header)
            return
        }
        encoded.add(sequences, of: header.tenant)
        do {
            try encoder.add(header, payload: payload)
        } catch .recordMismatch {
            let reason = "the record at sequence \(header.firstSequence) does not hold the lines that its header counts"
            encoded.letters.append(
                DeadLetter(
                    LostSequences(sequences: header.sequences, reason: reason), kind: header.kind, tenant: header.tenant
                ))
            return
        }
        let rejections = encoder.rejections
        for rejected in rejections[rejectionsSeen...] {
            let line = Self.line(Int(rejected.sequence - header.firstSequence), of: payload)
            let isErased = line.utf8.allSatisfy { $0 == UInt8(ascii: " ") }
            encoded.letters.append(
                DeadLetter(
                    sequence: rejected.sequence, kind: header.kind, tenant: header.tenant,
                    code: isErased ? DeadLetter.erasedCode : rejected.refusal.code.rawValue,
                    message: isErased ? "the line was erased with its user" : rejected.refusal.message,
                    line: isErased ? nil : line, receivedAt: header.receivedAt
                )
            )
        }
        rejectionsSeen = rejections.count
    }

    /// The lines of `sequences` (ascending) as text, with their headers; for dead letters. Blocks on the disk.
    func lines(of sequences: [UInt64], in batch: Batch) throws -> [UInt64: (header: RecordHeader, line: String)] {
        var lines: [UInt64: (header: RecordHeader, line: String)] = [:]
        for extent in batch.extents where sequences.contains(where: extent.sequences.contains) {
            try spool.read(extent) { item in
                guard case .record(let header, let payload) = item else { return }
                for sequence in sequences where header.sequences.contains(sequence) {
                    let line = Self.line(Int(sequence - header.firstSequence), of: payload)
                    lines[sequence] = (header, line)
                }
            }
        }
        return lines
    }

    private static func line(_ index: Int, of payload: UnsafeRawBufferPointer) -> String {
        let lines = payload.split(separator: UInt8(ascii: "\n"), maxSplits: index + 1, omittingEmptySubsequences: false)
        return index < lines.count ? String(decoding: lines[index], as: UTF8.self) : ""
    }
}

/// A line of a `refused` record, as the intake wrote it.
struct RefusedRecordLine: Decodable {
    var code: String
    var message: String
    var peer: String?
    /// Nil where nothing of it was to be kept.
    var line: String?
    var quarantined: Bool?

    /// Dead letters for every line of a `refused` record.
    static func letters(in payload: UnsafeRawBufferPointer, header: RecordHeader) -> [DeadLetter] {
        let decoder = JSONDecoder()
        let lines = payload.split(separator: UInt8(ascii: "\n"))
        return lines.enumerated().map { index, bytes in
            let refused = try? decoder.decode(RefusedRecordLine.self, from: Data(bytes))
            let isQuarantined = refused?.quarantined ?? false
            // Of a quarantined line, its sender may be told.
            let origin = isQuarantined ? "" : refused?.peer.map { " (from \($0))" } ?? ""
            return DeadLetter(
                sequence: header.firstSequence + UInt64(index), kind: .refused, tenant: header.tenant,
                code: refused?.code ?? RefusalCode.invalidJSON.rawValue, message: (refused?.message ?? "") + origin,
                line: refused.map(\.line) ?? String(decoding: bytes, as: UTF8.self), receivedAt: header.receivedAt,
                peer: refused?.peer, isQuarantined: isQuarantined
            )
        }
    }
}
