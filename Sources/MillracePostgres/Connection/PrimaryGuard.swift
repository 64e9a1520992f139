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

/// Opens the connections that write, and none to a primary of before a failover: with several hosts in the connection string,
/// to the next one that takes writes; else it throws. One for all of a daemon's services; it outlives the process by what
/// `remember` keeps.
package final class PrimaryGuard: Sendable {
    private struct State {
        var newest: NewestTimeline?
        /// Of the primary that was last passed over; said once.
        var passedOver: Int?
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
        guard let (server, newest) = try stale(connection) else { return connection }
        for other in ConnectionString(connectionString).otherOrders {
            guard let next = try? open(other), try stale(next) == nil else { continue }
            let isNew = state.withLock { state in
                defer { state.passedOver = server.timeline }
                return state.passedOver != server.timeline
            }
            if isNew {
                logger.warning(
                    "primary of before a failover passed over", metadata: [.reason: "\(Self.said(server, newest))"])
            }
            return next
        }
        throw PostgresError(
            code: .databaseUnfit, message: Self.said(server, newest),
            hint:
                "Stop it, or make it a standby of the new primary (pg_rewind). Should it be meant to be the primary again, "
                + "stop the daemon and remove the file `timeline` from the spool's directory.")
    }

    private static func said(_ server: NewestTimeline, _ newest: NewestTimeline) -> String {
        "the server is on timeline \(server.timeline), and this daemon has written to timeline \(newest.timeline) of the same "
            + "cluster: it is a primary of before a failover"
    }

    /// The server's timeline and the newest one, where it is an older one.
    private func stale(
        _ connection: PostgresConnection
    ) throws(PostgresError) -> (server: NewestTimeline, newest: NewestTimeline)? {
        guard let server = try Self.timeline(of: connection) else { return nil }
        let newest = state.withLock { $0.newest }
        if let newest, newest.isAfter(server) { return (server, newest) }
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
