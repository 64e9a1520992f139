internal import MillraceChannels
import MillraceEvent
import MillracePostgres
import Synchronization

/// The ledger's state as the writers and its service share it: what is committed, and what is to be done about it.
final class Ledger: Sendable {
    typealias Machine = LedgerStateMachine<ServerIdentity>

    private struct State {
        var machine: Machine
        var actions: [Machine.Action] = []
        var lost: [LostSequences] = []
        var isStopping = false
        var isLeaving = false
        var conflict: SequenceConflict?
    }

    private let state: Mutex<State>
    /// Wakes the service when there is something to do.
    let wakeup = Wakeup()

    /// `liveStart`: the first sequence that this run of the daemon gives out.
    init(liveStart: UInt64) {
        state = Mutex(State(machine: Machine(liveStart: liveStart)))
    }

    /// A writer's batch is committed. Cheap; any thread.
    func batchCommitted(_ sequences: Range<UInt64>, at position: LogPosition, on server: ServerIdentity) {
        apply { $0.batchCommitted(sequences, at: position, on: server) }
    }

    /// The ledger already holds part of what a writer was about to write; queue the rest.
    func foundOverlap(in sequences: Range<UInt64>, covered: [Range<UInt64>]) {
        apply { $0.overlapFound(in: sequences, covered: covered) }
    }

    /// A batch's sequences are in the ledger with other lines: ends the service's loop with the reason.
    func fail(_ conflict: SequenceConflict) {
        state.withLock { $0.conflict = $0.conflict ?? conflict }
        wakeup.signal()
    }

    var conflict: SequenceConflict? { state.withLock { $0.conflict } }

    /// Sequences that the ledger must hold; two at most.
    func probes() -> [UInt64] {
        state.withLock { $0.machine.probes(share: .random(in: 0..<1)) }
    }

    /// A scan found that these can't be read back; they are to be recorded as dead.
    func report(lost: [LostSequences]) {
        guard !lost.isEmpty else { return }
        state.withLock { $0.lost += lost }
        wakeup.signal()
    }

    /// Puts back what could not be recorded; the next look at the database tries again, not before.
    func putBack(lost: [LostSequences]) {
        state.withLock { $0.lost.insert(contentsOf: lost, at: 0) }
    }

    func apply(_ event: (inout Machine) -> [Machine.Action]) {
        let hasWork = state.withLock { state in
            let actions = event(&state.machine)
            for action in actions where !(action == .readLedger && state.actions.contains(action)) {
                state.actions.append(action)
            }
            return !actions.isEmpty
        }
        if hasWork { wakeup.signal() }
    }

    func takeActions() -> [Machine.Action] {
        state.withLock { state in
            defer { state.actions = [] }
            return state.actions
        }
    }

    func takeLost() -> [LostSequences] {
        state.withLock { state in
            defer { state.lost = [] }
            return state.lost
        }
    }

    /// Those of `ranges` that are known not to be in the ledger.
    func missing(_ ranges: [Range<UInt64>]) -> [Range<UInt64>] {
        ranges.isEmpty ? [] : state.withLock { $0.machine.missing(ranges) }
    }

    /// Those of `retained` that the ledger does not hold; all of them before it has been read.
    func uncommitted(of retained: SequenceSet) -> Uncommitted {
        state.withLock { $0.machine.uncommitted(of: retained) }
    }

    /// How far `retained`, which ends at `end`, is settled.
    func settledEnd(of retained: SequenceSet, end: UInt64) -> UInt64 {
        state.withLock { $0.machine.settledEnd(of: retained, end: end) }
    }

    /// Puts back what could not be done because the connection went.
    func putBack(_ action: Machine.Action) {
        state.withLock { state in
            if !state.actions.contains(action) { state.actions.insert(action, at: 0) }
        }
    }

    /// Ends the service's loop.
    func stop() {
        state.withLock { $0.isStopping = true }
        wakeup.signal()
    }

    var isStopping: Bool { state.withLock { $0.isStopping } }

    /// Nothing more is written: the service tells so in `public.daemons`, and then calls `left`.
    func leave() {
        state.withLock { $0.isLeaving = true }
        wakeup.signal()
    }

    var isLeaving: Bool { state.withLock { $0.isLeaving } }

    func left() {
        state.withLock { $0.isLeaving = false }
    }

    /// The last position whose flush is awaited; nil when all is flushed.
    var unflushedEnd: LogPosition? { state.withLock { $0.machine.unflushedEnd } }
}
