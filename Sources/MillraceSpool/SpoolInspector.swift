package import MillraceEvent

/// Reads a spool directory without touching it, for `millrace verify` and `status`: takes no lock, cuts nothing, sets
/// nothing aside, and may run beside the daemon. Blocks on the disk.
package struct SpoolInspector: Sendable {
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
        let identity = try fileSystem.readFile("\(directory)/\(SegmentName.identity)")
        report.spoolID = identity.flatMap { UniqueID(String(decoding: $0.prefix(36), as: UTF8.self)) }
        report.setAside = ((try? fileSystem.list("\(directory)/\(SegmentName.damaged)")) ?? []).sorted()
        let numbers = try fileSystem.list(directory).compactMap { SegmentName.number(of: $0) }.sorted()
        var heads: [UInt64: Head] = [:]
        for number in numbers { heads[number] = try head(number) }
        for number in numbers {
            guard let head = heads[number] else { continue }
            report.spoolID = report.spoolID ?? head.header?.spoolID
            let end = heads[number + 1]?.header?.previousEndBytes ?? 0
            let endBytes = end > 0 ? min(end, head.fileBytes) : head.fileBytes
            if let segment = try walk(number, head, to: endBytes, verifiesPayloads, &report.lines, body) {
                report.segments.append(segment)
            }
        }
        return report
    }

    private struct Head {
        /// Nil when it is damaged.
        var header: SegmentHeader?
        var fileBytes: Int
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
        _ number: UInt64, _ head: Head, to endBytes: Int, _ verifiesPayloads: Bool,
        _ lines: inout [RecordKind: Int], _ body: (RecordHeader, Bool) throws -> Void
    ) throws -> SpoolReport.Segment? {
        guard let file = try open(number) else { return nil }
        defer { fileSystem.close(file) }
        var first = head.header?.firstSequence
        var end = first
        var segment = SpoolReport.Segment(
            number: number, sequences: 0..<0, skipped: 0..<0, gap: head.header?.gap ?? .none,
            fileBytes: head.fileBytes, isHeaderIntact: head.header != nil)
        var walker = SegmentWalker(
            fileSystem, file, from: min(SegmentHeader.byteCount, endBytes), to: endBytes, expecting: first,
            verifiesPayloads: verifiesPayloads, buffer: ReadBuffer(capacity: SegmentWalker.windowBytes))
        while let step = try walker.next() {
            switch step {
            case .record(let header, let offset, let isIntact):
                first = first ?? header.firstSequence
                end = header.sequences.upperBound
                if isIntact {
                    segment.records += 1
                    segment.lines += header.count
                    lines[header.kind, default: 0] += header.count
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
        }
        return segment
    }
}
