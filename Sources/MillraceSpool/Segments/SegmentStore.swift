package import MillraceChannels
package import MillraceEvent
internal import Synchronization
internal import MillraceTelemetry

/// What is in the spool and how to read it: the writers' and the scanner's side. Safe from many threads; blocks on
/// the disk. Works on after the spool's service has returned, so that the writers can finish.
package final class SegmentStore: SpoolReader {
    private struct State {
        var catalogue: SegmentCatalogue
        /// The segments read last, newest at the end.
        var open: [(number: UInt64, segment: OpenSegment)] = []
    }

    /// Smaller extents stay in the page cache.
    private static let forgottenBytesMin = 256 << 10

    /// Segments kept open: writers read the newest and a scanner the oldest.
    private static let openMax = 8

    package let spoolID: UniqueID
    let fileSystem: any FileSystem
    let directory: String
    let keeper: DamageKeeper
    private let buffers = ReadBufferPool()
    private let state: Mutex<State>
    /// The first sequence that this run gives out.
    package let firstSequence: UInt64

    /// `retain`: how long a settled segment is kept.
    init(
        _ recovered: RecoveredSpool, _ fileSystem: any FileSystem, directory: String, retain: Duration,
        keeper: DamageKeeper
    ) {
        spoolID = recovered.spoolID
        self.fileSystem = fileSystem
        self.directory = directory
        self.keeper = keeper
        firstSequence = recovered.nextSequence
        let catalogue = SegmentCatalogue(retain: retain, segments: recovered.segments, missing: recovered.missing)
        state = Mutex(State(catalogue: catalogue))
    }

    package var retainedSequences: SequenceSet { catalogue.retainedSequences }

    package var burntSequences: [Range<UInt64>] { catalogue.burntSequences }

    package var runStarts: [UInt64] { catalogue.runStarts(before: firstSequence) + [firstSequence] }

    /// Notes in the catalogue which sequences are settled, and when the server was seen. Does not touch the disk.
    package func tell(_ event: RetentionEvent) {
        state.withLock { $0.catalogue.told(event) }
    }

    /// As it is now: a copy.
    var catalogue: SegmentCatalogue { state.withLock { $0.catalogue } }

    var newest: Segment? { state.withLock { $0.catalogue.newest } }

    package var fileBytes: Int { state.withLock { $0.catalogue.fileBytes } }

    /// Blocks on the disk. What is damaged or missing goes to `body` as such; a disk that fails is thrown, as is what
    /// `body` throws.
    package func read(_ extent: Extent, _ body: (SpoolItem) throws -> Void) throws {
        guard let open = try openSegment(extent.segment) else {
            let reason = "\(SegmentName.file(extent.segment)) is missing from \(directory)"
            return try body(.damaged(LostSequences(sequences: extent.sequences, reason: reason)))
        }
        let buffer = buffers.take()
        defer { buffers.giveBack(buffer) }
        var walker = SegmentWalker(
            fileSystem, open.file, from: extent.offset, to: extent.offset + extent.length,
            expecting: extent.firstSequence, sequenceEnd: extent.sequences.upperBound, verifiesPayloads: true,
            buffer: buffer, windowBytes: extent.length)
        // A batch is mostly read once; the memory is of more use to the next lines, and to PostgreSQL. Not for little:
        // the kernel may look through the lists of all processors for it.
        defer {
            if extent.length >= Self.forgottenBytesMin {
                fileSystem.forget(open.file, at: extent.offset, byteCount: extent.length)
            }
        }
        var next = extent.firstSequence
        while let step = try step(&walker, extent.segment) {
            switch step {
            case .record(let header, let offset, isIntact: true):
                guard let payload = try walker.payload(of: header, at: offset) else { continue }
                next = header.sequences.upperBound
                try body(.record(header, payload: payload))
            case .record(let header, let offset, isIntact: false):
                next = header.sequences.upperBound
                let length = RecordHeader.byteCount + header.payloadBytes
                try body(.damaged(lost(header.sequences, open, extent.segment, offset, length)))
            case .damage(let offset, let length, let sequences):
                next = sequences.upperBound
                try body(.damaged(lost(sequences, open, extent.segment, offset, length)))
            case .tail(let offset, let length, _, _):
                let sequences = next..<extent.sequences.upperBound
                next = sequences.upperBound
                if !sequences.isEmpty {
                    try body(.damaged(lost(sequences, open, extent.segment, offset, length)))
                }
            }
        }
        if next < extent.sequences.upperBound {
            let reason = "\(SegmentName.file(extent.segment)) ends before offset \(extent.offset + extent.length)"
            try body(.damaged(LostSequences(sequences: next..<extent.sequences.upperBound, reason: reason)))
        }
    }

    /// Reads on a thread of its own, which ends with the call. Counts lines that are lost as recovered too, since they
    /// become dead letters.
    package func scan(_ ranges: [Range<UInt64>], into channel: ExtentChannel) async -> [LostSequences] {
        let scanner = SegmentScanner(self)
        defer { scanner.stop() }
        let lost = await scanner.scan(ranges, into: channel)
        // They are recorded as dead events.
        keeper.metrics.recovered(.event).add(lost.reduce(0) { $0 + $1.sequences.count })
        return lost
    }

    /// When the record that holds `sequence`, or else the next one after it, was received; nil when there is none to be
    /// read. Walks over the headers of its segment: blocks on the disk, for some milliseconds where the segment is long.
    package func receivedAt(of sequence: UInt64) -> Timestamp? {
        guard let segment = catalogue.segments.first(where: { $0.endSequence > sequence }),
            let open = try? openSegment(segment.number)
        else { return nil }
        let buffer = buffers.take()
        defer { buffers.giveBack(buffer) }
        var walker = SegmentWalker(
            fileSystem, open.file, from: SegmentHeader.byteCount, to: segment.endBytes,
            expecting: segment.firstSequence, sequenceEnd: segment.endSequence, verifiesPayloads: false,
            buffer: buffer)
        while let step = try? walker.next() {
            if case .record(let header, _, _) = step, header.sequences.upperBound > sequence {
                return header.receivedAt
            }
        }
        return nil
    }

    private func step(_ walker: inout SegmentWalker, _ segment: UInt64) throws(SpoolError) -> SegmentWalker.Step? {
        do {
            return try walker.next()
        } catch {
            throw SpoolError(.readFailed, path: path(segment), cause: error)
        }
    }

    private func lost(_ sequences: Range<UInt64>, _ open: OpenSegment, _ segment: UInt64, _ offset: Int, _ length: Int)
        -> LostSequences
    {
        let reason = keeper.keep("damaged record", segment: segment, file: open.file, offset: offset, length: length)
        return LostSequences(sequences: sequences, reason: reason)
    }
}

extension SegmentStore {
    func path(_ segment: UInt64) -> String { "\(directory)/\(SegmentName.file(segment))" }

    /// Opens a segment, or takes it from those that are open; nil when there is no such file.
    func openSegment(_ number: UInt64) throws(SpoolError) -> OpenSegment? {
        let cached = state.withLock { state in state.open.first { $0.number == number }?.segment }
        if let cached { return cached }
        let opened: OpenSegment
        do {
            opened = OpenSegment(try fileSystem.open(path(number), .read), fileSystem)
        } catch  where error.isMissing {
            return nil
        } catch {
            throw SpoolError(.readFailed, path: path(number), cause: error)
        }
        state.withLock { state in
            if state.open.count == Self.openMax { state.open.removeFirst() }
            state.open.append((number, opened))
        }
        return opened
    }

    // The spool's thread tells what it did.

    /// A new segment is there, durably.
    func segmentOpened(_ segment: Segment) {
        state.withLock { $0.catalogue.segmentOpened(segment) }
    }

    /// The newest segment grew, durably.
    func segmentGrew(_ segment: Segment) {
        state.withLock { $0.catalogue.segmentGrew(segment) }
    }

    /// The segment's file is another one, with the same places.
    func segmentReplaced(_ number: UInt64) {
        state.withLock { $0.open.removeAll { $0.number == number } }
    }

    /// The segment's file is removed.
    func segmentRetired(_ number: UInt64) {
        state.withLock { state in
            state.catalogue.segmentRetired(number)
            state.open.removeAll { $0.number == number }
        }
    }
}

/// A segment file open for reading; closed when its last reader lets go of it.
final class OpenSegment: Sendable {
    let file: FileID
    private let fileSystem: any FileSystem

    init(_ file: FileID, _ fileSystem: any FileSystem) {
        self.file = file
        self.fileSystem = fileSystem
    }

    deinit {
        fileSystem.close(file)
    }
}
