/// What is done to the daemon and to PostgreSQL in a round.
enum ChaosFault: Sendable, Hashable {
    case killDaemon
    case stopPostgres
    case both
    case cut(CutProxy.Cut)

    static let all: [ChaosFault] = [.killDaemon, .stopPostgres, .both] + CutProxy.Cut.allCases.map { .cut($0) }
}
