internal import MillraceEvent

/// Submissions of a connection that the spool refused, to be offered again.
struct TCPRefusedBatches {
    private var batches: [(id: UInt64, records: [Record])] = []

    var isEmpty: Bool { batches.isEmpty }

    var lineCount: Int { batches.reduce(0) { $0 + $1.records.reduce(0) { $0 + $1.count } } }

    func contains(_ id: UInt64) -> Bool { batches.contains { $0.id == id } }

    mutating func append(_ id: UInt64, _ records: [Record]) { batches.append((id, records)) }

    /// Returns them, in the order in which they were refused.
    @discardableResult
    mutating func removeAll() -> [(id: UInt64, records: [Record])] {
        defer { batches = [] }
        return batches
    }
}
