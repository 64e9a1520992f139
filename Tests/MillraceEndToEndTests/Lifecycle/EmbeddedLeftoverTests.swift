import Glibc
import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// What a server that was killed leaves behind, and what the next start of the daemon makes of it.
    final class EmbeddedLeftoverTests {
        private let daemon: DaemonProcess
        private let cluster: EmbeddedCluster
        private let data: String
        private var socket: String { cluster.socketDirectory + "/.s.PGSQL.5432" }

        init() throws {
            let scratch = try ScratchDirectory()
            cluster = EmbeddedCluster(directory: scratch.path + "/data")
            data = cluster.directory + "/postgres/data"
            daemon = try DaemonProcess(
                databaseURL: nil, settings: ["spool.directory": "\"\"", "embedded.shared_buffers": "\"16MiB\""],
                arguments: ["--embedded", "--data-directory", scratch.path + "/data"], scratch: scratch)
            try daemon.start(within: .seconds(120))
            try daemon.waitUntil("/readyz")
            // What an operator may, too: starts after a crash take seconds otherwise.
            let settings = data + "/postgresql.conf"
            try TextFile.write(TextFile.read(settings) + "recovery_init_sync_method = syncfs\n", to: settings)
        }

        deinit { try? cluster.stop(mode: .immediate) }

        private var serverPID: pid_t {
            get throws {
                let first = TextFile.read(data + "/postmaster.pid").split(separator: "\n").first
                return try #require(first.flatMap { pid_t($0) })
            }
        }

        private func commitAnEvent() throws {
            let client = try TCPClient(daemon.tcp, acks: "committed")
            try client.send(DoorRequest.event)
            try client.waitForAck(1)
        }

        /// SIGKILL for daemon and server.
        private func crash() throws {
            let server = try serverPID
            try daemon.kill()
            kill(server, SIGKILL)
        }

        /// Puts `text` into a lock file, as the server's user.
        private func write(_ text: String, to path: String) throws {
            let directory = try #require(FileStatus(data))
            try TextFile.write(text, to: path)
            chown(path, directory.owner, directory.group)
        }

        /// A program of the server's user, which is no server.
        private func stranger() throws -> SpawnedProcess {
            let isRoot = geteuid() == 0
            let account = ["--reuid=postgres", "--regid=postgres", "--clear-groups", "/bin/sleep", "86399"]
            return try SpawnedProcess(
                isRoot ? "/usr/bin/setpriv" : "/bin/sleep", isRoot ? account : ["86399"], mark: "86399",
                output: "/dev/null", errors: "/dev/null")
        }

        @Test func `a server that a killed daemon has left is used on`() throws {
            try commitAnEvent()
            let server = try serverPID
            try daemon.kill()
            try daemon.start()
            try daemon.waitUntil("/readyz")
            #expect(daemon.log.contains("runs already, as process \(server)"))
            #expect(try serverPID == server)
            try commitAnEvent()
            #expect(try daemon.stop() == .status(0))
        }

        @Test(.startsFirst) func `lock files that were left over, whatever is in them, are removed and told of`() throws
        {
            let stranger = try stranger()
            let neighbour = try PostgresProcesses(of: TestCluster.shared).postmaster
            let behind = TextFile.read(data + "/postmaster.pid").drop { $0 != "\n" }
            let texts =
                [stranger.pid, neighbour, getpid()].map { "\($0)\(behind)" } + ["", "\n", "garbage", "-5\n", "0\n"]
            for (round, text) in texts.enumerated() {
                try crash()
                try write(text, to: data + "/postmaster.pid")
                try write(text, to: socket + ".lock")
                try daemon.start(within: .seconds(120))
                try daemon.waitUntil("/readyz")
                try commitAnEvent()
                #expect(daemon.log.split(separator: "removing \(data)/postmaster.pid").count == round + 2)
                #expect(daemon.log.split(separator: "removing \(socket).lock").count == round + 2)
            }
            #expect(daemon.log.contains("process \(stranger.pid), which it names, is another program"))
            #expect(stranger.isRunning)
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `a server that is still shutting down is waited for, and it is said what for`() throws {
            var session: PostgresConnection? = try PostgresConnection(
                connectionString: cluster.connectionString, applicationName: "test", connectTimeout: .seconds(10),
                interrupt: PostgresInterrupt())
            try session?.execute("SELECT 1")
            let server = try serverPID
            try daemon.kill()
            // It takes no new sessions, and ends once the open one does.
            kill(server, SIGTERM)
            try daemon.launch()
            #expect(
                eventually {
                    daemon.log.contains(
                        "waiting for PostgreSQL to answer; it says: the database system is shutting down")
                })
            session = nil
            try daemon.waitUntil("/readyz")
            #expect(try serverPID != server)
            try commitAnEvent()
            #expect(try daemon.stop() == .status(0))
        }
    }
}
