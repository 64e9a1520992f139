internal import MillraceEvent

/// What recovery found.
struct RecoveredSpool: Sendable {
    /// The newest segment, when it can be written on.
    enum Newest: Sendable, Equatable {
        case none
        /// Ends at a whole record: go on in it.
        case appendable
        /// Bytes that are no record follow its valid end: go on in a new one.
        case torn
    }

    var spoolID: UniqueID
    /// Ascending by number.
    var segments: [Segment] = []
    var newest = Newest.none
    /// After the last line that is known.
    var nextSequence: UInt64 = 1
    /// Of a run that does not go on where the spool ended.
    var beginsEpoch = false
    /// Acknowledged lines of segment files that are missing between others.
    var missing: [Range<UInt64>] = []
    /// For the operator: what was cut, skipped and set aside.
    var findings: [String] = []
}

/// Makes sense of the directory at start. Reads the header of each segment, and all of the newest one only, so that
/// a start takes as long with a large backlog as without. Every step may be interrupted and done again.
///
/// The newest segment may end in a torn record: zeros are cut off; anything else is set aside, the segment ends at its
/// last whole record, and a new segment begins, whose epoch keeps clear of what the torn bytes had. What is valid is
/// synchronized before anyone sees it, since a killed process may have left it in the page cache only.
struct SpoolRecovery {
    private struct Found {
        var number: UInt64
        var fileBytes: Int
        /// Nil when it is damaged.
        var header: SegmentHeader?
    }

    private struct Walked {
        var firstSequence: UInt64?
        var endSequence: UInt64?
        var endBytes: Int
        /// Of bytes after `endBytes` that are not all zero; 0 when there are none.
        var tornBytes = 0
        var findings: [String] = []
    }

    /// More than a segment holds in practice, and fewer than lie between two runs.
    private static let segmentLinesMax: UInt64 = 1 << 26

    let fileSystem: any FileSystem
    let directory: String
    let keeper: DamageKeeper

    func run() throws(SpoolError) -> RecoveredSpool {
        try removeCopies()
        var found: [Found] = []
        for number in try list() { found.append(try inspect(number)) }
        var recovered = RecoveredSpool(spoolID: try identity(found))
        try dropUnborn(&found, &recovered.findings)
        for index in found.indices.dropLast() {
            let successor = found[index + 1]
            let isAdjacent = successor.number == found[index].number + 1
            if let segment = try older(found[index], before: isAdjacent ? successor.header : nil) {
                recovered.segments.append(segment)
            } else {
                recovered.findings.append("\(SegmentName.file(found[index].number)) holds no intact record")
            }
        }
        if let newest = found.last { try recover(newest, &recovered) }
        findMissing(found, &recovered)
        return recovered
    }

    /// Tells the lines of files that are missing between others. Where runs begin is in those files too: a stretch too wide
    /// for lines has the gap between two runs in it, and then only `verify` can tell, by the runs in the database.
    private func findMissing(_ found: [Found], _ recovered: inout RecoveredSpool) {
        for segment in recovered.segments {
            guard let successor = found.first(where: { $0.number > segment.number }), let header = successor.header,
                successor.number > segment.number + 1, header.previousEndSequence > segment.endSequence
            else { continue }
            let range = segment.endSequence..<header.previousEndSequence
            recovered.findings.append(
                "segments are missing between \(SegmentName.file(segment.number)) and "
                    + SegmentName.file(successor.number))
            let linesMax = (successor.number - segment.number - 1).multipliedReportingOverflow(by: Self.segmentLinesMax)
            if linesMax.overflow || UInt64(range.count) <= linesMax.partialValue { recovered.missing.append(range) }
        }
    }

    private func recover(_ newest: Found, _ recovered: inout RecoveredSpool) throws(SpoolError) {
        let path = path(newest.number)
        let walked: Walked
        do {
            let file = try fileSystem.open(path, .update)
            defer { fileSystem.close(file) }
            walked = try walk(newest, file, to: newest.fileBytes, isNewest: true)
            if walked.tornBytes == 0, walked.endBytes < newest.fileBytes {
                try fileSystem.truncate(file, to: walked.endBytes)
            }
            try fileSystem.synchronize(file)
        } catch {
            throw SpoolError(error, writing: path)
        }
        let segment = segment(newest, walked, end: nil)
        recovered.segments.append(segment)
        recovered.findings += walked.findings
        recovered.nextSequence = segment.endSequence
        recovered.newest = walked.tornBytes > 0 || newest.header == nil ? .torn : .appendable
    }

    /// A segment whose header never became durable holds nothing that was acknowledged: a crash while it was made.
    private func dropUnborn(_ found: inout [Found], _ findings: inout [String]) throws(SpoolError) {
        while let newest = found.last, newest.header == nil {
            let path = path(newest.number)
            do {
                let file = try fileSystem.open(path, .read)
                defer { fileSystem.close(file) }
                let walked = try walk(newest, file, to: newest.fileBytes, isNewest: false)
                if walked.firstSequence != nil {
                    findings.append("the header of \(SegmentName.file(newest.number)) is damaged, its records are read")
                    return
                }
                if walked.tornBytes > 0 {
                    findings.append(
                        keeper.keep(
                            "a segment without header or records", segment: newest.number, file: file, offset: 0,
                            length: newest.fileBytes))
                }
                try fileSystem.remove(path)
                try fileSystem.synchronizeDirectory(directory)
            } catch {
                throw SpoolError(error, writing: path)
            }
            found.removeLast()
        }
    }

    /// A segment before the newest: its end stands in the header of the next one, else it is walked. Nil when it has
    /// neither a header nor records.
    private func older(_ found: Found, before successor: SegmentHeader?) throws(SpoolError) -> Segment? {
        if let header = found.header, let successor, successor.previousEndBytes > 0 {
            return Segment(
                number: found.number, firstSequence: header.firstSequence, endSequence: successor.previousEndSequence,
                endBytes: successor.previousEndBytes, fileBytes: found.fileBytes,
                skipped: skipped(header), gap: header.gap)
        }
        let path = path(found.number)
        do {
            let file = try fileSystem.open(path, .read)
            defer { fileSystem.close(file) }
            let endBytes = min(found.fileBytes, successor?.previousEndBytes ?? .max)
            let walked = try walk(found, file, to: endBytes, isNewest: false)
            guard found.header != nil || walked.firstSequence != nil else { return nil }
            return segment(found, walked, end: successor?.previousEndSequence)
        } catch {
            throw SpoolError(.readFailed, path: path, cause: error)
        }
    }

    private func segment(_ found: Found, _ walked: Walked, end: UInt64?) -> Segment {
        let first = found.header?.firstSequence ?? walked.firstSequence ?? 1
        return Segment(
            number: found.number, firstSequence: first, endSequence: max(first, end ?? walked.endSequence ?? first),
            endBytes: walked.endBytes, fileBytes: found.fileBytes,
            skipped: found.header.map(skipped) ?? first..<first, gap: found.header?.gap ?? .none)
    }

    private func skipped(_ header: SegmentHeader) -> Range<UInt64> {
        min(header.previousEndSequence, header.firstSequence)..<header.firstSequence
    }

    /// Finds the valid end of a segment. Of the newest one every payload is verified and damage is set aside.
    private func walk(_ found: Found, _ file: FileID, to endBytes: Int, isNewest: Bool)
        throws(FileSystemError) -> Walked
    {
        var walked = Walked(endBytes: min(SegmentHeader.byteCount, endBytes))
        var walker = SegmentWalker(
            fileSystem, file, from: walked.endBytes, to: endBytes, expecting: found.header?.firstSequence,
            verifiesPayloads: isNewest, buffer: ReadBuffer(capacity: SegmentWalker.windowBytes))
        while let step = try walker.next() {
            switch step {
            case .record(let header, let offset, let isIntact):
                walked.firstSequence = walked.firstSequence ?? header.firstSequence
                walked.endSequence = header.sequences.upperBound
                walked.endBytes = walker.position
                if !isIntact {
                    let length = walker.position - offset
                    walked.findings.append(keep("damaged record", found, file, offset, length))
                }
            case .damage(let offset, let length, _):
                if isNewest { walked.findings.append(keep("damaged record", found, file, offset, length)) }
            case .tail(let offset, let length, let isZeros, _):
                guard !isZeros else { continue }
                walked.tornBytes = length
                if isNewest { walked.findings.append(keep("torn tail", found, file, offset, length)) }
            }
        }
        return walked
    }

    private func keep(_ what: String, _ found: Found, _ file: FileID, _ offset: Int, _ length: Int) -> String {
        keeper.keep(what, segment: found.number, file: file, offset: offset, length: length)
    }
}

extension SpoolRecovery {
    private func path(_ number: UInt64) -> String { "\(directory)/\(SegmentName.file(number))" }

    /// What was to take the place of a segment, and did not: it has lines in it that were to go.
    private func removeCopies() throws(SpoolError) {
        do {
            let names = try fileSystem.list(directory).filter { name in
                name.hasSuffix(SegmentName.rewritten)
                    && SegmentName.number(of: String(name.dropLast(SegmentName.rewritten.count))) != nil
            }
            for name in names { try fileSystem.remove("\(directory)/\(name)") }
        } catch {
            throw SpoolError(.directoryUnusable, path: directory, cause: error)
        }
    }

    /// Numbers of the segments, ascending.
    private func list() throws(SpoolError) -> [UInt64] {
        do {
            return try fileSystem.list(directory).compactMap { SegmentName.number(of: $0) }.sorted()
        } catch {
            throw SpoolError(.directoryUnusable, path: directory, cause: error)
        }
    }

    private func inspect(_ number: UInt64) throws(SpoolError) -> Found {
        let opened: (decoded: SegmentHeader.Decoded, fileBytes: Int)
        do {
            let file = try fileSystem.open(path(number), .read)
            defer { fileSystem.close(file) }
            opened = try SegmentHeader.read(from: file, fileSystem)
        } catch {
            throw SpoolError(.readFailed, path: path(number), cause: error)
        }
        switch opened.decoded {
        case .header(let header) where header.number == number:
            return Found(number: number, fileBytes: opened.fileBytes, header: header)
        case .header, .damaged:
            return Found(number: number, fileBytes: opened.fileBytes, header: nil)
        case .newerVersion:
            throw SpoolError(.unsupportedVersion, path: path(number))
        }
    }

    /// The spool's id: from `spool.id`, else from the headers; a new one for a new spool.
    private func identity(_ found: [Found]) throws(SpoolError) -> UniqueID {
        let path = "\(directory)/\(SegmentName.identity)"
        do {
            let text = try fileSystem.readFile(path)
            let written = text.flatMap { UniqueID(String(decoding: $0.prefix(36), as: UTF8.self)) }
            let known = written ?? found.lazy.compactMap(\.header?.spoolID).first
            if let foreign = found.first(where: { $0.header.map { $0.spoolID != known } ?? false }) {
                throw SpoolError(.mixedSpools, path: self.path(foreign.number))
            }
            guard let id = known ?? (found.isEmpty ? .random() : nil) else {
                throw SpoolError(.identityLost, path: directory)
            }
            if written == nil { try fileSystem.writeFile(Array("\(id)\n".utf8), to: path, in: directory) }
            return id
        } catch let error as SpoolError {
            throw error
        } catch let error as FileSystemError {
            throw SpoolError(error, writing: path)
        } catch {
            throw SpoolError(.readFailed, path: path)
        }
    }
}
