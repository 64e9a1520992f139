internal import MillraceChannels
internal import MillraceThreads
internal import MillraceEvent
internal import MillraceTelemetry

/// Finds the records of given sequences by walking over headers, on a thread of its own since it blocks on the disk.
actor SegmentScanner {
    private let store: SegmentStore
    private let executor = ThreadExecutor(name: "spool-scan")
    private let buffer = ReadBuffer(capacity: SegmentWalker.windowBytes)
    private let segments: [Segment]
    private var found = SequenceSet()
    private var lost: [LostSequences] = []

    init(_ store: SegmentStore) {
        self.store = store
        segments = store.catalogue.segments
    }

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Lets the thread go.
    nonisolated func stop() {
        executor.stop()
    }

    func scan(_ ranges: [Range<UInt64>], into channel: ExtentChannel) async -> [LostSequences] {
        for segment in segments where ranges.contains(where: { $0.overlaps(segment.sequences) }) {
            if Task.isCancelled { return lost }
            await walk(segment, ranges.filter { $0.overlaps(segment.sequences) }, into: channel)
        }
        if Task.isCancelled { return lost }
        for segment in segments where segment.gap == .burnt { found.insert(segment.skipped) }
        for damage in lost { found.insert(damage.sequences) }
        for range in ranges {
            for gap in found.gaps(in: range) { lost.append(LostSequences(sequences: gap, reason: reason(gap))) }
        }
        return lost.sorted { $0.sequences.lowerBound < $1.sequences.lowerBound }
    }

    private func walk(_ segment: Segment, _ ranges: [Range<UInt64>], into channel: ExtentChannel) async {
        var wanted = ranges[...]
        var builder = ExtentBuilder()
        do {
            // Missing: the gap that it leaves is reported at the end.
            guard let open = try store.openSegment(segment.number) else { return }
            var walker = SegmentWalker(
                store.fileSystem, open.file, from: SegmentHeader.byteCount, to: segment.endBytes,
                expecting: segment.firstSequence, sequenceEnd: segment.endSequence, verifiesPayloads: false,
                buffer: buffer)
            while !wanted.isEmpty, !Task.isCancelled, let step = try step(&walker, segment) {
                var extent: Extent?
                switch step {
                case .record(let header, let offset, _):
                    while let range = wanted.first, range.upperBound <= header.firstSequence { wanted.removeFirst() }
                    extent = take(header, offset, segment, wanted.first, &builder)
                case .damage(let offset, let length, let sequences):
                    extent = builder.finish()
                    setAside(sequences, segment, open, offset, length, ranges)
                case .tail(let offset, let length, _, _):
                    extent = builder.finish()
                    let expected = min(walker.expected ?? segment.firstSequence, segment.endSequence)
                    setAside(expected..<segment.endSequence, segment, open, offset, length, ranges)
                }
                if let extent { await publish(extent, channel) }
            }
            if let extent = builder.finish() { await publish(extent, channel) }
        } catch {
            if let extent = builder.finish() { await publish(extent, channel) }
            report(segment.sequences, "\(SegmentName.file(segment.number)) can't be read: \(error)", ranges)
        }
    }

    private func step(_ walker: inout SegmentWalker, _ segment: Segment) throws(SpoolError) -> SegmentWalker.Step? {
        do {
            return try walker.next()
        } catch {
            throw SpoolError(.readFailed, path: store.path(segment.number), cause: error)
        }
    }

    /// Adds a record that is wanted; returns an extent that is complete.
    private func take(
        _ header: RecordHeader, _ offset: Int, _ segment: Segment, _ wanted: Range<UInt64>?,
        _ builder: inout ExtentBuilder
    ) -> Extent? {
        guard let wanted, wanted.overlaps(header.sequences) else { return builder.finish() }
        guard wanted.clamped(to: header.sequences) == header.sequences else {
            // Giving it out again would put the other part in twice.
            let reason = "the ledger holds only a part of the record at offset \(offset) of "
            report(header.sequences, reason + SegmentName.file(segment.number), [wanted])
            return builder.finish()
        }
        store.keeper.metrics.recovered(header.kind).add(header.count)
        return builder.add(header, segment: segment.number, offset: offset)
    }

    private func publish(_ extent: Extent, _ channel: ExtentChannel) async {
        found.insert(extent.sequences)
        await channel.publishBacklog(extent)
    }

    private func setAside(
        _ sequences: Range<UInt64>, _ segment: Segment, _ open: OpenSegment, _ offset: Int, _ length: Int,
        _ ranges: [Range<UInt64>]
    ) {
        guard ranges.contains(where: { $0.overlaps(sequences) }) else { return }
        let reason = store.keeper.keep(
            "damaged record", segment: segment.number, file: open.file, offset: offset, length: length)
        report(sequences, reason, ranges)
    }

    /// Those of `sequences` that were asked for and not found.
    private func report(_ sequences: Range<UInt64>, _ reason: String, _ ranges: [Range<UInt64>]) {
        for range in ranges where range.overlaps(sequences) {
            for gap in found.gaps(in: sequences.clamped(to: range)) {
                lost.append(LostSequences(sequences: gap, reason: reason))
            }
        }
    }

    private func reason(_ gap: Range<UInt64>) -> String {
        if let raised = segments.first(where: { $0.gap == .raised && $0.skipped.overlaps(gap) }) {
            return "the ledger knew sequences up to \(raised.firstSequence), the spool ended at "
                + "\(raised.skipped.lowerBound): the segment before \(SegmentName.file(raised.number)) is missing"
        }
        if let holder = segments.first(where: { $0.sequences.overlaps(gap) }) {
            return "\(SegmentName.file(holder.number)) is missing from \(store.directory), or shorter than it was"
        }
        let before = segments.last { $0.firstSequence < gap.lowerBound }.map { " after \(SegmentName.file($0.number))" }
        let after = segments.first { $0.firstSequence >= gap.upperBound }.map {
            " before \(SegmentName.file($0.number))"
        }
        return "no segment in \(store.directory) holds them: one is missing\(before ?? "")\(after ?? "")"
    }
}
