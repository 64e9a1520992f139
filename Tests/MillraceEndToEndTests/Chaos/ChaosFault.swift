/// What is done to the daemon and to PostgreSQL in a round.
enum ChaosFault: Sendable, Hashable {
    case killDaemon
    /// SIGTERM, which must end with status 0.
    case stopDaemon
    case stopPostgres
    case both
    case cut(CutProxy.Cut)
    case mishap(ChaosMishap)

    static let all: [ChaosFault] =
        [.killDaemon, .stopDaemon, .stopPostgres, .both] + CutProxy.Cut.allCases.map { .cut($0) }
}
