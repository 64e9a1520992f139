import Glibc
import MillracePostgres
import MillraceTestSupport

/// The processes of a cluster, to be frozen as a stalled disk or a stalled machine would.
struct PostgresProcesses {
    let postmaster: pid_t

    init(of cluster: TestCluster) throws {
        let file = TextFile.read(cluster.cluster.directory + "/postgres/data/postmaster.pid")
        guard let pid = file.split(separator: "\n").first.flatMap({ pid_t($0) }) else {
            throw TestSupportError(message: "PostgreSQL does not run")
        }
        postmaster = pid
    }

    private var all: [pid_t] {
        let children = TextFile.read("/proc/\(postmaster)/task/\(postmaster)/children")
        return [postmaster] + children.split(separator: " ").compactMap { pid_t($0) }
    }

    func freeze() {
        // The postmaster first, so that no child comes after the look.
        kill(postmaster, SIGSTOP)
        for pid in all { kill(pid, SIGSTOP) }
    }

    func thaw() {
        for pid in all.reversed() { kill(pid, SIGCONT) }
    }
}
