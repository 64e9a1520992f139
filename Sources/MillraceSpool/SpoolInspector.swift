internal import Glibc
package import MillraceEvent

/// Reads a spool directory without touching it, for `millrace verify` and `status`: takes no lock, cuts nothing, sets
/// nothing aside, and may run beside the daemon. Blocks on the disk.
///
/// The daemon writes the newest segment while it is read: one read may see a later part of the file than the read before
/// it, and so records behind a place that was empty a moment ago. What looks damaged there is looked at again.
package struct SpoolInspector: Sendable {
    /// For a group that is being written to be whole: 2 s, since a busy disk may hold a write up.
    private static let pausesMax = 100
    private static let pauseMicroseconds: useconds_t = 20_000

    private let directory: String
    private let fileSystem: any FileSystem

    package init(directory: String, fileSystem: any FileSystem = PosixFileSystem()) {
        self.directory = directory
        self.fileSystem = fileSystem
    }

    /// Walks over every segment; `body` gets each valid header in order, and whether its payload is intact.
    /// `verifiesPayloads` false reads headers only, and takes payloads for intact. Rethrows what `body` throws.
    package func inspect(
        verifiesPayloads: Bool = true, _ body: (RecordHeader, _ isIntact: Bool) throws -> Void = { _, _ in }
    ) throws -> SpoolReport {
        var report = SpoolReport()
        report.spoolID = try identity()
        report.setAside = ((try? fileSystem.list("\(directory)/\(SegmentName.damaged)")) ?? []).sorted()
        let numbers = try fileSystem.list(directory).compactMap { SegmentName.number(of: $0) }.sorted()
        var heads: [UInt64: Head] = [:]
        for number in numbers { heads[number] = try head(number) }
        for number in numbers {
            guard let head = heads[number] else { continue }
            report.spoolID = report.spoolID ?? head.header?.spoolID
            let end = heads[number + 1]?.header?.previousEndBytes ?? 0
            let endBytes = end > 0 ? min(end, head.fileBytes) : head.fileBytes
            let segment = try walk(
                number, head, to: endBytes, isNewest: number == numbers.last, verifiesPayloads: verifiesPayloads
            ) { header, isIntact in
                if isIntact { report.lines[header.kind, default: 0] += header.count }
                try body(header, isIntact)
            }
            if let segment { report.segments.append(segment) }
        }
        return report
    }

    /// Where the last valid record of segment `number`, the newest one, ends: all before is written. nil where it is
    /// missing.
    func validEnd(of number: UInt64) throws -> Int? {
        guard let head = try head(number) else { return nil }
        return try walk(number, head, to: head.fileBytes, isNewest: true, verifiesPayloads: true)?.endBytes
    }

    /// What `spool.id` says; nil where it is missing.
    package func identity() throws(FileSystemError) -> UniqueID? {
        let text = try fileSystem.readFile("\(directory)/\(SegmentName.identity)")
        return text.flatMap { UniqueID(String(decoding: $0.prefix(36), as: UTF8.self)) }
    }

    private struct Head {
        /// Nil when it is damaged.
        var header: SegmentHeader?
        var fileBytes: Int
    }

    /// Whether what looks damaged at a place is to be looked at again.
    private struct Doubt {
        private var place = -1
        private var pauses = 0

        mutating func isLeft(of step: SegmentWalker.Step, at place: Int) -> Bool {
            let isFirstLook = self.place != place
            self.place = place
            switch step {
            case .record(_, _, isIntact: true), .tail(_, _, isZeros: true, _): return false
            // It was begun when the file's size was asked for.
            case .tail(_, _, _, header: .some): return false
            // A record was seen behind it: what is before that one is written, and the next look sees it.
            case .damage: return isFirstLook
            case .record, .tail:
                guard pauses < SpoolInspector.pausesMax else { return isFirstLook }
                if !isFirstLook { usleep(SpoolInspector.pauseMicroseconds) }
                pauses += 1
                return true
            }
        }
    }

    private func path(_ number: UInt64) -> String { "\(directory)/\(SegmentName.file(number))" }

    private func head(_ number: UInt64) throws -> Head? {
        guard let file = try open(number) else { return nil }
        defer { fileSystem.close(file) }
        let (decoded, fileBytes) = try SegmentHeader.read(from: file, fileSystem)
        switch decoded {
        case .header(let header): return Head(header: header.number == number ? header : nil, fileBytes: fileBytes)
        case .damaged: return Head(header: nil, fileBytes: fileBytes)
        case .newerVersion: throw SpoolError(.unsupportedVersion, path: path(number))
        }
    }

    /// Nil when the daemon retired it meanwhile.
    private func open(_ number: UInt64) throws(FileSystemError) -> FileID? {
        do {
            return try fileSystem.open(path(number), .read)
        } catch  where error.isMissing {
            return nil
        }
    }

    private func walk(
        _ number: UInt64, _ head: Head, to endBytes: Int, isNewest: Bool, verifiesPayloads: Bool,
        _ body: (RecordHeader, Bool) throws -> Void = { _, _ in }
    ) throws -> SpoolReport.Segment? {
        guard let file = try open(number) else { return nil }
        defer { fileSystem.close(file) }
        var first = head.header?.firstSequence
        var end = first
        var segment = SpoolReport.Segment(
            number: number, sequences: 0..<0, skipped: 0..<0, gap: head.header?.gap ?? .none,
            fileBytes: head.fileBytes)
        let buffer = ReadBuffer(capacity: SegmentWalker.windowBytes)
        let walk = { (offset: Int, expected: UInt64?) in
            SegmentWalker(
                fileSystem, file, from: offset, to: endBytes, expecting: expected, verifiesPayloads: verifiesPayloads,
                buffer: buffer)
        }
        var walker = walk(min(SegmentHeader.byteCount, endBytes), first)
        var (place, expected) = (walker.position, walker.expected)
        var doubt = Doubt()
        segment.endBytes = place
        while let step = try walker.next() {
            if isNewest, doubt.isLeft(of: step, at: place) {
                walker = walk(place, expected)
                continue
            }
            (place, expected) = (walker.position, walker.expected)
            switch step {
            case .record(let header, let offset, let isIntact):
                first = first ?? header.firstSequence
                end = header.sequences.upperBound
                if isIntact {
                    segment.endBytes = walker.position
                    segment.records += 1
                    segment.lines += header.count
                } else {
                    segment.damagedBytes += walker.position - offset
                }
                try body(header, isIntact)
            case .damage(_, let length, _): segment.damagedBytes += length
            case .tail(_, let length, let isZeros, _): segment.damagedBytes += isZeros ? 0 : length
            }
        }
        segment.sequences = (first ?? 0)..<(end ?? first ?? 0)
        if let header = head.header {
            segment.skipped = min(header.previousEndSequence, header.firstSequence)..<header.firstSequence
            if header.previousEndBytes > SegmentHeader.byteCount { segment.previousEnd = header.previousEndSequence }
        }
        return segment
    }
}

/// What `SpoolInspector` saw in a spool directory.
package struct SpoolReport: Sendable {
    package struct Segment: Sendable {
        package var number: UInt64
        /// From the first to after the last valid line found.
        package var sequences: Range<UInt64>
        /// Left out before it, see `gap`.
        package var skipped: Range<UInt64>
        package var gap: SegmentHeader.Gap
        /// After the last line of the segment before, as this one's header says; nil where that one held no line, or this
        /// is the first.
        package var previousEnd: UInt64?
        package var fileBytes: Int
        /// After the last valid record, in the file.
        package var endBytes = 0
        /// Valid headers with valid payloads.
        package var records = 0
        /// Lines of valid records.
        package var lines = 0
        /// Bytes without a valid record, zeros at the end not counted. The newest segment of a running daemon may show
        /// a group that is being written.
        package var damagedBytes = 0
    }

    /// Nil when neither `spool.id` nor a segment names it.
    package var spoolID: UniqueID?
    /// Ascending by number.
    package var segments: [Segment] = []
    /// Lines of valid records, by kind.
    package var lines: [RecordKind: Int] = [:]
    /// Files in `damaged/`.
    package var setAside: [String] = []

    package var fileBytes: Int { segments.reduce(0) { $0 + $1.fileBytes } }
    package var damagedBytes: Int { segments.reduce(0) { $0 + $1.damagedBytes } }

    /// After the last line of each segment: as it shows itself, and as the next one says, of files that are missing too. A
    /// segment without lines, which a crash may leave of a run, has no end, whoever asks: where it begins, no line ends.
    package var lineEnds: [UInt64] {
        segments.flatMap { segment in
            [segment.previousEnd, segment.sequences.isEmpty ? nil : segment.sequences.upperBound].compactMap { $0 }
        }
    }
}
