import FoundationEssentials
import Glibc
import MillracePostgres
import MillraceTestSupport
import Testing

@Suite(.onOwnThreads) struct EmbeddedClusterTests {
    private let scratch: ScratchDirectory
    private let settings = EmbeddedClusterSettings(isDurable: false, sharedBuffersMiB: 16)

    init() throws {
        scratch = try ScratchDirectory()
    }

    private func identity(_ cluster: EmbeddedCluster) throws -> ServerIdentity {
        try PostgresConnection(
            connectionString: cluster.connectionString, applicationName: "test", connectTimeout: .seconds(10),
            interrupt: PostgresInterrupt()
        ).serverIdentity()
    }

    @Test func `a cluster is made, used again while it runs, stopped, and started with its data`() throws {
        let cluster = EmbeddedCluster(directory: scratch.path, settings: settings)
        defer { try? cluster.stop(mode: .immediate) }
        var steps: [String] = []
        try cluster.start { steps.append($0) }
        #expect(steps.count == 2)
        let first = try identity(cluster)

        steps = []
        try EmbeddedCluster(directory: scratch.path, settings: settings).start { steps.append($0) }
        #expect(steps.count == 1 && steps[0].contains("runs already"))
        #expect(try identity(cluster) == first)

        try cluster.stop()
        try cluster.stop()
        #expect(throws: PostgresError.self) { try identity(cluster) }
        try cluster.start()
        let second = try identity(cluster)
        #expect(second.systemIdentifier == first.systemIdentifier)
        #expect(second != first, "another life of the server is told apart by its start time")
    }

    @Test func `what the configuration wants of the server is in force from its next start`() throws {
        func settings(_ buffers: Int, _ sessions: Int) throws -> String {
            let settings = EmbeddedClusterSettings(isDurable: false, sharedBuffersMiB: buffers, sessions: sessions)
            let cluster = EmbeddedCluster(directory: scratch.path, settings: settings)
            try cluster.start()
            defer { try? cluster.stop() }
            let answer = try PostgresConnection(
                connectionString: cluster.connectionString, applicationName: "test", connectTimeout: .seconds(10),
                interrupt: PostgresInterrupt()
            ).execute("SELECT current_setting('shared_buffers') || ' ' || current_setting('max_connections')")
            return answer.string(0, 0) ?? ""
        }
        #expect(try settings(16, 10) == "16MB 60")
        #expect(try settings(24, 90) == "24MB 110")
    }

    @Test func `a cluster that crashed recovers at the next start`() throws {
        let cluster = EmbeddedCluster(directory: scratch.path, settings: settings)
        defer { try? cluster.stop(mode: .immediate) }
        try cluster.start()
        try cluster.stop(mode: .immediate)
        try cluster.start()
        #expect(try identity(cluster).timeline == 1)
    }

    @Test func `a server that was killed is started again`() throws {
        let cluster = EmbeddedCluster(directory: scratch.path, settings: settings)
        defer { try? cluster.stop(mode: .immediate) }
        try cluster.start()
        let file = FileManager.default.contents(atPath: scratch.path + "/postgres/data/postmaster.pid")
        let server = try #require(pid_t(String(decoding: file ?? Data(), as: UTF8.self).prefix { $0.isNumber }))
        let session = try PostgresConnection(
            connectionString: cluster.connectionString, applicationName: "test", connectTimeout: .seconds(10),
            interrupt: PostgresInterrupt())
        kill(server, SIGKILL)
        try cluster.start()
        #expect(throws: PostgresError.self) { try session.execute("SELECT 1") }
        #expect(try identity(cluster).timeline == 1)
    }

    @Test func `a durable cluster of a test crashes and comes back with what was committed`() throws {
        let cluster = try TestCluster(isDurable: true)
        let database = try cluster.database()
        try Partitions(connection: database.connect()).ensureAhead(months: 0, from: 0)
        try cluster.stopImmediately()
        #expect(throws: PostgresError.self) { try database.connect() }
        try cluster.start()
        try #expect(Partitions(connection: database.connect()).list().count == 2)
    }

    @Test func `a directory too deep for a socket puts the socket into the temporary directory`() throws {
        let deep = scratch.path + "/" + String(repeating: "d", count: 90)
        mkdir(deep, 0o755)
        let cluster = EmbeddedCluster(directory: deep, settings: settings)
        defer {
            try? cluster.stop(mode: .immediate)
            rmdir(cluster.socketDirectory)
        }
        #expect(cluster.socketDirectory.hasPrefix("/tmp/millrace-"))
        try cluster.start()
        #expect(try identity(cluster).timeline == 1)
    }

    @Test func `the daemon's role owns its database and is no superuser, and nothing listens on TCP`() throws {
        let cluster = try TestCluster.own.cluster
        let connection = try PostgresConnection(
            connectionString: cluster.connectionString, applicationName: "test", connectTimeout: .seconds(10),
            interrupt: PostgresInterrupt())
        let result = try connection.execute(
            """
            SELECT rolsuper, current_database(), current_setting('listen_addresses'), datdba::regrole::text
            FROM pg_roles, pg_database
            WHERE rolname = current_user AND datname = current_database()
            """)
        #expect(result.bool(0, 0) == false)
        #expect(result.string(0, 1) == "millrace" && result.string(0, 2) == "" && result.string(0, 3) == "millrace")
    }

    @Test func `only the server's user may enter the socket's directory`() throws {
        let directory = try TestCluster.own.cluster.socketDirectory
        #expect(FileStatus(directory).map { $0.permissions & 0o777 } == 0o700)
    }

    @Test(.enabled(if: geteuid() == 0, "only root starts the server as another user"))
    func `a directory that the server's user may not enter is named with the fix`() throws {
        let closed = scratch.path + "/closed"
        mkdir(closed, 0o700)
        mkdir(closed + "/data", 0o755)
        let error = try #require(throws: EmbeddedClusterError.self) {
            try EmbeddedCluster(directory: closed + "/data", settings: settings).start()
        }
        #expect(error.code == .directoryUnreachable)
        #expect(error.hint.contains("chmod o+x \(closed)"))
    }

    @Test func `data of another major version is named, not touched`() throws {
        let cluster = EmbeddedCluster(directory: scratch.path, settings: settings)
        mkdir(scratch.path + "/postgres", 0o755)
        mkdir(scratch.path + "/postgres/data", 0o700)
        let file = open(scratch.path + "/postgres/data/PG_VERSION", O_CREAT | O_WRONLY | O_CLOEXEC, 0o600)
        write(file, "9\n", 2)
        close(file)
        let error = try #require(throws: EmbeddedClusterError.self) { try cluster.start() }
        #expect(error.code == .versionMismatch)
    }
}
