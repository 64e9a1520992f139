import Logging
import MillraceChannels
import MillraceEvent
import MillraceThreads
import Synchronization

@testable import MillraceSpool

/// A spool on a faulty disk, driven call by call, and what its senders were answered.
final class SpoolRig: Sendable {
    static let directory = "/data/spool"

    let disk: FaultyFileSystem
    let channel = RecordChannel(bytesMax: 1 << 20)
    let extents = ExtentChannel(rowsMax: 10_000, bytesMax: 4 << 20)
    let board = CommitBoard()
    let metrics = SpoolMetrics()
    let service: SpoolService
    private let outcomes = Mutex<[String: Submission.Outcome]>([:])

    init(
        _ disk: FaultyFileSystem, segmentBytes: Int = 1 << 20, bytesMax: Int = 1 << 30, freeBytesMin: Int = 0,
        groupBytesMax: Int = 4096, zeroAheadBytes: Int = 0, retain: Duration = .zero, epoch: SequenceEpoch? = nil
    ) throws(SpoolError) {
        self.disk = disk
        var configuration = SpoolConfiguration()
        configuration.directory = Self.directory
        configuration.segmentBytes = min(segmentBytes, bytesMax / 4)
        configuration.bytes = bytesMax
        configuration.freeBytes = freeBytesMin
        configuration.groupBytes = groupBytesMax
        configuration.zeroAheadBytes = zeroAheadBytes
        configuration.retain = retain
        var logger = Logger(label: "spool")
        logger.logLevel = .critical
        service = try SpoolService(
            configuration, epoch: epoch, channel: channel, extents: extents, board: board, metrics: metrics,
            logger: logger,
            fileSystem: disk)
    }

    deinit {
        service.executor.stop()
    }

    /// Each text is one submission of one line; all of them are handed over at once.
    func append(_ lines: String...) async {
        await append(lines)
    }

    func append(_ lines: [String], acknowledgement: Submission.Acknowledgement = .spooled) async {
        await service.commit(lines.map { submission($0, acknowledgement: acknowledgement) })
    }

    func submission(_ line: String, acknowledgement: Submission.Acknowledgement = .spooled) -> Submission {
        let record = Record(
            kind: .event, tenant: 0, receivedAt: Timestamp(microseconds: 1), count: 1, bytes: Array((line + "\n").utf8))
        return Submission(records: [record], acknowledgement: acknowledgement) { [self] outcome in
            outcomes.withLock { $0[line] = outcome }
        }
    }

    func outcome(of line: String) -> Submission.Outcome? { outcomes.withLock { $0[line] } }

    /// Lines that were answered as kept, in order of sequence.
    var kept: [String] {
        outcomes.withLock { outcomes in
            outcomes.compactMap { line, outcome -> (UInt64, String)? in
                guard case .durable(let sequences) = outcome else { return nil }
                return (sequences.lowerBound, line)
            }.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }

    /// Everything in the spool, by a scan and reads, as a writer would get it after a restart.
    func readAll(_ ranges: [Range<UInt64>]? = nil) async throws -> SpoolContents {
        let channel = ExtentChannel(rowsMax: 10_000, bytesMax: 4 << 20)
        var contents = SpoolContents()
        contents.lost = await service.store.scan(ranges ?? service.store.retainedSequences.ranges, into: channel)
        while let batch = channel.take(rowsMax: .max) {
            for extent in batch.extents { try contents.add(extent, from: service.store) }
        }
        return contents
    }

    /// The live extents that wait for a writer, read.
    func readLive() async throws -> SpoolContents {
        var contents = SpoolContents()
        while let batch = extents.take(rowsMax: .max) {
            for extent in batch.extents { try contents.add(extent, from: service.store) }
        }
        return contents
    }
}

struct SpoolContents {
    var lines: [String] = []
    var sequences: [Range<UInt64>] = []
    var lost: [LostSequences] = []
    var damaged: [LostSequences] = []

    mutating func add(_ extent: Extent, from store: SegmentStore) throws {
        try store.read(extent) { item in
            switch item {
            case .record(let header, let payload):
                sequences.append(header.sequences)
                lines += String(decoding: payload, as: UTF8.self).split(separator: "\n").map(String.init)
            case .damaged(let lost): damaged.append(lost)
            }
        }
    }
}

extension SpoolService {
    func close() { appender.close() }
    func commit(_ submissions: [Submission]) { appender.append(submissions) }

    func maintain(settled: [Range<UInt64>] = [], after duration: Duration = .seconds(3600)) {
        let now = ContinuousClock.now.advanced(by: duration)
        store.tell(.settled(settled))
        store.tell(.serverSeen(at: now))
        appender.maintain(now: now)
    }
}

extension FaultyFileSystem {
    static func segment(_ number: UInt64) -> String { "\(SpoolRig.directory)/\(SegmentName.file(number))" }

    var segmentNumbers: [UInt64] {
        paths.compactMap { path in path.split(separator: "/").last.flatMap { SegmentName.number(of: String($0)) } }
    }

    var damagedFiles: [String] { paths.filter { $0.contains("/damaged/") } }
}

/// A small seeded generator (SplitMix64).
struct SeededRandom: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
