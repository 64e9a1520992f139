package import MillraceEvent
import MillracePostgres
import Synchronization

/// Whether events are being written, as operators are told.
package struct WritingState: Sendable, Equatable {
    /// What stands still.
    package enum Reach: String, Sendable {
        /// No batch goes through.
        case nothing
        /// Some batches wait, others go through.
        case some
    }

    /// Something that has stood still for as long as is not normal.
    package struct Stall: Sendable, Equatable {
        package var reach: Reach
        package var since: Timestamp
        package var fault: WritingFault
        /// Lines in the spool that wait for it.
        package var linesWaiting: Int
    }

    /// nil while all is written.
    package var stall: Stall?

    package init(stall: Stall? = nil) {
        self.stall = stall
    }

    /// False while lines wait and nothing is written.
    package var isWriting: Bool { stall?.reach != .nothing }
}

/// The one place that knows whether events are being written: the writers and the ledger's session tell it, operators
/// ask it. Any thread.
package final class WritingMonitor: Sendable {
    private let machine: Mutex<WritingStateMachine>

    /// `stallAfter`: how long nothing is written while lines wait before that is a stall.
    package init(stallAfter: Duration = .seconds(8)) {
        machine = Mutex(WritingStateMachine(stallAfter: stallAfter))
    }

    /// What operators are told now.
    package var state: WritingState {
        machine.withLock { WritingState(stall: $0.stall.map(Self.stall)) }
    }

    /// Whether the writers stand still until someone acts.
    package var isStopped: Bool { machine.withLock { $0.isStopped } }

    func apply(_ event: WritingStateMachine.Event) {
        _ = machine.withLock { $0.apply(event, at: .now) }
    }

    /// Looks whether something stands still; returns what is to be said about it.
    func look(linesWaiting: Int) -> [WritingStateMachine.Action] {
        machine.withLock { $0.apply(.timePassed(linesWaiting: linesWaiting), at: .now) }
    }

    static func stall(_ stall: WritingStateMachine.Stall) -> WritingState.Stall {
        WritingState.Stall(
            reach: stall.reach, since: Timestamp(microseconds: Timestamp.now.microseconds - age(of: stall) / 1000),
            fault: stall.fault, linesWaiting: stall.linesWaiting)
    }

    /// In nanoseconds.
    private static func age(of stall: WritingStateMachine.Stall) -> Int64 {
        let (seconds, attoseconds) = stall.since.duration(to: .now).components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}
