/// Who holds which session of a pool, and who waits. Sessions and waiters are numbers; the pool gives them meaning.
struct ReadPoolStateMachine {
    enum Acquired: Equatable {
        /// A session that is open.
        case use(Int)
        /// A session to be opened.
        case open(Int)
        case wait(Int)
        case refuse(ReadRefusal)
    }

    enum Released: Equatable {
        case hand(session: Int, waiter: Int)
        case keep
        /// The session is to be ended.
        case end
    }

    private struct Idle {
        var session: Int
        var since: ContinuousClock.Instant
    }

    private var connectionsMin: Int
    private var connectionsMax: Int
    private var waitingMax: Int
    private var idleTimeout: Duration
    /// The one that was used last stands last, and is used next: the others grow old.
    private var idle: [Idle] = []
    private var busy: Set<Int> = []
    /// In order of arrival.
    private var waiting: [Int] = []
    private var nextSession = 0
    private var nextWaiter = 0
    private var isStopped = false

    init(connectionsMin: Int, connectionsMax: Int, waitingMax: Int, idleTimeout: Duration) {
        self.connectionsMin = connectionsMin
        self.connectionsMax = connectionsMax
        self.waitingMax = waitingMax
        self.idleTimeout = idleTimeout
    }

    /// Returns who waits and gets a session that is to be opened. Sessions beyond the bounds end when they are released, or
    /// have been idle for too long.
    mutating func boundsChanged(
        connectionsMin: Int, connectionsMax: Int, waitingMax: Int, idleTimeout: Duration
    ) -> [(session: Int, waiter: Int)] {
        self.connectionsMin = connectionsMin
        self.connectionsMax = connectionsMax
        self.waitingMax = waitingMax
        self.idleTimeout = idleTimeout
        var opened: [(session: Int, waiter: Int)] = []
        while !isStopped, !waiting.isEmpty, busy.count < connectionsMax {
            nextSession += 1
            busy.insert(nextSession)
            opened.append((nextSession, waiting.removeFirst()))
        }
        return opened
    }

    var idleCount: Int { idle.count }
    var busyCount: Int { busy.count }
    var waitingCount: Int { waiting.count }

    mutating func acquired() -> Acquired {
        if isStopped { return .refuse(.draining) }
        if let last = idle.popLast() {
            busy.insert(last.session)
            return .use(last.session)
        }
        if busy.count < connectionsMax {
            nextSession += 1
            busy.insert(nextSession)
            return .open(nextSession)
        }
        guard waiting.count < waitingMax else { return .refuse(.tooManyReaders) }
        nextWaiter += 1
        waiting.append(nextWaiter)
        return .wait(nextWaiter)
    }

    /// `isConnected`: false when the session lost its connection; a waiter takes it nevertheless and connects anew.
    mutating func released(_ session: Int, isConnected: Bool, at now: ContinuousClock.Instant) -> Released {
        if !waiting.isEmpty, !isStopped, busy.count <= connectionsMax {
            return .hand(session: session, waiter: waiting.removeFirst())
        }
        busy.remove(session)
        guard isConnected, !isStopped, busy.count + idle.count < connectionsMax else { return .end }
        idle.append(Idle(session: session, since: now))
        return .keep
    }

    /// Returns whether the waiter still waited.
    mutating func gaveUp(_ waiter: Int) -> Bool {
        guard let index = waiting.firstIndex(of: waiter) else { return false }
        waiting.remove(at: index)
        return true
    }

    /// The sessions to be ended because nobody used them.
    mutating func expired(at now: ContinuousClock.Instant) -> [Int] {
        let surplus = max(0, idle.count + busy.count - connectionsMin)
        let old = idle.prefix { now - $0.since >= idleTimeout }.prefix(surplus).map(\.session)
        idle.removeFirst(old.count)
        return old
    }

    /// The idle sessions, to be ended, and the waiters, to be refused. Busy sessions end when they are released.
    mutating func stopped() -> (sessions: [Int], waiters: [Int]) {
        isStopped = true
        defer {
            idle = []
            waiting = []
        }
        return (idle.map(\.session), waiting)
    }
}
