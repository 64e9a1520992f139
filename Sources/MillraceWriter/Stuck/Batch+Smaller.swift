internal import MillraceChannels
internal import MillraceEvent

extension Batch {
    /// The batch in two, as it was gathered; a single extent at the border of two of its records. One record is left as it
    /// is, and so is what can't be read: the next try says why. Blocks on the disk.
    func smaller(reading spool: any SpoolReader) -> [Batch] {
        guard extents.count == 1 else { return halves }
        let records = Self.records(of: extents[0], spool)
        return records.count > 1 ? Batch(extents: records).halves : [self]
    }

    private static func records(of extent: Extent, _ spool: any SpoolReader) -> [Extent] {
        var records: [Extent] = []
        var end = extent.offset
        try? spool.read(extent) { item in
            guard case .record(let header, _) = item else { return }
            let length = RecordHeader.byteCount + header.payloadBytes
            records.append(
                Extent(
                    segment: extent.segment, offset: end, length: length, firstSequence: header.firstSequence,
                    count: header.count))
            end += length
        }
        let areAll =
            end == extent.offset + extent.length && records.reduce(0) { $0 + $1.count } == extent.count
            && zip(records, records.dropFirst()).allSatisfy { $0.adjoins($1) }
        return areAll ? records : [extent]
    }
}
