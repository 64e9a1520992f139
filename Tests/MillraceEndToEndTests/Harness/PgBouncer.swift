import Glibc
import MillracePostgres
import MillraceTestSupport

/// A PgBouncer in front of a cluster. Debian's package `pgbouncer`.
final class PgBouncer {
    private static let path = "/usr/sbin/pgbouncer"

    private let scratch: ScratchDirectory
    let port: Int
    private let process: SpawnedProcess

    /// `mode`: session, transaction or statement. `takesTurns`: server sessions are handed out in turn. `port`: nil for a
    /// free one.
    init(in cluster: TestCluster, mode: String, takesTurns: Bool = false, port: Int? = nil) throws {
        guard access(Self.path, X_OK) == 0 else {
            throw TestSupportError(message: "the tests need \(Self.path): apt-get install pgbouncer")
        }
        scratch = try ScratchDirectory()
        self.port = try port ?? Endpoint.freePort()
        let file = scratch.path + "/pgbouncer.ini"
        try TextFile.write(
            """
            [databases]
            * = host=\(cluster.cluster.socketDirectory) port=5432 user=millrace
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = \(self.port)
            unix_socket_dir =
            auth_type = any
            pool_mode = \(mode)
            server_round_robin = \(takesTurns ? 1 : 0)

            """, to: file)
        // It refuses to be root.
        process = try SpawnedProcess(
            Self.path, (geteuid() == 0 ? ["-u", "postgres"] : []) + [file], mark: scratch.path,
            output: scratch.path + "/log", errors: scratch.path + "/log")
    }

    var log: String { TextFile.read(scratch.path + "/log") }

    func connectionString(database: String) -> String {
        "host=127.0.0.1 port=\(port) user=millrace dbname=\(database)"
    }

    func stop() throws {
        process.signal(SIGKILL)
        try process.waitForExit(within: .seconds(20))
    }
}
