package import Logging
internal import MillraceTelemetry
internal import Synchronization

/// The newest timeline of a server that was written to. A standby that is promoted begins a new one; its old primary, should
/// it come back as if nothing had happened, is still on the one before.
package struct NewestTimeline: Sendable, Equatable {
    /// Drawn by initdb, and the same on primary and standbys.
    package var systemIdentifier: String
    package var timeline: Int

    package init(systemIdentifier: String, timeline: Int) {
        self.systemIdentifier = systemIdentifier
        self.timeline = timeline
    }

    /// Whether `server` is of before a failover that this one is of after.
    func isAfter(_ server: NewestTimeline) -> Bool {
        systemIdentifier == server.systemIdentifier && server.timeline < timeline
    }
}

/// Opens the connections that write, and none to a primary of before a failover nor to a worker of a Citus cluster: with several
/// hosts in the connection string, to the next one that takes writes; else it throws. One for all of a daemon's services; it
/// outlives the process by what `remember` keeps.
package final class PrimaryGuard: Sendable {
    /// Why a server is not written to.
    private enum Unfitness: Equatable {
        case stale(server: Int, newest: Int)
        case worker

        var reason: String {
            switch self {
            case .stale(let server, let newest):
                "the server is on timeline \(server), and this daemon has written to timeline \(newest) of the same cluster: it "
                    + "is a primary of before a failover"
            case .worker: "the server is a worker of a Citus cluster, which lacks the ledger"
            }
        }

        var hint: String {
            switch self {
            case .stale:
                "Stop it, or make it a standby of the new primary (pg_rewind). Should it be meant to be the primary again, "
                    + "stop the daemon and remove the file `timeline` from the spool's directory."
            case .worker: "Name the cluster's coordinator in database.url."
            }
        }
    }

    private struct State {
        var newest: NewestTimeline?
        /// Of the server that was last passed over; said once.
        var passedOver: Unfitness?
    }

    private let state: Mutex<State>
    private let remember: @Sendable (NewestTimeline) throws -> Void
    private let logger: Logger

    /// - Parameters:
    ///   - newest: what an earlier process of this daemon has kept.
    ///   - remember: told a newer one before anything is written there; where it throws, the connection is not used.
    package init(
        newest: NewestTimeline?, logger: Logger, remember: @escaping @Sendable (NewestTimeline) throws -> Void
    ) {
        state = Mutex(State(newest: newest))
        self.logger = logger
        self.remember = remember
    }

    /// Opens one by `open`, which is given a connection string: `connectionString`, or the same with another order of hosts.
    /// Blocks as long as `open` does, for each host that is passed over.
    package func connect(
        _ connectionString: String, _ open: (String) throws(PostgresError) -> PostgresConnection
    ) throws(PostgresError) -> PostgresConnection {
        let connection = try open(connectionString)
        guard let unfitness = try unfitness(of: connection) else { return connection }
        for other in ConnectionString(connectionString).otherOrders {
            guard let next = try? open(other), try self.unfitness(of: next) == nil else { continue }
            let isNew = state.withLock { state in
                defer { state.passedOver = unfitness }
                return state.passedOver != unfitness
            }
            if isNew { logger.warning("server passed over", metadata: [.reason: "\(unfitness.reason)"]) }
            return next
        }
        throw PostgresError(code: .databaseUnfit, message: unfitness.reason, hint: unfitness.hint)
    }

    /// Nil where the server is one to write to; its timeline is remembered then.
    private func unfitness(of connection: PostgresConnection) throws(PostgresError) -> Unfitness? {
        if try isWorker(connection) { return .worker }
        guard let server = try Self.timeline(of: connection) else { return nil }
        let newest = state.withLock { $0.newest }
        if let newest, newest.isAfter(server) { return .stale(server: server.timeline, newest: newest.timeline) }
        guard newest != server else { return nil }
        do {
            try remember(server)
        } catch {
            throw PostgresError(
                code: .databaseUnfit, message: "the server's timeline can't be remembered: \(error)",
                hint: "Make room on the spool's disk, and let the daemon write into its directory.")
        }
        state.withLock { state in
            // Another connection may have found a newer one meanwhile.
            if state.newest?.isAfter(server) != true { state.newest = server }
        }
        return nil
    }

    private func isWorker(_ connection: PostgresConnection) throws(PostgresError) -> Bool {
        guard try connection.lookForCitus() else { return false }
        return try connection.execute("SELECT groupid <> 0 FROM pg_catalog.pg_dist_local_group").bool(0, 0) == true
    }

    /// nil where the server takes no writes, or the role may not ask.
    private static func timeline(of connection: PostgresConnection) throws(PostgresError) -> NewestTimeline? {
        do {
            let answer = try connection.execute(
                """
                SELECT
                    system_identifier::text,
                    CASE WHEN NOT pg_is_in_recovery() THEN left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) END
                FROM pg_control_system()
                """)
            guard let identifier = answer.string(0, 0),
                let timeline = answer.string(0, 1).flatMap({ Int($0, radix: 16) })
            else { return nil }
            return NewestTimeline(systemIdentifier: identifier, timeline: timeline)
        } catch {
            guard error.sqlState == .insufficientPrivilege else { throw error }
            return nil
        }
    }
}
