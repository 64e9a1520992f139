/// Lines in the spool that the ledger is not known to hold; all of them, before it has been read.
package struct Uncommitted: Sendable, Equatable {
    package var count = 0
    /// Of `count`, those that were on disk before this run.
    package var earlierCount = 0
    /// Sequence of the oldest one; nil when there is none.
    package var first: UInt64?

    package init(count: Int = 0, earlierCount: Int = 0, first: UInt64? = nil) {
        self.count = count
        self.earlierCount = earlierCount
        self.first = first
    }
}
