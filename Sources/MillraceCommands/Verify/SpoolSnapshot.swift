internal import FoundationEssentials
internal import MillraceConsole
internal import MillraceEvent
internal import MillraceSpool

/// What a spool's directory held at one moment.
struct SpoolSnapshot {
    /// Adjacent lines of one kind that can be read back.
    struct Run: Equatable {
        var sequences: Range<UInt64>
        var kind: RecordKind
        /// When its first line was received.
        var receivedAt: Timestamp
    }

    var spoolID: UniqueID
    /// After the last sequence given out.
    var endSequence: UInt64
    /// In order of sequence.
    var runs: [Run] = []
    /// Given out, but never acknowledged to anyone, and so on no disk.
    var burnt: [Range<UInt64>] = []
    /// First sequences of runs, as far as their first segments are there.
    var runStarts: [UInt64] = []
    /// After the last line of each segment, as the next one says; of files that are missing too.
    var segmentEnds: [UInt64] = []
    var segmentCount = 0
    var fileBytes = 0
    /// Pieces in `damaged/`.
    var setAsideCount = 0

    /// Lines of `kind` among `sequences`.
    func count(of kind: RecordKind, in sequences: SequenceSet) -> Int {
        runs.filter { $0.kind == kind }.reduce(0) { total, run in
            let missing = sequences.gaps(in: run.sequences).reduce(0) { $0 + $1.count }
            return total + run.sequences.count - missing
        }
    }
}

extension SpoolSnapshot {
    /// Reads every header, and every payload where it `verifiesPayloads`, without touching anything. nil when the
    /// directory holds no spool. Blocks.
    init?(inspecting inspector: SpoolInspector, verifiesPayloads: Bool) throws {
        var runs: [Run] = []
        let report = try inspector.inspect(verifiesPayloads: verifiesPayloads) { header, isIntact in
            guard isIntact else { return }
            // Neighbours are one run, so that a large backlog of one kind takes a few entries only. A run's time is
            // told by its first line, so it ends after a second.
            if let last = runs.last, last.kind == header.kind, last.sequences.upperBound == header.firstSequence,
                header.receivedAt.microseconds - last.receivedAt.microseconds < 1_000_000
            {
                runs[runs.count - 1].sequences = last.sequences.lowerBound..<header.sequences.upperBound
            } else {
                runs.append(Run(sequences: header.sequences, kind: header.kind, receivedAt: header.receivedAt))
            }
        }
        guard let spoolID = report.spoolID else { return nil }
        self.init(
            spoolID: spoolID, endSequence: report.segments.map(\.sequences.upperBound).max() ?? 1, runs: runs,
            burnt: report.segments.filter { $0.gap == .burnt && !$0.skipped.isEmpty }.map(\.skipped),
            runStarts: report.segments.filter { $0.gap == .epoch }.map(\.sequences.lowerBound),
            segmentEnds: report.lineEnds,
            segmentCount: report.segments.count, fileBytes: report.fileBytes, setAsideCount: report.setAside.count)
    }
}

extension CommandContext {
    /// nil when there is no spool on this host. Reads every header, and every payload where it `verifiesPayloads`;
    /// blocks on the disk.
    func spoolSnapshot(verifiesPayloads: Bool) throws -> SpoolSnapshot? {
        guard FileManager.default.fileExists(atPath: spoolDirectory) else { return nil }
        return try SpoolSnapshot(
            inspecting: SpoolInspector(directory: spoolDirectory), verifiesPayloads: verifiesPayloads)
    }
}
