internal import Glibc
internal import MillraceConfiguration
package import MillracePostgres
internal import MillraceProjections
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
    private let state = Mutex(State())

    private struct State {
        var hasTemplate = false
        var databases = 0
    }

    /// Starts a cluster; `isDurable` turns fsync on, as crash tests want it.
    package init(isDurable: Bool) throws {
        let directory = try ScratchDirectory.make()
        reaper = try Reaper(directory: directory)
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
    /// - Parameter hasPacks: the packs that `projections.packs` names by default are installed too, as by `migrate up`.
    package func database(
        _ name: String = #function, isMigrated: Bool = true, hasPacks: Bool = false
    ) throws -> TestDatabase {
        let database = try empty(name, isMigrated: isMigrated)
        if hasPacks {
            let packs = try PackLoader().load(DaemonConfiguration().projections.packs)
            try PackInstaller(connection: database.connect()).install(packs)
        }
        return database
    }

    private func empty(_ name: String, isMigrated: Bool) throws -> TestDatabase {
        try state.withLock { state in
            if isMigrated, !state.hasTemplate {
                try create("millrace_template", from: "template0")
                try Migrator(connection: TestDatabase(name: "millrace_template", cluster: cluster).connect()).up()
                state.hasTemplate = true
            }
            state.databases += 1
            let letters = name.lowercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" }
            let unique = "test_\(state.databases)_" + String(letters.prefix(40))
            try create(unique, from: isMigrated ? "millrace_template" : "template0")
            return TestDatabase(name: unique, cluster: cluster)
        }
    }

    /// A session of the superuser, in the database `postgres`.
    package func superuser() throws -> PostgresConnection {
        try PostgresConnection(
            connectionString: cluster.connectionString(role: "postgres", database: "postgres"),
            applicationName: "test superuser", connectTimeout: .seconds(30), interrupt: PostgresInterrupt())
    }

    private func create(_ name: String, from template: String) throws {
        try superuser().execute(
            "CREATE DATABASE \(name) OWNER millrace TEMPLATE \(template)", timeout: .seconds(120))
    }
}
