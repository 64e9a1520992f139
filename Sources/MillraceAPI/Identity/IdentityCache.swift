/// Users by id, those that are not known too, for a lifetime each; when full, the oldest go first.
struct IdentityCache {
    private struct Entry {
        var user: IdentityUser?
        var loadedAt: ContinuousClock.Instant
        /// Tells the entry's place in `order` from older ones.
        var turn: Int
    }

    private let entriesMax: Int
    private let lifetime: Duration
    private var entries: [String: Entry] = [:]
    /// In order of loading; a turn that is not its entry's any more is passed over.
    private var order: [(id: String, turn: Int)] = []
    private var turn = 0

    init(entriesMax: Int, lifetime: Duration) {
        self.entriesMax = entriesMax
        self.lifetime = lifetime
    }

    var count: Int { entries.count }

    /// Those that must be asked for: never loaded, or too long ago.
    func missing(_ ids: [String], at now: ContinuousClock.Instant) -> [String] {
        ids.filter { id in entries[id].map { now - $0.loadedAt >= lifetime } ?? true }
    }

    /// However old; nil when nothing is known, `.some(nil)` of a user who is unknown there.
    func user(_ id: String) -> IdentityUser?? {
        entries[id].map(\.user)
    }

    mutating func loaded(_ ids: [String], _ found: [String: IdentityUser], at now: ContinuousClock.Instant) {
        for id in ids {
            turn += 1
            entries[id] = Entry(user: found[id], loadedAt: now, turn: turn)
            order.append((id, turn))
        }
        while entries.count > entriesMax || order.count > 2 * entriesMax, let oldest = order.first {
            order.removeFirst()
            if entries[oldest.id]?.turn == oldest.turn { entries[oldest.id] = nil }
        }
    }
}
