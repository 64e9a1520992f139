package import MillracePostgres
internal import Synchronization

/// A real PostgreSQL for tests, in a scratch directory. It stops and its files go when the object or the process does,
/// however the process ends.
package final class TestCluster: Sendable {
    private static let sharedResult = Result { try TestCluster(isDurable: false) }

    /// One for the whole test process, started by the first who asks, without fsync. Nobody stops it: tests that do
    /// have clusters of their own.
    package static var shared: TestCluster {
        get throws { try sharedResult.get() }
    }

    package let cluster: EmbeddedCluster
    private let reaper: Reaper
    private let databases = Atomic<Int>(0)

    /// Starts a cluster; `isDurable` turns fsync on, as crash tests want it.
    package init(isDurable: Bool) throws {
        let directory = try ScratchDirectory.make()
        reaper = try Reaper(directory: directory)
        try ClusterTemplate.shared.copy(to: directory, isDurable: isDurable)
        cluster = EmbeddedCluster(directory: directory, settings: Self.settings(isDurable: isDurable))
        try start()
    }

    static func settings(isDurable: Bool) -> EmbeddedClusterSettings {
        EmbeddedClusterSettings(isDurable: isDurable, sharedBuffersMiB: 64, sessions: 280)
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
        let unique = "test_\(number)_" + String(letters.prefix(40))
        let template: ClusterTemplate.Database = hasPacks ? .packed : isMigrated ? .migrated : .empty
        try superuser().execute(
            "CREATE DATABASE \(unique) OWNER millrace TEMPLATE \(template.rawValue)", timeout: .seconds(120))
        return TestDatabase(name: unique, cluster: cluster)
    }

    /// A session of the superuser, in the database `postgres`.
    package func superuser() throws -> PostgresConnection {
        try Self.superuser(of: cluster)
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
    private let cluster: EmbeddedCluster

    init(name: String, cluster: EmbeddedCluster) {
        self.name = name
        self.cluster = cluster
    }

    /// As the daemon connects: by the owner's role, which is no superuser.
    package var connectionString: String { cluster.connectionString(role: "millrace", database: name) }

    package func connect(
        applicationName: String = "test", interrupt: PostgresInterrupt = PostgresInterrupt()
    ) throws(PostgresError) -> PostgresConnection {
        try PostgresConnection(
            connectionString: connectionString, applicationName: applicationName, connectTimeout: .seconds(30),
            interrupt: interrupt)
    }
}
