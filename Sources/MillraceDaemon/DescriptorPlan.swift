internal import Glibc
import MillraceAPI
package import MillraceConfiguration
import MillraceIntake

/// The files that a daemon has open at most: the sockets of its intakes, and a reserve for PostgreSQL, the spool and itself.
/// Where the system's limit is lower, the intakes have less, and the reserve stays.
package struct DescriptorPlan: Equatable {
    /// What one intake may have open.
    package struct Intake: Equatable {
        /// Open ones.
        package var connections: Int
        /// Those that wait for a commit, half-closed.
        package var waiters: Int
        /// Those that were refused and still read why.
        package var lingering: Int

        /// All of these together.
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
    /// What the intakes may have open within `limit`.
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
            configuration.writingSessionsMax + configuration.readingSessionsMax + DaemonConfiguration.userSessionsMax
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

    /// Whether the limit allows all that is configured.
    package var suffices: Bool { needed <= limit }
}

/// How many files the system lets this process open.
package enum DescriptorLimit {
    /// What may be had without further rights.
    package static var hard: Int { read().map { clamped($0.rlim_max) } ?? .max }

    /// Raises the limit in force to `wanted`, or as far as may be; never lowers it. Returns what is in force then.
    static func raise(to wanted: Int) -> Int {
        guard var limits = read() else { return .max }
        let soft = clamped(limits.rlim_cur)
        guard soft < wanted else { return soft }
        limits.rlim_cur = min(limits.rlim_max, rlim_t(wanted))
        guard setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits) == 0 else { return soft }
        return clamped(limits.rlim_cur)
    }

    private static func read() -> rlimit? {
        var limits = rlimit()
        return getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits) == 0 ? limits : nil
    }

    private static func clamped(_ value: rlim_t) -> Int { Int(clamping: value) }
}
