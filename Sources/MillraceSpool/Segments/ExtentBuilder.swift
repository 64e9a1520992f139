internal import MillraceChannels
import MillraceEvent

/// Merges adjacent records to extents, up to `Extent.bytesMax` and `countMax` lines.
struct ExtentBuilder {
    /// Lines of one extent; a single record may have more.
    static let countMax = 4096

    private var pending: Extent?

    /// Adds a record; returns the extent before it when it begins a new one.
    mutating func add(_ header: RecordHeader, segment: UInt64, offset: Int) -> Extent? {
        let next = Extent(
            segment: segment, offset: offset, length: RecordHeader.byteCount + header.payloadBytes,
            firstSequence: header.firstSequence, count: header.count)
        if let last = pending, last.adjoins(next), last.length + next.length <= Extent.bytesMax,
            last.count + next.count <= Self.countMax
        {
            pending?.length += next.length
            pending?.count += next.count
            return nil
        }
        defer { pending = next }
        return pending
    }

    /// Ends the run; returns its extent.
    mutating func finish() -> Extent? {
        defer { pending = nil }
        return pending
    }
}
