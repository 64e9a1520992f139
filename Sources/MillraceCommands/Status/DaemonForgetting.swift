internal import MillraceConsole
internal import MillraceEvent
internal import MillraceJSON
internal import MillracePostgres
internal import MillraceProjections

/// `millrace status --forget`: takes a daemon that is gone for good out of `public.daemons`; no erasure waits for it then.
struct DaemonForgetting {
    let connection: PostgresConnection

    /// `spool`: its id, or how it begins. `isSure`: also where lines waited in its spool. Returns the spool's id. Throws
    /// where there is no such daemon, or it is there.
    func forget(_ spool: String, isSure: Bool) throws -> UniqueID {
        let table = DaemonTable(connection: connection)
        return try connection.act {
            let wanted = spool.lowercased()
            let found = try table.all().filter { "\($0.row.spoolID)".hasPrefix(wanted) }
            guard let standing = found.first, found.count == 1 else {
                throw CommandError(
                    found.isEmpty
                        ? "no daemon has a spool \(spool)"
                        : "\(found.count) daemons have spools that begin with \(spool)",
                    hint: "See `millrace status --all`, and give the whole id")
            }
            guard standing.state == .stopped || standing.state == .away else {
                throw CommandError(
                    "the daemon of spool \(standing.row.spoolID) is there: its session is open",
                    hint: "Stop it first; process \(standing.row.processID) on \(standing.row.host)")
            }
            guard standing.row.waitingLines == 0 || isSure else {
                throw CommandError(
                    "\(Format.count(standing.row.waitingLines)) lines that are in no table waited in its spool",
                    hint: "Start it where that spool is; or, if the spool is lost, forget it with --yes")
            }
            guard try table.forget(standing.row.spoolID) else {
                throw CommandError("somebody else forgot it meanwhile", hint: "See `millrace status --all`")
            }
            let erasures = try ErasureQueue(on: connection).forget(spool: standing.row.spoolID)
            try AuditLog.record(
                .daemonForget, "\(standing.row.spoolID)",
                before: [
                    "host": .string(standing.row.host), "seen_at": .string(standing.seenAt.rfc3339),
                    "waiting_lines": .integer(standing.row.waitingLines), "erasures": .integer(erasures),
                ], on: connection)
            return standing.row.spoolID
        }
    }
}
