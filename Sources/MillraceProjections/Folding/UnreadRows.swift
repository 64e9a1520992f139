package import MillraceEvent

/// Rows whose document would have been too large to read.
package struct UnreadRows: Sendable, Equatable {
    private static let examplesMax = 10

    package private(set) var count = 0
    /// Ids of the first ones.
    package private(set) var examples: [UniqueID] = []

    package init() {}

    /// Counts one more row; its id is kept if there are fewer than ten.
    package mutating func append(_ id: UniqueID) {
        count += 1
        if examples.count < Self.examplesMax { examples.append(id) }
    }

    /// Adds the count of `others`, and of their ids as many as make ten.
    package mutating func append(_ others: UnreadRows) {
        count += others.count
        examples += others.examples.prefix(Self.examplesMax - examples.count)
    }
}
