internal import MillracePostgres

/// Knows how far each replica is behind the primary, and says which one is read. A value without I/O and clock.
///
/// The end of the primary's log is looked at again and again; a replica's lag is the time since the last of these looks whose
/// end it has replayed (`LogHistory`). While the primary doesn't answer, a replica lags behind its last answer.
struct ReplicaStateMachine: Sendable {
    /// What a server says of itself.
    struct Answer: Sendable, Equatable {
        var isStandby: Bool
        /// Bytes of the log since its beginning: of a standby up to where it has replayed, else up to its end.
        var position: Int
        /// Of one that takes writes; nil: not known.
        var timeline: Int?
        /// Drawn by initdb, and the same on primary and standbys; nil: not known.
        var systemIdentifier: String?
    }

    enum Standing: Sendable, Equatable {
        /// It may be read; it is at most so far behind.
        case fit(Duration)
        /// It is further behind than may be: by this at least.
        case behind(Duration)
        /// It does not answer.
        case silent
        /// It is a standby of another cluster than the primary's.
        case foreign
        /// It was the primary before a failover.
        case overtaken
        /// The primary has not answered since the start.
        case unknown
    }

    private struct Replica {
        var answer: Answer
        var at: ContinuousClock.Instant
    }

    private let silence: Duration
    private var history = LogHistory()
    private var primary: Answer?
    private var isPrimaryAway = false
    private var replicas: [Replica?]
    /// Of those that lag alike, each is read in its turn.
    private var turn = 0

    /// - Parameters:
    ///   - count: of the replicas, which are numbered from 0.
    ///   - silence: a replica whose last answer is older counts as one that does not answer.
    init(count: Int, silence: Duration) {
        replicas = Array(repeating: nil, count: count)
        self.silence = silence
    }

    mutating func primaryAnswered(_ answer: Answer, at now: ContinuousClock.Instant) {
        let isSame =
            primary?.systemIdentifier == answer.systemIdentifier && primary?.timeline == answer.timeline
        // What was seen of another server, or before a failover, may never come to the replicas.
        if !isSame { history.removeAll() }
        primary = answer
        isPrimaryAway = false
        history.add(answer.position, at: now)
    }

    mutating func primaryFailed() {
        isPrimaryAway = true
    }

    mutating func answered(_ replica: Int, _ answer: Answer, at now: ContinuousClock.Instant) {
        replicas[replica] = Replica(answer: answer, at: now)
    }

    /// Not read until it answers again.
    mutating func failed(_ replica: Int) {
        replicas[replica] = nil
    }

    func standing(of replica: Int, lagMax: Duration, at now: ContinuousClock.Instant) -> Standing {
        guard let (answer, at) = replicas[replica].map({ ($0.answer, $0.at) }), at.duration(to: now) <= silence else {
            return .silent
        }
        let isOfSystem = primary?.systemIdentifier.flatMap { own in answer.systemIdentifier.map { $0 == own } }
        guard answer.isStandby else {
            // The primary itself by another name; or a copy by other means, whose lag nobody can tell.
            guard isOfSystem == true, let timeline = answer.timeline, let newest = primary?.timeline else {
                return .fit(.zero)
            }
            return timeline < newest ? .overtaken : .fit(.zero)
        }
        if isOfSystem == false { return .foreign }
        guard let last = history.lastAt,
            let (lag, isLeast) = history.age(of: answer.position, at: isPrimaryAway ? last : now)
        else { return .unknown }
        return lag <= lagMax && !isLeast ? .fit(lag) : .behind(lag)
    }

    /// The one to be read: that which lags least. Nil: none of them may be.
    mutating func chosen(
        lagMax: Duration, except: Set<Int> = [], at now: ContinuousClock.Instant
    ) -> (replica: Int, lag: Duration)? {
        var best: [(replica: Int, lag: Duration)] = []
        for replica in replicas.indices where !except.contains(replica) {
            guard case .fit(let lag) = standing(of: replica, lagMax: lagMax, at: now) else { continue }
            if let least = best.first?.lag, lag > least { continue }
            if let least = best.first?.lag, lag < least { best = [] }
            best.append((replica, lag))
        }
        guard !best.isEmpty else { return nil }
        turn &+= 1
        return best[turn % best.count]
    }
}
