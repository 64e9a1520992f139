import MillracePostgres
import MillraceTestSupport
import Testing

/// A daemon that finds the primary wherever it is, and its database there.
struct FailoverPair {
    let cluster: TestCluster
    let standby: TestStandby
    let database: TestDatabase
    let daemon: DaemonProcess

    init(_ name: String, settings: [String: String]) throws {
        cluster = try TestCluster(isDurable: false)
        database = try cluster.database(name, hasPacks: true)
        standby = try TestStandby(of: cluster, name: "reserve")
        var all = [
            "spool.segment_bytes": "\"1MiB\"", "spool.group_bytes": "\"256KiB\"",
            "spool.full_retry": "\"50ms\"",
        ]
        all.merge(settings) { $1 }
        let hosts = "\(cluster.cluster.socketDirectory),\(standby.cluster.socketDirectory)"
        daemon = try DaemonProcess(
            databaseURL:
                "host='\(hosts)' port=5432 user=millrace dbname=\(database.name) target_session_attrs=read-write",
            settings: all)
    }

    /// What is in the standby's database, once it is a primary.
    var afterwards: Auditor { Auditor(database: standby.database(database)) }

    /// Posts in pieces, each committed.
    func post(_ events: EventFactory, _ range: Range<Int>) throws {
        let http = HTTPClient(daemon.http)
        for start in stride(from: range.lowerBound, to: range.upperBound, by: 1000) {
            let lines = events.lines(start..<min(start + 1000, range.upperBound))
            #expect(try http.postEvents(lines, query: "?ack=committed").status == 200)
        }
    }

    /// The primary is gone, the standby takes its place; everything must be there.
    func failOver(expecting rows: Int) throws {
        try standby.promote()
        try afterwards.waitForRows(rows)
        #expect(try afterwards.rows == rows)
        try afterwards.verify(daemon)
        #expect(try daemon.stop() == .status(0))
    }
}
