import FoundationEssentials
import MillraceEvent
import MillracePostgres
import MillraceTestSupport

/// A daemon that tells a stall soon and tries again soon, with what the tests of this folder do to its database.
struct Mishap {
    let installation: Installation
    var daemon: DaemonProcess { installation.daemon }
    var auditor: Auditor { installation.auditor }

    /// `cluster`: nil for the one that nobody stops.
    init(_ name: String = #function, cluster: TestCluster? = nil, settings: [String: String] = [:]) throws {
        installation = try Installation(
            name, cluster: cluster,
            settings: [
                "database.stall_after": "\"500ms\"", "database.retry_min": "\"20ms\"",
                "database.retry_max": "\"200ms\"",
                "database.batch_lock_timeout": "\"200ms\"",
            ].merging(settings) { $1 })
        try daemon.start()
        try daemon.waitUntil("/readyz")
        try awaitMonths()
    }

    /// This month's table is there as soon as the daemon has made it.
    private func awaitMonths() throws {
        let isThere = try eventually {
            try auditor.integer(
                "SELECT count(*) FROM pg_inherits WHERE inhparent = 'public.analytics_events'::regclass") > 3
        }
        guard isThere else { throw TestSupportError(message: "no months") }
    }

    func execute(_ sql: String) throws {
        try installation.database.connect().execute(sql)
    }

    /// As the superuser, in the daemon's database.
    func administer(_ sql: String) throws {
        try PostgresConnection(
            connectionString: installation.cluster.cluster.connectionString(
                role: "postgres", database: installation.database.name),
            applicationName: "test", connectTimeout: .seconds(30), interrupt: PostgresInterrupt()
        ).execute(sql)
    }

    /// A row trigger whose body is `body` (PL/pgSQL between BEGIN and END).
    func makeTrigger(on table: String, _ body: String) throws {
        try execute(
            """
            CREATE FUNCTION public.mishap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \(body) END $$;
            CREATE TRIGGER mishap BEFORE INSERT ON \(table) FOR EACH ROW EXECUTE FUNCTION public.mishap()
            """)
    }

    /// Sends events of one type; waits until they are in the tables when asked to.
    @discardableResult
    func post(_ lines: [String], isAwaited: Bool = false) throws -> HTTPResponse {
        try HTTPClient(daemon.http).postEvents(
            Array((lines.joined(separator: "\n") + "\n").utf8), query: isAwaited ? "?ack=committed" : "",
            within: .seconds(30))
    }

    /// Waits until `/readyz` says that nothing is written, for a reason that holds `text`.
    func waitForStall(_ text: String, isTotal: Bool = true) throws {
        var last: Readiness?
        let isTold = eventually {
            last = try? Readiness.of(daemon)
            return last?.writing == !isTotal && last?.reason?.contains(text) == true
        }
        guard isTold else {
            throw TestSupportError(
                message: "no stall with \"\(text)\": \(String(describing: last))\n\(daemon.log.suffix(2000))")
        }
    }

    /// Waits until `/readyz` says that all is written.
    func waitForHealth() throws {
        guard eventually(within: .seconds(20), { (try? Readiness.of(daemon)) == Readiness(status: 200, writing: true) })
        else { throw TestSupportError(message: "not well: \(try Readiness.of(daemon))\n\(daemon.log.suffix(2000))") }
    }

    static func event(_ type: String, payload: String = "{}", _ members: String = "") -> String {
        #"{"event_type":"\#(type)","payload":\#(payload)\#(members)}"#
    }

    static func events(_ count: Int, _ type: String = "good") -> [String] {
        (0..<count).map { event(type, payload: #"{"n":\#($0)}"#) }
    }

    /// This month, and others counted from it.
    static func month(_ offset: Int = 0) throws -> PartitionMonth {
        guard let month = PartitionMonth(microseconds: Timestamp.now.microseconds) else {
            throw TestSupportError(message: "no month")
        }
        return month.advanced(by: offset)
    }

    static func leaf(_ offset: Int = 0) throws -> String {
        "public." + PartitionedTable.analyticsEvents.partitionName(try month(offset))
    }

    /// Of a month counted from this one.
    static func event(in offset: Int, _ type: String = "late") throws -> String {
        let time = try month(offset).lowerBound.replacing(" 00:00:00+00", with: "T00:00:07Z")
        return event(type, #","created_at":"\#(time)","id":"\#(UniqueID.random())""#)
    }
}

/// What `/readyz` says about writing.
struct Readiness: Equatable {
    private struct Body: Decodable {
        var writing: Bool
        var reason: String?
        var since: String?
    }

    var status: Int
    var writing: Bool
    var reason: String?
    var since: String?

    static func of(_ daemon: DaemonProcess) throws -> Readiness {
        let response = try HTTPClient.get("/readyz", at: daemon.http)
        let body = try JSONDecoder().decode(Body.self, from: Data(response.body))
        return Readiness(status: response.status, writing: body.writing, reason: body.reason, since: body.since)
    }
}
