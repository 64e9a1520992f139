internal import MillraceAccess

/// The streams that are open, of all routes together and of each.
package struct OpenStreams: Sendable {
    /// One that is open, counted while the value lives.
    struct Place: Sendable {
        fileprivate let all: OpenPlace
        fileprivate let own: OpenPlace
    }

    private let all = OpenCount()
    private let tails = OpenCount()
    private let watchers = OpenCount()

    package init() {}

    /// Streams of `/v1/tail`.
    package var tailCount: Int { tails.value }

    /// Streams of `/v1/live`.
    package var watcherCount: Int { watchers.value }

    /// Nil where `max` streams are open.
    func enterTail(max: Int) -> Place? { place(among: tails, max: max) }

    /// Nil where `max` streams are open.
    func enterWatcher(max: Int) -> Place? { place(among: watchers, max: max) }

    private func place(among count: OpenCount, max: Int) -> Place? {
        guard let all = all.enter(max: max), let own = count.enter(max: 0) else { return nil }
        return Place(all: all, own: own)
    }
}
