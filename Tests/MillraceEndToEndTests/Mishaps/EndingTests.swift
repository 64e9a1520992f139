import Glibc
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct EndingTests {
        @Test(arguments: ["tcp.listen", "http.listen"])
        func `a port in use ends the daemon with the reason and a status`(key: String) throws {
            let holder = try Installation("port_holder")
            try holder.daemon.start()
            let database = try TestCluster.shared.database("port_in_use", hasPacks: true)
            let taken = key == "tcp.listen" ? holder.daemon.tcp : holder.daemon.http
            let second = try DaemonProcess(
                databaseURL: database.connectionString, settings: [key: "[\"\(taken)\"]"])
            try second.launch()
            #expect(try second.process.waitForExit(within: .seconds(20)) == .status(1), "\(second.log)")
            let last = try #require(second.log.split(separator: "\n").last)
            #expect(last.contains("ended") && last.contains("\(taken)"), "\(second.log)")
            #expect(!second.log.contains("listening on"), "\(second.log)")
            #expect(try holder.daemon.stop() == .status(0))
        }

        @Test func `an embedded PostgreSQL that ends takes the daemon with it, and the next start brings both back`()
            throws
        {
            let scratch = try ScratchDirectory()
            let data = scratch.path + "/data"
            let daemon = try DaemonProcess(
                databaseURL: nil, settings: ["spool.directory": "\"\""],
                arguments: ["--embedded", "--data-directory", data], scratch: scratch)
            try daemon.start(within: .seconds(120))
            try daemon.waitUntil("/readyz")
            let pid = try #require(
                TextFile.read(data + "/postgres/data/postmaster.pid").split(separator: "\n").first.flatMap {
                    pid_t($0)
                })
            #expect(kill(pid, SIGQUIT) == 0)
            #expect(try daemon.process.waitForExit(within: .seconds(30)) == .status(1), "\(daemon.log)")
            let last = try #require(daemon.log.split(separator: "\n").last)
            #expect(last.contains("embedded PostgreSQL") && last.contains("ended"), "\(daemon.log)")

            try daemon.start(within: .seconds(120))
            try daemon.waitUntil("/readyz")
            #expect(try daemon.stop() == .status(0))
        }
    }
}
