internal import Glibc

/// The waiting of a start or stop: how long it may take, and when it is said what for.
struct ClusterWait {
    /// A step before takes up to a second more.
    private static let silence = Duration.seconds(4)

    let progress: (String) -> Void
    private let limit: Duration
    private let setting: String
    private let startedAt = ContinuousClock.now
    private var saidAt = ContinuousClock.now

    /// - Parameters:
    ///   - setting: the key of config.toml that `limit` comes from.
    ///   - progress: told what is waited for, every few seconds.
    init(limit: Duration, setting: String, progress: @escaping (String) -> Void) {
        self.limit = limit
        self.setting = setting
        self.progress = progress
    }

    var isOver: Bool { ContinuousClock.now - startedAt >= limit }

    /// Blocks for a moment. `what` completes "waiting for".
    mutating func goesOn(_ what: String) {
        usleep(20_000)
        guard ContinuousClock.now - saidAt >= Self.silence else { return }
        saidAt = .now
        let seconds = (ContinuousClock.now - startedAt).components.seconds
        progress("waiting for \(what) (\(seconds) s so far; \(setting) is \(limit.components.seconds) s)")
    }
}
