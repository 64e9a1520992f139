internal import MillraceConsole
internal import MillraceEvent
internal import MillracePostgres

/// What `millrace status --all` tells: every daemon of the database.
struct DaemonsReport: Encodable {
    struct Daemon: Encodable {
        var spoolId: String
        var host: String
        var version: String
        var pid: Int
        /// here, silent, stopped or away.
        var state: String
        /// RFC 3339; since when it is not here.
        var awaySince: String?
        var startedAt: String
        var seenAt: String
        /// The sequence after the last durable line, and the one before which all are in the ledger and flushed.
        var spoolPosition: UInt64
        var settledPosition: UInt64
        var spoolBytes: Int
        var waitingLines: Int
        /// Age of the oldest waiting line; nil where none waits.
        var lagSeconds: Double?
        var listeners: [String]

        init(_ standing: DaemonStanding) {
            let row = standing.row
            spoolId = "\(row.spoolID)"
            host = row.host
            version = row.version
            pid = row.processID
            state = standing.state.rawValue
            awaySince = standing.awaySince?.rfc3339
            startedAt = row.startedAt.rfc3339
            seenAt = standing.seenAt.rfc3339
            spoolPosition = row.spoolPosition
            settledPosition = row.settledPosition
            spoolBytes = row.spoolBytes
            waitingLines = row.waitingLines
            lagSeconds = standing.lag?.reportedSeconds
            listeners = row.listeners
        }
    }

    var daemons: [Daemon]

    init(_ standings: [DaemonStanding]) {
        daemons = standings.map(Daemon.init)
    }

    /// Nobody is missing who did not end in order.
    var isWell: Bool { daemons.allSatisfy { $0.state == "here" || $0.state == "stopped" } }

    /// For people.
    var text: String {
        guard !daemons.isEmpty else { return "no daemon has written into this database yet" }
        let rows = daemons.map { daemon in
            [
                daemon.host, "\(daemon.spoolId.prefix(8))", daemon.state, daemon.version,
                Self.minute(daemon.startedAt), Self.second(daemon.seenAt), Format.count(daemon.waitingLines),
                daemon.lagSeconds.map { Format.duration(.seconds($0)) } ?? "-", Format.bytes(daemon.spoolBytes),
                daemon.listeners.joined(separator: ", "),
            ]
        }
        let head = [
            "host", "spool", "state", "version", "started (UTC)", "seen (UTC)", "waiting", "lag", "spool size",
            "listens",
        ]
        return ([Format.table([head] + rows)] + daemons.compactMap(Self.absence)).joined(separator: "\n")
    }

    /// A sentence about one that is not here, and what to do.
    private static func absence(_ daemon: Daemon) -> String? {
        guard let since = daemon.awaySince else { return nil }
        let who = "\(daemon.host) (process \(daemon.pid), spool \(daemon.spoolId))"
        let what =
            switch daemon.state {
            case "stopped": "was stopped at \(second(since)) UTC"
            case "silent":
                "has its session and tells nothing since \(second(since)) UTC: the network, or the process, hangs"
            default:
                "is away since \(second(since)) UTC: it was killed or does not reach the database; see its log, and start it"
            }
        let waiting =
            daemon.waitingLines > 0
            ? "; \(Format.count(daemon.waitingLines)) lines wait in its spool, and are written when it is back" : ""
        return "\(who) \(what)\(waiting). Gone for good: `millrace status --forget \(daemon.spoolId)`"
    }

    private static func minute(_ time: String) -> String { "\(time.prefix(16))".replacing("T", with: " ") }

    private static func second(_ time: String) -> String { "\(time.prefix(19))".replacing("T", with: " ") }
}
