package import MillracePostgres
internal import Synchronization

/// A real PostgreSQL for tests: in a scratch directory, or the server of `TEST_DATABASE_URL`. It stops and its files go, or
/// the databases made there do, when the object or the process does, however the process ends.
package final class TestCluster: Sendable {
    private enum Server {
        case own(EmbeddedCluster)
        case given(GivenServer)
    }

    private static let ownResult = Result { try TestCluster(isDurable: false) }
    private static let sharedResult = Result { try GivenServer.named.map(TestCluster.init(given:)) ?? own }

    /// One for the whole test process, started by the first who asks: the server of `TEST_DATABASE_URL` where that is set,
    /// else `own`. Nobody stops it: tests that do have clusters of their own.
    package static var shared: TestCluster {
        get throws { try sharedResult.get() }
    }

    /// One for the whole test process, without fsync: for tests that want its superuser, its socket or its files.
    package static var own: TestCluster {
        get throws { try ownResult.get() }
    }

    private let server: Server
    private let reaper: Reaper
    private let databases = Atomic<Int>(0)

    /// Starts a cluster; `isDurable` turns fsync on, as crash tests want it.
    package init(isDurable: Bool) throws {
        let directory = try ScratchDirectory.make()
        reaper = try Reaper(directory: directory)
        try ClusterTemplate.shared.copy(to: directory, isDurable: isDurable)
        server = .own(EmbeddedCluster(directory: directory, settings: Self.settings(isDurable: isDurable)))
        try start()
    }

    private init(given: GivenServer) throws {
        reaper = try Reaper(databasesOf: given)
        try given.makeTemplates()
        server = .given(given)
    }

    static func settings(isDurable: Bool) -> EmbeddedClusterSettings {
        EmbeddedClusterSettings(isDurable: isDurable, sharedBuffersMiB: 64, sessions: 280)
    }

    /// Not of `shared`, which need not be a cluster of ours.
    package var cluster: EmbeddedCluster {
        guard case .own(let cluster) = server else {
            preconditionFailure("TEST_DATABASE_URL is no cluster of the tests': take TestCluster.own")
        }
        return cluster
    }

    package func start() throws {
        do {
            try cluster.start()
        } catch {
            throw TestSupportError(message: "The tests need a PostgreSQL: \(error)")
        }
    }

    package func stop() throws {
        try cluster.stop(mode: .fast)
    }

    /// As a crash of the server.
    package func stopImmediately() throws {
        try cluster.stop(mode: .immediate)
    }

    /// A new database, migrated unless `isMigrated` is false, without any month. `name` is for reading
    /// `pg_stat_activity`; it need not be unique.
    ///
    /// - Parameter hasPacks: migrated, and the packs that `projections.packs` names by default are installed too.
    package func database(
        _ name: String = #function, isMigrated: Bool = true, hasPacks: Bool = false
    ) throws -> TestDatabase {
        let number = databases.add(1, ordering: .relaxed).newValue
        let letters = name.lowercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" }
        let template: ClusterTemplate.Database = hasPacks ? .packed : isMigrated ? .migrated : .empty
        switch server {
        case .own(let cluster):
            let unique = "test_\(number)_" + String(letters.prefix(40))
            try makeDatabase("\(unique) OWNER millrace TEMPLATE \(template.rawValue)")
            return TestDatabase(name: unique, cluster: cluster)
        case .given(let given):
            let unique = "\(given.prefix)\(number)_" + String(letters.prefix(25))
            try given.makeDatabase(unique, from: template)
            return TestDatabase(name: unique, connectionString: given.connectionString(database: unique))
        }
    }

    /// A template is not copied while an autovacuum worker is in it, which the server waits for no longer than 5 s.
    private func makeDatabase(_ definition: String) throws {
        let session = try superuser()
        for attempt in 1... {
            do {
                try session.execute("CREATE DATABASE \(definition)", timeout: .seconds(120))
                return
            } catch {
                guard error.sqlState?.rawValue == "55006", attempt < 10 else { throw error }
            }
        }
    }

    /// A session of the superuser, in the database `postgres`; of the server of `TEST_DATABASE_URL`, one of its role.
    package func superuser() throws -> PostgresConnection {
        switch server {
        case .own(let cluster): try Self.superuser(of: cluster)
        case .given(let given): try given.connect()
        }
    }

    static func superuser(of cluster: EmbeddedCluster) throws -> PostgresConnection {
        try PostgresConnection(
            connectionString: cluster.connectionString(role: "postgres", database: "postgres"),
            applicationName: "test superuser", connectTimeout: .seconds(30), interrupt: PostgresInterrupt())
    }
}

/// A database of one test.
package struct TestDatabase: Sendable {
    package let name: String
    /// As the daemon connects: by the owner's role, which is no superuser.
    package let connectionString: String

    package init(name: String, connectionString: String) {
        self.name = name
        self.connectionString = connectionString
    }

    init(name: String, cluster: EmbeddedCluster) {
        self.init(name: name, connectionString: cluster.connectionString(role: "millrace", database: name))
    }

    package func connect(
        applicationName: String = "test", interrupt: PostgresInterrupt = PostgresInterrupt()
    ) throws(PostgresError) -> PostgresConnection {
        try PostgresConnection(
            connectionString: connectionString, applicationName: applicationName, connectTimeout: .seconds(30),
            interrupt: interrupt)
    }
}
