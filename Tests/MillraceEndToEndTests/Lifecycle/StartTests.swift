import Glibc
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct StartTests {
        @Test func `a second daemon on the same spool refuses, and the first goes on`() throws {
            let scratch = try ScratchDirectory()
            let database = try TestCluster.shared.database(hasPacks: true)
            let first = try DaemonProcess(databaseURL: database.connectionString, scratch: scratch)
            let second = try DaemonProcess(databaseURL: database.connectionString, scratch: scratch)
            try first.start()
            try second.launch()
            #expect(try second.process.waitForExit(within: .seconds(20)) == .status(1))
            #expect(second.log.contains(scratch.path + "/spool"), "\(second.log)")
            let answer = try HTTPClient(first.http).postEvents(
                EventFactory(seed: 31).lines(0..<3), query: "?ack=committed")
            #expect(answer.status == 200)
            #expect(try first.stop() == .status(0))
            try second.start()
            #expect(try second.stop() == .status(0))
        }

        @Test(arguments: ["tcp.listen", "http.listen"])
        func `a listener beyond loopback without authentication refuses to start`(key: String) throws {
            let database = try TestCluster.shared.database("beyond_loopback", hasPacks: true)
            let port = try Endpoint.free().description.replacing("127.0.0.1", with: "0.0.0.0")
            let daemon = try DaemonProcess(
                databaseURL: database.connectionString, settings: [key: "[\"\(port)\"]"])
            try daemon.launch()
            let exit = try daemon.process.waitForExit(within: .seconds(20))
            #expect(exit == .status(2))
            #expect(daemon.log.contains(key), "\(daemon.log)")
            let check = try daemon.run("check")
            #expect(!check.isSuccess)
            #expect((check.output + check.errors).contains(key), "\(check.output)\(check.errors)")
        }

        @Test func `Unix sockets serve both intakes, also after a kill left their files`() throws {
            let scratch = try ScratchDirectory()
            let database = try TestCluster.shared.database(hasPacks: true)
            let daemon = try DaemonProcess(
                databaseURL: database.connectionString, tcp: .unix(scratch.path + "/tcp.sock"),
                http: .unix(scratch.path + "/http.sock"), scratch: scratch)
            try daemon.start()
            try daemon.kill()
            try daemon.start()
            let events = EventFactory(seed: 33)
            let client = try TCPClient(daemon.tcp, acks: "committed")
            try client.send(events.lines(0..<10))
            try client.waitForAck(10)
            #expect(
                try HTTPClient(daemon.http).postEvents(events.lines(10..<20), query: "?ack=committed").status == 200)
            #expect(try Auditor(database: database).rows == 20)
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `without its tables a daemon takes events, and writes them once they are there`() throws {
            let database = try TestCluster.shared.database(isMigrated: false)
            let daemon = try DaemonProcess(
                databaseURL: database.connectionString, settings: ["database.retry_max": "\"500ms\""])
            try daemon.start()
            let client = try TCPClient(daemon.tcp, acks: "spooled")
            try client.send(EventFactory(seed: 35).lines(0..<100))
            try client.waitForAck(100)
            #expect(eventually { daemon.log.contains("42P01") })
            #expect(try daemon.run("migrate", "up").isSuccess)
            try Auditor(database: database).waitForRows(100)
            try Auditor(database: database).verify(daemon)
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `a daemon that starts without PostgreSQL takes events, and writes them when it comes`() throws {
            let cluster = try TestCluster(isDurable: false)
            let database = try cluster.database(hasPacks: true)
            try cluster.stop()
            let daemon = try DaemonProcess(databaseURL: database.connectionString)
            try daemon.start()
            let client = try TCPClient(daemon.tcp, acks: "spooled")
            try client.send(EventFactory(seed: 34).lines(0..<100))
            try client.waitForAck(100)
            try cluster.start()
            try Auditor(database: database).waitForRows(100)
            try daemon.waitUntil("/readyz")
            #expect(try daemon.stop() == .status(0))
        }
    }
}
