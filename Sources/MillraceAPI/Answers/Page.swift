internal import MillraceEvent

/// A page being written: rows as JSON until enough are there, and the key of the last one.
struct Page: Sendable {
    var rows = JSONWriter()
    var count = 0
    /// Key of the last row.
    var last: [String?]?
    /// The same, when more rows follow.
    var next: [String?]?
    /// Key of the row that would be the first and is too large to be read.
    var unread: [String?]?
    /// What the rows hold of the budget, until the connection has them.
    var memory: MemoryReservation?
}
