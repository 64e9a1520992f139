import MillracePostgres
import MillraceTestSupport

/// A daemon on a database of its own.
struct Installation {
    let cluster: TestCluster
    let database: TestDatabase
    let daemon: DaemonProcess

    var auditor: Auditor { Auditor(database: database) }

    /// `cluster`: nil for the one that nobody stops. `databaseURL`: how the daemon reaches the database, when it is not
    /// straight.
    init(
        _ name: String = #function, cluster: TestCluster? = nil, settings: [String: String] = [:],
        environment: [String: String] = [:], tcp: Endpoint? = nil, http: Endpoint? = nil, filesMax: Int? = nil,
        databaseURL: (TestDatabase) -> String = { $0.connectionString }
    ) throws {
        self.cluster = try cluster ?? .shared
        database = try self.cluster.database(name, hasPacks: true)
        daemon = try DaemonProcess(
            databaseURL: databaseURL(database), settings: settings, environment: environment,
            tcp: tcp, http: http, filesMax: filesMax)
    }
}
