package import MillracePostgres

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
