import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// Which of a cluster's nodes is written to.
    struct CitusNodeTests {
        @Test func `a worker is passed over for the coordinator, and refused where it is alone`() throws {
            let (coordinator, worker) = (try TestCluster(isDurable: false), try TestCluster(isDurable: false))
            let database = try coordinator.database("nodes", hasPacks: true)
            try worker.superuser().execute("CREATE DATABASE \(database.name) OWNER millrace")
            let twin = TestDatabase(
                name: database.name,
                connectionString: worker.cluster.connectionString(role: "millrace", database: database.name))
            for (cluster, place, group) in [(coordinator, database, 0), (worker, twin, 1)] {
                let stub = CitusStub(cluster: cluster, database: place)
                try stub.install()
                try stub.superuser().execute("UPDATE pg_catalog.pg_dist_local_group SET groupid = \(group)")
            }
            let hosts = "\(worker.cluster.socketDirectory),\(coordinator.cluster.socketDirectory)"
            let daemon = try DaemonProcess(
                databaseURL: "host='\(hosts)' port=5432 user=millrace dbname=\(database.name)")
            try daemon.start()
            let events = EventFactory(seed: 1941)
            #expect(try HTTPClient(daemon.http).postEvents(events.lines(0..<50), query: "?ack=committed").status == 200)
            #expect(try Auditor(database: database).rows == 50)
            #expect(daemon.log.contains("server passed over") && daemon.log.contains("a worker of a Citus cluster"))
            try Auditor(database: database).verify(daemon)
            #expect(try daemon.stop() == .status(0))

            let alone = try DaemonProcess(databaseURL: twin.connectionString)
            let migration = try alone.run("migrate", "up")
            #expect(migration.exit == .status(1) && migration.errors.contains("a worker of a Citus cluster"))
            #expect(migration.errors.contains("coordinator in database.url"), "\(migration.errors)")
            try alone.start()
            let isTold = eventually {
                alone.log.contains("database refuses the daemon") && alone.log.contains("a worker of a Citus cluster")
            }
            #expect(isTold, "\(alone.log.suffix(2000))")
            #expect(try alone.stop() == .status(0))
            let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
            #expect(try Auditor(database: twin).integer(tables) == 0)
        }
    }
}
