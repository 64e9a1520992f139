internal import Glibc

/// One at a time starts a cluster: two daemons must not take each other's lock files for leftovers.
struct StartTurn {
    private let descriptor: Int32

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
                    code: .startFailed, message: "another daemon is starting PostgreSQL in \(root), and does not end",
                    hint: "See what it says in its log, or stop it.")
            }
            waiting.goesOn("another daemon that starts PostgreSQL in \(root)")
        }
    }

    func end() { close(descriptor) }
}
