import Glibc
import MillracePostgres
import MillraceTestSupport
import Testing

/// Nothing waits for ever: what the server does when it hangs, and what an interrupt does.
@Suite(.onOwnThreads) struct PostgresWaitTests {
    @Test func `a statement that takes longer than its limit ends, and its session with it`() throws {
        let connection = try TestCluster.shared.database(isMigrated: false).connect()
        let error = try #require(throws: PostgresError.self) {
            try connection.execute("SELECT pg_sleep(60)", timeout: .milliseconds(100))
        }
        #expect(error.code == .timedOut && error.isRetryable)
        #expect(!connection.isUsable)
    }

    @Test func `the server ends what a session left behind was doing`() throws {
        let database = try TestCluster.shared.database(isMigrated: false)
        let connection = try database.connect()
        #expect(throws: PostgresError.self) {
            try connection.execute("SELECT pg_sleep(600)", timeout: .milliseconds(50))
        }
        let other = try database.connect()
        #expect(
            try eventually {
                try other.query(
                    "SELECT 1 FROM pg_stat_activity WHERE pid = $1", parameters: [.integer(connection.backendID)]
                ).rowCount == 0
            })
    }

    @Test func `an interrupt ends a wait at once, and each one after it until it is reset`() throws {
        let database = try TestCluster.shared.database(isMigrated: false)
        let interrupt = PostgresInterrupt()
        let connection = try database.connect(interrupt: interrupt)
        let observer = BackgroundThread {
            let other = try database.connect()
            _ = try eventually {
                try other.execute(
                    """
                    SELECT FROM pg_stat_activity
                    WHERE datname = current_database() AND query LIKE 'SELECT pg_sleep%'
                    """
                ).rowCount == 1
            }
            interrupt.raise()
        }
        let error = try #require(throws: PostgresError.self) {
            try connection.execute("SELECT pg_sleep(600)", timeout: .seconds(600))
        }
        #expect(error.code == .interrupted && error.isRetryable)
        try observer.join()
        #expect(throws: PostgresError.self) { try database.connect(interrupt: interrupt) }
        #expect(throws: PostgresError.self) { try interrupt.pause(for: .seconds(600)) }
        interrupt.reset()
        try #expect(database.connect(interrupt: interrupt).execute("SELECT 1").int(0, 0) == 1)
    }

    @Test func `a server process that is stopped amid a COPY costs no more than the limit`() throws {
        let connection = try TestCluster.shared.database(isMigrated: false).connect()
        try connection.execute("CREATE TABLE t (line text)")
        let rows = [UInt8](repeating: UInt8(ascii: "x"), count: 999) + [UInt8(ascii: "\n")]
        kill(connection.backendID, SIGSTOP)
        defer { kill(connection.backendID, SIGCONT) }
        let error = try #require(throws: PostgresError.self) {
            try connection.copyIn("COPY t FROM STDIN", format: .text, timeout: .milliseconds(300)) {
                (writer) throws(PostgresError) in
                while true { try writer.write(rows) }
            }
        }
        #expect(error.code == .timedOut)
        #expect(!connection.isUsable)
    }

    @Test func `a server that accepts and says nothing costs no more than the connect limit`() throws {
        let listener = try SilentListener()
        let error = try #require(throws: PostgresError.self) {
            try connect("host=127.0.0.1 port=\(listener.port) user=a dbname=b sslmode=disable")
        }
        #expect(error.code == .timedOut && error.isRetryable)
    }

    @Test func `a port where nobody listens is a failed connection to try again`() throws {
        let error = try #require(throws: PostgresError.self) {
            try connect("postgresql://a:secret@127.0.0.1:1/b")
        }
        #expect(error.code == .connectionFailed && error.category == .retry)
        #expect(!error.description.contains("secret"))
    }

    @Test func `a database or a role that is not there stops, with its SQLSTATE`() throws {
        let cluster = try TestCluster.own.cluster
        let noDatabase = try #require(throws: PostgresError.self) {
            try connect(cluster.connectionString(role: "millrace", database: "absent"))
        }
        #expect(noDatabase.sqlState?.rawValue == "3D000" && noDatabase.category == .stop, "\(noDatabase)")
        let noRole = try #require(throws: PostgresError.self) {
            try connect(cluster.connectionString(role: "nobody_here", database: "millrace"))
        }
        #expect(noRole.sqlState?.rawValue == "28000" && noRole.category == .stop, "\(noRole)")
    }

    @Test(arguments: [
        "postgresql://u:secret@[broken/db", "host=h passw0rd=secret", "secret", "postgresql://u:very@secret@h/db",
    ])
    func `a connection string that cannot be parsed is not repeated`(text: String) throws {
        let error = try #require(throws: PostgresError.self) { try connect(text) }
        #expect(error.message.hasPrefix("the connection string cannot be parsed: "))
        #expect(!error.description.contains("secret"))
    }

    private func connect(_ connectionString: String) throws(PostgresError) {
        let connection = try PostgresConnection(
            connectionString: connectionString, applicationName: "test", connectTimeout: .milliseconds(500),
            interrupt: PostgresInterrupt())
        connection.close()
    }
}
