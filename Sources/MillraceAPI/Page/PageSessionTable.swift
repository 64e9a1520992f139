internal import MillraceAccess

/// Who is logged in to the page: hashes of cookies, and what each opens. Bounded in number and in time.
struct PageSessionTable: Sendable {
    struct Session: Sendable {
        /// Of its key, as it was at the login or later.
        var grant: Grant
        var endsAt: ContinuousClock.Instant
        /// Ascends with the logins.
        fileprivate var number: Int
    }

    private var sessions: [[UInt8]: Session] = [:]
    private var begun = 0

    var count: Int { sessions.count }

    /// Takes in a login. Where there are as many as may be, the oldest of the same key ends, or else the oldest of all: who
    /// has one key throws others out only once.
    ///
    /// - Parameter hash: of the cookie's value.
    mutating func begin(
        _ hash: [UInt8], _ grant: Grant, at now: ContinuousClock.Instant, _ configuration: PageConfiguration
    ) {
        sessions = sessions.filter { $0.value.endsAt > now }
        while sessions.count >= max(1, configuration.sessionsMax), let ended = oldest(of: grant.record.id) ?? oldest() {
            sessions[ended] = nil
        }
        begun += 1
        sessions[hash] = Session(grant: grant, endsAt: now + configuration.sessionLifetime, number: begun)
    }

    /// The session of a cookie; nil where there is none, or it is over.
    func session(_ hash: [UInt8], at now: ContinuousClock.Instant) -> Session? {
        sessions[hash].flatMap { $0.endsAt > now ? $0 : nil }
    }

    /// Its key has changed meanwhile.
    mutating func renew(_ hash: [UInt8], _ grant: Grant) {
        sessions[hash]?.grant = grant
    }

    mutating func end(_ hash: [UInt8]) {
        sessions[hash] = nil
    }

    private func oldest(of key: String? = nil) -> [UInt8]? {
        sessions.filter { key == nil || $0.value.grant.record.id == key }.min { $0.value.number < $1.value.number }?.key
    }
}
