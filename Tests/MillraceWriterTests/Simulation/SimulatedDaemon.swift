import MillraceEvent

@testable import MillraceWriter

/// One daemon and its spool: the real `LedgerStateMachine` and `BatchClaim`, and what stands around them, one action at a time.
struct SimulatedDaemon {
    struct Writer {
        var batch: Range<UInt64>?
        var session: Int?
        /// Of `session`.
        var run = 0
        /// COMMIT was sent, and not answered.
        var unanswered: (batchID: Int, sequences: Range<UInt64>)?
    }

    let spool: Int
    let rereads: Bool
    /// Steps that settled lines stay in the spool.
    let retention: Int
    private var machine: LedgerStateMachine<Int>
    private var isRunning = true
    private var hasReadLedger = false
    private(set) var accepted = SequenceSet()
    private var retained = SequenceSet()
    private var next: UInt64 = 0
    /// By segment: what it holds, and since when all of it is settled on a server that was there all the time.
    private var segments: [(sequences: Range<UInt64>, settledAt: Int?)] = []
    private var settled = SequenceSet()
    /// When the server was last seen; nil: it is away.
    private var seenAt: Int?
    private var queue: [Range<UInt64>] = []
    private var writers: [Writer]
    private var ledgerSession: Int?
    /// What the machine wants, for the ledger's session.
    private var actions: [LedgerStateMachine<Int>.Action] = []
    private var isGateOpen = false

    init(spool: Int, writers: Int, retention: Int, rereads: Bool) {
        self.spool = spool
        self.retention = retention
        self.rereads = rereads
        self.writers = Array(repeating: Writer(), count: writers)
        machine = LedgerStateMachine(liveStart: 0)
    }

    /// Nothing is left to do.
    var isIdle: Bool {
        isRunning && queue.isEmpty && isGateOpen && writers.allSatisfy { $0.batch == nil }
            && machine.uncommitted(of: retained).count == 0 && actions.isEmpty
    }

    /// Lines are on the spool's disk; their senders know it.
    mutating func accept(_ count: UInt64) {
        guard isRunning else { return }
        let sequences = next..<next + count
        next += count
        accepted.insert(sequences)
        retained.insert(sequences)
        segments.append((sequences, nil))
        queue.append(sequences)
    }

    /// kill -9, and a new start on the same spool. Its sessions stay until the server notices.
    mutating func restart(_ cluster: inout SimulatedCluster) {
        cutOff(&cluster)
        // A run begins at a number of its own.
        next += 1000
        machine = LedgerStateMachine(liveStart: next)
        hasReadLedger = false
        queue = []
        actions = []
        settled = SequenceSet()
        writers = Array(repeating: Writer(), count: writers.count)
    }

    /// The network between the daemon and the server goes, for its sessions of now.
    mutating func cutOff(_ cluster: inout SimulatedCluster) {
        for index in writers.indices {
            cluster.orphan(writers[index].session)
            writers[index].session = nil
        }
        cluster.orphan(ledgerSession)
        loseServer()
    }

    /// Only one writer's connection goes.
    mutating func cutOff(writer: Int, _ cluster: inout SimulatedCluster) {
        let index = writer % writers.count
        cluster.orphan(writers[index].session)
        writers[index].session = nil
        isGateOpen = false
    }

    /// Segments whose lines were settled long ago go, as `SegmentCatalogue` has it.
    mutating func retire() {
        guard let seenAt else { return }
        while let oldest = segments.first, let settledAt = oldest.settledAt, seenAt >= settledAt + retention {
            retained.remove(oldest.sequences)
            segments.removeFirst()
        }
    }

    private mutating func see(at step: Int) {
        seenAt = step
        for index in segments.indices
        where segments[index].settledAt == nil && settled.contains(segments[index].sequences) {
            segments[index].settledAt = step
        }
    }

    private mutating func loseServer() {
        ledgerSession = nil
        isGateOpen = false
        seenAt = nil
        for index in segments.indices { segments[index].settledAt = nil }
    }
}

/// What its ledger's session does.
extension SimulatedDaemon {
    /// One look of `LedgerService`.
    mutating func look(_ cluster: inout SimulatedCluster, at step: Int) {
        if let session = ledgerSession, cluster.sessions[session] == nil { loseServer() }
        if !isGateOpen {
            if ledgerSession == nil { ledgerSession = cluster.connect(spool: spool, writer: nil) }
            guard let session = ledgerSession, cluster.takesSpool(session, of: spool) else { return }
            apply(machine.connected(to: cluster.run))
            isGateOpen = true
        }
        performActions(cluster)
        apply(machine.retired(below: retained.ranges.first?.lowerBound ?? next))
        apply(machine.flushed(to: cluster.flushedEnd, on: cluster.run))
        performActions(cluster)
        see(at: step)
    }

    private mutating func apply(_ wanted: [LedgerStateMachine<Int>.Action]) {
        for action in wanted where !(action == .readLedger && actions.contains(action)) { actions.append(action) }
    }

    private mutating func performActions(_ cluster: SimulatedCluster) {
        while !actions.isEmpty {
            switch actions.removeFirst() {
            case .readLedger:
                if hasReadLedger, !rereads { continue }
                hasReadLedger = true
                machine.ledgerReadBegan()
                apply(
                    machine.ledgerRead(
                        cluster.ledger(of: spool), retained: retained, at: cluster.end, on: cluster.run))
            case .scan(let ranges): queue += ranges.flatMap { retained.parts(of: $0) }
            case .settled(let ranges):
                for range in ranges { settled.insert(range) }
            case .unsettled(let ranges):
                for range in ranges { settled.remove(range) }
                for index in segments.indices where !settled.contains(segments[index].sequences) {
                    segments[index].settledAt = nil
                }
            }
        }
    }
}

/// What its writers do.
extension SimulatedDaemon {
    /// One thing that a writer does: takes a batch, begins, sends COMMIT, or reads the answer. `choice` decides the batch; nil: what has waited longest.
    mutating func write(_ writer: Int, _ cluster: inout SimulatedCluster, choice: Int?, batchID: Int) {
        let index = writer % writers.count
        // A batch is begun while the gate is open, and ended in any case.
        let phase = writers[index].session.flatMap { cluster.sessions[$0]?.phase } ?? .idle
        guard isGateOpen || phase != .idle else { return }
        guard let batch = writers[index].batch ?? takeBatch(choice) else { return }
        writers[index].batch = batch
        guard let session = session(of: index, &cluster) else { return }
        switch cluster.sessions[session]?.phase {
        case .idle: begin(index, batch, session, &cluster)
        case .open:
            writers[index].unanswered = (batchID, batch)
            cluster.sendCommit(session, batchID: batchID)
        case .answered(let position):
            cluster.rollBack(session)
            end(index)
            apply(machine.batchCommitted(batch, at: position, on: writers[index].run))
        case .refused:
            // It is set aside, and tried again.
            cluster.rollBack(session)
        case .committing, .recorded, nil: break
        }
    }

    /// One of those that wait, or the first half of it.
    private mutating func takeBatch(_ choice: Int?) -> Range<UInt64>? {
        guard !queue.isEmpty else { return nil }
        guard let choice else { return queue.removeFirst() }
        let range = queue.remove(at: choice % queue.count)
        guard choice / 8 % 3 == 0, range.count > 1 else { return range }
        let middle = range.lowerBound + UInt64(range.count / 2)
        queue.append(middle..<range.upperBound)
        return range.lowerBound..<middle
    }

    /// A writer that has lost its connection closes the gate: the ledger is asked before it goes on.
    private mutating func session(of index: Int, _ cluster: inout SimulatedCluster) -> Int? {
        if let session = writers[index].session {
            if cluster.sessions[session] != nil { return session }
            writers[index].session = nil
            isGateOpen = false
            return nil
        }
        writers[index].session = cluster.connect(spool: spool, writer: index)
        writers[index].run = cluster.run
        return writers[index].session
    }

    private mutating func begin(
        _ index: Int, _ batch: Range<UInt64>, _ session: Int, _ cluster: inout SimulatedCluster
    ) {
        let (isWaiting, latest) = cluster.begin(session, batch)
        guard !isWaiting else { return }
        let claim = BatchClaim(
            of: batch, latest: latest.map { (last: $0.sequences.upperBound - 1, batchID: Int64($0.batchID)) },
            unanswered: writers[index].unanswered.map { (batchID: Int64($0.batchID), sequences: $0.sequences) })
        switch claim {
        case .free: break
        case .committed:
            end(index)
            apply(machine.batchCommitted(batch, at: cluster.end, on: writers[index].run))
        case .overlap:
            end(index)
            let held = SequenceSet(cluster.ledger(of: spool)).parts(of: batch)
            apply(machine.overlapFound(in: batch, covered: held))
        }
    }

    private mutating func end(_ index: Int) {
        writers[index].batch = nil
        writers[index].unanswered = nil
    }
}
