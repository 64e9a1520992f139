internal import Glibc
package import MillracePostgres

/// A streaming standby of a `TestCluster`, on a Unix socket of its own; goes with the object, or with the process.
package final class TestStandby: Sendable {
    /// Its `application_name` on the primary.
    package let name: String
    package let cluster: EmbeddedCluster
    private let reaper: Reaper

    /// Copies the primary and starts; returns once it streams.
    package init(of primary: TestCluster, name: String) throws {
        let directory = try ScratchDirectory.make()
        reaper = try Reaper(directory: directory)
        self.name = name
        // A standby does not start with room for fewer sessions than its primary.
        cluster = EmbeddedCluster(directory: directory, settings: TestCluster.settings(isDurable: true))
        let installation = try PostgresInstallation.find(major: nil)
        let source = "host=\(primary.cluster.socketDirectory) port=5432 user=postgres application_name=\(name)"
        try Self.shell(
            """
            mkdir -m 0700 '\(directory)/postgres'
            copy="'\(installation.binaries)/pg_basebackup' -d '\(source)' -D '\(directory)/postgres/data' -R -c fast"
            cd /
            if [ "$(id -u)" = 0 ]; then
                chown postgres: '\(directory)/postgres'
                exec runuser -u postgres -- sh -c "$copy"
            fi
            exec sh -c "$copy"
            """)
        try cluster.start()
        let isAttached = try eventually(within: .seconds(60)) { try primary.replication(of: name) != nil }
        guard isAttached else { throw TestSupportError(message: "the standby \(name) does not stream") }
    }

    /// A database of the primary, as it is here.
    package func database(_ database: TestDatabase) -> TestDatabase {
        TestDatabase(name: database.name, cluster: cluster)
    }

    /// A session of the superuser, in the database `postgres`.
    package func superuser() throws -> PostgresConnection {
        try TestCluster.superuser(of: cluster)
    }

    /// Gets nothing more from the primary from now on; returns once it has let go of it.
    package func detach(from primary: TestCluster) throws {
        let connection = try superuser()
        try connection.execute("ALTER SYSTEM SET primary_conninfo = ''")
        try connection.execute("SELECT pg_reload_conf()")
        let isDetached = try eventually(within: .seconds(60)) { try primary.replication(of: name) == nil }
        guard isDetached else { throw TestSupportError(message: "the standby \(name) goes on streaming") }
    }

    /// Makes it a primary; returns once it takes writes.
    package func promote() throws {
        try superuser().execute("SELECT pg_promote(true, 60)", timeout: .seconds(70))
    }

    private static func shell(_ script: String) throws {
        guard system(script) == 0 else { throw TestSupportError(message: "no standby could be made by: \(script)") }
    }
}

extension TestCluster {
    /// Bytes of log that the standby `name` has received and not replayed; nil when it is not attached.
    package func replication(of name: String) throws -> Int? {
        try superuser().query(
            """
            SELECT COALESCE(pg_wal_lsn_diff(flush_lsn, replay_lsn), 0)::bigint
            FROM pg_stat_replication
            WHERE application_name = $1 AND state = 'streaming'
            """, parameters: [.text(name)]
        ).optionalInt
    }
}

extension PostgresResult {
    fileprivate var optionalInt: Int? { rowCount > 0 ? int(0, 0) : nil }
}
