package import MillraceConfiguration

/// The files that a daemon has open at most: the sockets of its intakes, and a reserve for PostgreSQL, the spool and itself.
/// Where the system's limit is lower, the intakes have less, and the reserve stays.
package struct DescriptorPlan: Equatable {
    /// What one intake may have open.
    package struct Intake: Equatable {
        package var connections: Int
        /// Those that wait for a commit, half-closed.
        package var waiters: Int
        /// Those that were refused and still read why.
        package var lingering: Int

        package var sockets: Int { connections + waiters + lingering }

        init(connections: Int, waitersMax: Int, lingering: Int) {
            self.connections = connections
            self.waiters = min(waitersMax, max(1, connections / 2))
            self.lingering = lingering
        }
    }

    private static let lingering = 256
    /// Where files are scarce.
    private static let lingeringMin = 16
    /// What an intake has in any case.
    private static let connectionsMin = 8

    /// Of the system, for this process.
    package let limit: Int
    /// Without the intakes' sockets.
    package let reserve: Int
    /// As configured.
    package let needed: Int
    package private(set) var tcp: Intake
    package private(set) var http: Intake

    /// `limit`: files that the process may open.
    package init(_ configuration: DaemonConfiguration, limit: Int) {
        let waitersMax = configuration.intake.committedWaitersMax
        let connections = (tcp: configuration.tcp.connectionsMax, http: configuration.http.connectionsMax)
        tcp = Intake(connections: connections.tcp, waitersMax: waitersMax, lingering: Self.lingering)
        http = Intake(connections: connections.http, waitersMax: waitersMax, lingering: Self.lingering)
        // Each session has a socket, and some an event to be interrupted by; each event loop has three files.
        let sessions =
            configuration.writingSessionsMax + configuration.api.connectionsMax + DaemonConfiguration.userSessionsMax
            + 2
        reserve = 64 + 2 * sessions + 4 * configuration.intake.threads
        needed = tcp.sockets + http.sockets + reserve
        self.limit = limit
        guard needed > limit else { return }
        // Of each intake's share: its connections, half as many waiters, and those that linger.
        let left = max(0, limit - reserve - 2 * Self.lingeringMin) * 2 / 3
        let share = left * connections.tcp / (connections.tcp + connections.http)
        tcp = Intake(
            connections: min(connections.tcp, max(Self.connectionsMin, share)), waitersMax: waitersMax,
            lingering: Self.lingeringMin)
        http = Intake(
            connections: min(
                connections.http, max(Self.connectionsMin + configuration.http.reservedConnections, left - share)),
            waitersMax: waitersMax, lingering: Self.lingeringMin)
    }

    package var suffices: Bool { needed <= limit }
}
