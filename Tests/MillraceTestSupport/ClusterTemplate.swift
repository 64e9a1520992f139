internal import Glibc
internal import MillraceConfiguration
internal import MillracePostgres
internal import MillraceProjections

/// A stopped cluster whose copies the tests start: initdb, the migrations and the packs take seconds, a copy takes none.
/// Made once for the test process, and gone with it.
struct ClusterTemplate: Sendable {
    /// Databases to make others from.
    enum Database: String {
        case empty = "template0"
        case migrated = "millrace_template"
        /// Migrated, with the packs that `projections.packs` names by default, as by `migrate up`.
        case packed = "millrace_template_packs"
    }

    private static let result = Result { try ClusterTemplate() }

    static var shared: ClusterTemplate {
        get throws { try result.get() }
    }

    private let directory: String
    private let reaper: Reaper

    private init() throws {
        directory = try ScratchDirectory.make()
        reaper = try Reaper(directory: directory)
        let cluster = EmbeddedCluster(directory: directory, settings: TestCluster.settings(isDurable: false))
        try cluster.start()
        let superuser = try TestCluster.superuser(of: cluster)
        func create(_ database: Database, from template: Database) throws -> PostgresConnection {
            // Not by the log, which would be copied each time.
            try superuser.execute(
                "CREATE DATABASE \(database.rawValue) OWNER millrace TEMPLATE \(template.rawValue) STRATEGY file_copy",
                timeout: .seconds(120))
            return try TestDatabase(name: database.rawValue, cluster: cluster).connect()
        }
        do {
            let migrated = try create(.migrated, from: .empty)
            try Migrator(connection: migrated).up()
            try Self.settleSequences(migrated)
        }
        do {
            let packed = try create(.packed, from: .migrated)
            try PackInstaller(connection: packed).install(PackLoader().load(DaemonConfiguration().projections.packs))
            try Self.settleSequences(packed)
        }
        try cluster.stop(mode: .fast)
    }

    /// A sequence logs 32 values ahead, in the log of its own database: a copy by the log (`CREATE DATABASE … TEMPLATE`) would
    /// give out what is left of them without a record, and once more after a crash.
    private static func settleSequences(_ connection: PostgresConnection) throws(PostgresError) {
        try connection.execute(
            """
            SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, last_value)
            FROM pg_sequences
            WHERE last_value IS NOT NULL
            """)
    }

    /// Makes `target/postgres`, to be started with a cluster of the directory `target`.
    ///
    /// - Parameter isDurable: fsync is on, as crash tests want it.
    func copy(to target: String, isDurable: Bool) throws {
        var settings = "log_directory = '\(target)/postgres/log'\n"
        // A start after a crash syncs what lies there: file by file that takes seconds.
        if isDurable {
            settings += """
                fsync = on
                full_page_writes = on
                synchronous_commit = on
                recovery_init_sync_method = syncfs

                """
        }
        // The last word of a setting counts. The server's owner stays the one who may read the file.
        let script = """
            cp -a --reflink=auto '\(directory)/postgres' '\(target)/postgres' &&
            printf '%s' "\(settings)" >> '\(target)/postgres/data/postgresql.conf'
            """
        guard system(script) == 0 else { throw TestSupportError(message: "no cluster could be made by: \(script)") }
    }
}
