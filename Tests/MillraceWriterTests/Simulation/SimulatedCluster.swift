import MillraceEvent

@testable import MillraceWriter

/// What PostgreSQL shows to a client, as far as the protocol between spool and ledger goes: a log whose end a crash takes
/// away, a standby that got a part of it, locks of sessions that outlive their clients, and, with `workers`, rows that live
/// on other nodes and go by two-phase commit.
struct SimulatedCluster {
    /// A batch's transaction: its ledger row, and the lines that were counted in projections by it.
    struct Commit {
        var spool: Int
        var sequences: Range<UInt64>
        var batchID: Int
        var counted: [Range<UInt64>]
        var step: Int
    }

    /// How far a session's transaction is.
    enum Phase: Equatable {
        case idle
        /// It has the lock of its writer, and the ledger's answer.
        case open
        /// COMMIT is on its way to the server.
        case committing
        /// The commit is in the log; workers don't know it yet.
        case recorded
        case answered(LogPosition)
        case refused
    }

    struct Session {
        var spool: Int
        /// nil: the ledger's session.
        var writer: Int?
        var phase = Phase.idle
        var sequences: Range<UInt64> = 0..<0
        var batchID = 0
        var counted: [Range<UInt64>] = []
        /// Nobody waits for its answers; the server has not noticed.
        var isOrphan = false
    }

    struct Prepared {
        var commit: Commit
    }

    let hasWorkers: Bool
    let isSynchronous: Bool
    let locksAreTaken: Bool
    private(set) var isUp = true
    /// Of one run of one server: another one after each restart and each promotion.
    private(set) var run = 1
    private(set) var log: [Commit] = []
    private(set) var flushed = 0
    /// How much of the log the standby has.
    private(set) var received = 0
    private(set) var sessions: [Int: Session] = [:]
    private(set) var workersAreUp = true
    /// Rows that workers have, by spool; without workers the log has them.
    private var workerRows: [Int: SequenceSet] = [:]
    private(set) var prepared: [Prepared] = []
    private var lastSession = 0
    /// What must never be, once it was.
    private(set) var violation: String?

    init(hasWorkers: Bool, isSynchronous: Bool, locksAreTaken: Bool) {
        self.hasWorkers = hasWorkers
        self.isSynchronous = isSynchronous
        self.locksAreTaken = locksAreTaken
    }

    static func position(_ count: Int) -> LogPosition { LogPosition(bytes: UInt64(count) * 8) }

    var end: LogPosition { Self.position(log.count) }
    var flushedEnd: LogPosition { Self.position(flushed) }

    func ledger(of spool: Int) -> [Range<UInt64>] { log.filter { $0.spool == spool }.map(\.sequences) }

    func counted(of spool: Int) -> SequenceSet {
        SequenceSet(log.filter { $0.spool == spool }.flatMap(\.counted))
    }

    func rows(of spool: Int) -> SequenceSet {
        hasWorkers ? workerRows[spool] ?? SequenceSet() : SequenceSet(ledger(of: spool))
    }
}

/// What a client asks for.
extension SimulatedCluster {
    /// nil where no server is to be reached.
    mutating func connect(spool: Int, writer: Int?) -> Int? {
        guard isUp else { return nil }
        lastSession += 1
        sessions[lastSession] = Session(spool: spool, writer: writer)
        return lastSession
    }

    mutating func orphan(_ session: Int?) {
        guard let session else { return }
        sessions[session]?.isOrphan = true
    }

    /// Whether the ledger's session `session` is the one of its spool, and no writer's transaction is left. Ends sessions whose
    /// clients are gone, as far as the server ends them.
    mutating func takesSpool(_ session: Int, of spool: Int) -> Bool {
        guard locksAreTaken else { return true }
        let others = sessions.filter { $0.key != session && $0.value.spool == spool }
        for (other, held) in others where held.isOrphan && held.phase != .committing && held.phase != .recorded {
            sessions[other] = nil
        }
        return !sessions.contains { other, held in
            other != session && held.spool == spool && (held.writer == nil || held.isOrphan || held.phase != .idle)
        }
    }

    /// Begins a transaction, once the writer's lock is free. The ledger's last row that ends behind the start of
    /// `sequences`, if there is one; `isWaiting`: it has to be asked again.
    mutating func begin(_ session: Int, _ sequences: Range<UInt64>) -> (isWaiting: Bool, latest: Commit?) {
        guard var asking = sessions[session] else { return (true, nil) }
        if locksAreTaken {
            let isHeld = sessions.contains { other, held in
                other != session && held.spool == asking.spool && held.writer == asking.writer
                    && [.open, .committing, .recorded].contains(held.phase)
            }
            if isHeld { return (true, nil) }
        }
        let known = log.filter { $0.spool == asking.spool && $0.sequences.lowerBound < sequences.upperBound }
            .max { $0.sequences.lowerBound < $1.sequences.lowerBound }
        if let known, known.sequences.upperBound > sequences.lowerBound { return (false, known) }
        // Rows of a transaction that nobody has decided are locked.
        if prepared.contains(where: { $0.commit.spool == asking.spool && $0.commit.sequences.overlaps(sequences) }) {
            return (true, nil)
        }
        asking.phase = .open
        asking.sequences = sequences
        asking.counted = rows(of: asking.spool).gaps(in: sequences)
        sessions[session] = asking
        return (false, nil)
    }

    mutating func sendCommit(_ session: Int, batchID: Int) {
        sessions[session]?.phase = .committing
        sessions[session]?.batchID = batchID
    }

    /// The client has read the answer, or gives the transaction up.
    mutating func rollBack(_ session: Int) { sessions[session]?.phase = .idle }
}

/// What happens to it.
extension SimulatedCluster {
    /// The server goes on with a session's COMMIT, or notices that its client is gone.
    mutating func goOn(with session: Int, at step: Int) {
        guard isUp, let held = sessions[session] else { return }
        switch held.phase {
        case .committing:
            guard workersAreUp || !hasWorkers else { return end(session, .refused) }
            let commit = Commit(
                spool: held.spool, sequences: held.sequences, batchID: held.batchID, counted: held.counted, step: step)
            // The ledger's primary key.
            let isTaken = log.contains {
                $0.spool == commit.spool && $0.sequences.lowerBound == commit.sequences.lowerBound
            }
            guard !isTaken else { return end(session, .refused) }
            append(commit)
            if hasWorkers {
                if isSynchronous { flushed = log.count }
                prepared.append(Prepared(commit: commit))
                sessions[session]?.phase = .recorded
            } else {
                end(session, .answered(end))
            }
        case .recorded:
            guard let index = prepared.firstIndex(where: { $0.commit.batchID == held.batchID }) else { return }
            insertRows(of: prepared.remove(at: index).commit)
            end(session, .answered(end))
        case .idle, .open, .answered, .refused:
            if held.isOrphan { sessions[session] = nil }
        }
    }

    private mutating func end(_ session: Int, _ phase: Phase) {
        sessions[session]?.phase = phase
        if sessions[session]?.isOrphan == true { sessions[session] = nil }
    }

    private mutating func append(_ commit: Commit) {
        for earlier in log where earlier.spool == commit.spool {
            if earlier.sequences.overlaps(commit.sequences) {
                note("spool \(commit.spool): \(earlier.sequences) and \(commit.sequences) are both in the ledger")
            }
            if earlier.counted.contains(where: { part in commit.counted.contains { $0.overlaps(part) } }) {
                note("spool \(commit.spool): lines of \(commit.sequences) are counted twice")
            }
        }
        log.append(commit)
    }

    private mutating func insertRows(of commit: Commit) {
        workerRows[commit.spool, default: SequenceSet()].insert(commit.sequences)
    }

    mutating func note(_ what: String) { violation = violation ?? what }

    mutating func flush(to count: Int) { flushed = max(flushed, min(count, log.count)) }

    /// The standby gets no more than the primary has flushed.
    mutating func send(_ count: Int) { received = min(received + count, flushed) }

    /// The server dies and comes back: what was not flushed is gone, and so are all sessions.
    mutating func restart() {
        beginRun(keeping: flushed)
    }

    /// The primary dies for good, and the standby takes its place; but not where it lacks a commit from before `oldest`, for
    /// which the spools keep nothing. The old primary comes back as its standby.
    mutating func promote(oldest: Int) {
        guard !hasWorkers, !log[received...].contains(where: { $0.step < oldest }) else { return }
        beginRun(keeping: received)
        received = log.count
    }

    private mutating func beginRun(keeping count: Int) {
        log.removeSubrange(count...)
        flushed = log.count
        received = min(received, log.count)
        run += 1
        sessions = [:]
        // What the log decided is carried out; what it does not know is rolled back.
        for transaction in prepared where log.contains(where: { $0.batchID == transaction.commit.batchID }) {
            insertRows(of: transaction.commit)
        }
        prepared = []
    }

    mutating func stopWorkers() { workersAreUp = false }

    mutating func startWorkers() { workersAreUp = true }
}
