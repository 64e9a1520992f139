internal import Glibc

/// The waiting of a start or stop: how long it may take, and when it is said what for.
struct ClusterWait {
    /// Between two messages; the step before the wait takes up to a second more.
    private static let silence = Duration.seconds(4)

    let progress: (String) -> Void
    private let limit: Duration?
    private let setting: String
    private let startedAt = ContinuousClock.now
    private var saidAt = ContinuousClock.now

    /// - Parameters:
    ///   - limit: nil: as long as it takes.
    ///   - setting: the key of config.toml that `limit` comes from.
    ///   - progress: told what is waited for, every few seconds.
    init(limit: Duration?, setting: String = "", progress: @escaping (String) -> Void) {
        self.limit = limit
        self.setting = setting
        self.progress = progress
    }

    var elapsed: Duration { ContinuousClock.now - startedAt }

    var isOver: Bool { limit.map { elapsed >= $0 } ?? false }

    /// Blocks for a moment. `what` completes "waiting for".
    mutating func goesOn(_ what: String) {
        usleep(20_000)
        guard ContinuousClock.now - saidAt >= Self.silence else { return }
        saidAt = .now
        let bound = limit.map { "; \(setting) is \($0.components.seconds) s" } ?? ""
        progress("waiting for \(what) (\(elapsed.components.seconds) s so far\(bound))")
    }
}

/// One at a time starts a cluster, or makes one: two daemons must not take each other's lock files for leftovers, nor a new
/// one the files that a program of a killed one still writes.
struct StartTurn {
    /// Locked.
    let descriptor: Int32

    /// Blocks until nobody else starts the cluster in `root`, up to the limit of `waiting`.
    init(of root: String, waiting: inout ClusterWait) throws(EmbeddedClusterError) {
        descriptor = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw EmbeddedClusterError(
                code: .directoryUnreachable, message: "\(root) cannot be opened: \(String(cString: strerror(errno)))",
                hint: "Give it to the user who runs Millrace.")
        }
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            guard !waiting.isOver else {
                close(descriptor)
                throw EmbeddedClusterError(
                    code: .startFailed, message: "another daemon or restore is at work in \(root), and does not end",
                    hint: "See what it says in its log, or stop it: fuser -v \(root) names it.")
            }
            waiting.goesOn("another daemon or restore that is at work in \(root)")
        }
    }

    func end() { close(descriptor) }
}
