import Glibc
import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// Who serves a Unix socket, as a client sees it. Another user's server takes root to make.
    struct UnixServerTests {
        private static let isRoot = geteuid() == 0

        /// A server of the user nobody at `path`, which notes what it is sent.
        private final class Imposter {
            let heard: String
            private let process: SpawnedProcess

            private static let script = """
                import os, signal, socket, sys
                signal.alarm(120)
                server = socket.socket(socket.AF_UNIX)
                server.bind(sys.argv[1] + '.new')
                os.chmod(sys.argv[1] + '.new', 0o777)
                server.listen()
                os.rename(sys.argv[1] + '.new', sys.argv[1])
                while True:
                    client = server.accept()[0]
                    client.settimeout(1)
                    try:
                        data = client.recv(4096)
                    except OSError:
                        data = b''
                    with open(sys.argv[2], 'ab') as file:
                        file.write(b'[' + data + b']')
                """

            init(at path: String, in scratch: ScratchDirectory) throws {
                heard = scratch.path + "/heard"
                process = try SpawnedProcess(
                    "/usr/bin/setpriv",
                    [
                        "--reuid=nobody", "--regid=nogroup", "--clear-groups", "/usr/bin/python3", "-c",
                        Self.script, path, heard,
                    ],
                    mark: path, output: scratch.path + "/imposter.out", errors: scratch.path + "/imposter.err")
                guard eventually({ access(path, F_OK) == 0 }) else {
                    throw TestSupportError(message: "no imposter: \(TextFile.read(scratch.path + "/imposter.err"))")
                }
            }

            deinit { process.signal(SIGKILL) }

            /// What came over its one connection.
            func waitForWords() -> String {
                _ = eventually { TextFile.read(heard).hasSuffix("]") }
                return TextFile.read(heard)
            }
        }

        @Test(
            .enabled(if: UnixServerTests.isRoot),
            arguments: [["status"], ["latency"], ["send", "FILE", "--to", "SOCKET"]])
        func `a command tells nothing to a socket that a stranger serves`(command: [String]) throws {
            let scratch = try ScratchDirectory()
            chmod(scratch.path, 0o1777)
            let path = scratch.path + "/millrace.sock"
            let imposter = try Imposter(at: path, in: scratch)
            let file = scratch.path + "/events.ndjson"
            try TextFile.write("{\"event_type\":\"secret\"}\n", to: file)
            let arguments = command.map { $0.replacing("FILE", with: file).replacing("SOCKET", with: "unix:\(path)") }
            let run = try CommandRun(
                arguments + ["--set", "http.listen=unix:\(path)", "--set", "database.url=host=/nonexistent"],
                in: scratch)
            #expect(!run.isSuccess)
            #expect((run.output + run.errors).contains("served by the user nobody"), "\(run.output)\(run.errors)")
            #expect(imposter.waitForWords() == "[]")
        }

        @Test func `a daemon's own socket is spoken to`() throws {
            let scratch = try ScratchDirectory()
            let daemon = try DaemonProcess(
                databaseURL: "host=/nonexistent", tcp: .unix(scratch.path + "/tcp.sock"),
                http: .unix(scratch.path + "/http.sock"), scratch: scratch)
            try daemon.start()
            #expect(try daemon.run("latency").isSuccess)
            let file = scratch.path + "/events.ndjson"
            try TextFile.write("{\"event_type\":\"a\"}\n", to: file)
            #expect(try daemon.run("send", file).isSuccess)
            #expect(try daemon.stop() == .status(0))
        }

        @Test(.enabled(if: UnixServerTests.isRoot))
        func `a socket that a stranger put in the place of the embedded PostgreSQL's is refused`() throws {
            let cluster = try TestCluster(isDurable: false)
            let scratch = try ScratchDirectory()
            chmod(scratch.path, 0o1777)
            try cluster.stop()
            let socket = cluster.cluster.socketDirectory
            for path in [cluster.cluster.directory, cluster.cluster.directory + "/postgres", socket] {
                #expect(chmod(path, 0o777) == 0)
            }
            let imposter = try Imposter(at: socket + "/.s.PGSQL.5432", in: scratch)
            let run = try CommandRun(
                ["migrate", "status", "--data-directory", cluster.cluster.directory], in: scratch)
            #expect(!run.isSuccess)
            #expect(run.errors.contains("requirepeer") && run.errors.contains("nobody"), "\(run.errors)")
            #expect(imposter.waitForWords() == "[]")
        }
    }
}
