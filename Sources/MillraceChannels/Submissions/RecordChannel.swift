import Synchronization

/// The bounded channel from the intake to the spool.
///
/// Many producers (event loops, routes), one consumer (the spool). Bounded by bytes: above `bytesMax` a producer is
/// told to pause and asks to be woken; it stops reading its socket meanwhile. What one producer had in hand when the
/// channel filled still goes in, so the true bound is `bytesMax` plus one read a connection. Producers of several lanes
/// share `bytesMax` and take turns (`RecordLanes`); a lane that comes when others have filled it still has its share, so
/// that the bound is twice `bytesMax` then.
///
/// A channel of its own because group commit needs "all that is waiting" in one step, and producers are synchronous.
/// With swift-async-algorithms' `MultiProducerSingleConsumerAsyncChannel` each line has a sync of its own, and 64 clients
/// get 4,470 answers a second instead of 138,600; with a task that gathers after it, 114,800
/// (`Benchmarks/experiments/own-channels.md`).
package final class RecordChannel: Sendable {
    package enum Pressure: Sendable {
        /// Keep reading.
        case proceed
        /// Stop reading and call `whenWritable`.
        case pause
    }

    private struct State {
        var lanes: RecordLanes
        var consumer: CheckedContinuation<[Submission], Never>?
        var refusal: SpoolRefusal?
        var isFinished = false
    }

    private let state: Mutex<State>
    private let start = ContinuousClock.now

    /// `bytesMax`: bytes waiting for the spool above which producers pause (`spool.queue_bytes`).
    package init(bytesMax: Int) {
        state = Mutex(State(lanes: RecordLanes(bytesMax: bytesMax)))
    }

    /// Bytes waiting for the spool now.
    package var waitingBytes: Int { state.withLock { $0.lanes.waitingBytes } }

    private var nanoseconds: UInt64 { UInt64((ContinuousClock.now - start) / .nanoseconds(1)) }

    /// Why submissions are refused at once now; nil when they are taken.
    package var refusal: SpoolRefusal? { state.withLock { $0.refusal } }

    /// Hands a submission over. Never blocks. While a refusal is set (or after `finish`) the submission's reply is
    /// called with it before this returns.
    @discardableResult
    package func send(_ submission: Submission) -> Pressure {
        let byteCount = submission.byteCount
        let (refusal, consumer, pressure) = state.withLock {
            state -> (SpoolRefusal?, CheckedContinuation<[Submission], Never>?, Pressure) in
            if let refusal = state.refusal ?? (state.isFinished ? .draining : nil) { return (refusal, nil, .proceed) }
            state.lanes.sent(by: submission.lane, now: nanoseconds)
            if let consumer = state.consumer {
                state.consumer = nil
                return (nil, consumer, .proceed)
            }
            return (nil, nil, state.lanes.append(submission, bytes: byteCount) ? .proceed : .pause)
        }
        if let refusal { submission.reply(.failed(refusal)) }
        consumer?.resume(returning: [submission])
        return pressure
    }

    /// Calls `resume` once, on any thread, as soon as there is room for the lane (at once when there is).
    package func whenWritable(lane: UInt64 = 0, _ resume: @escaping @Sendable () -> Void) {
        if !state.withLock({ $0.lanes.pause(lane, resume) }) { resume() }
    }

    /// Waits for submissions and takes all of them, in order; where several lanes send, one turn of each. Empty once the
    /// channel is finished and drained. One consumer only. Stays on the caller's executor: the spool's thread takes its work
    /// without a detour.
    package nonisolated(nonsending) func next() async -> [Submission] {
        let (taken, paused) = state.withLock { $0.lanes.take(now: nanoseconds) }
        for resume in paused { resume() }
        if !taken.isEmpty { return taken }
        return await withCheckedContinuation { continuation in
            let (ready, paused) = state.withLock { state -> ([Submission]?, [@Sendable () -> Void]) in
                let (taken, paused) = state.lanes.take(now: nanoseconds)
                if !taken.isEmpty || state.isFinished { return (taken, paused) }
                precondition(state.consumer == nil, "a record channel has one consumer")
                state.consumer = continuation
                return (nil, paused)
            }
            for resume in paused { resume() }
            if let ready { continuation.resume(returning: ready) }
        }
    }

    /// Sets or clears the reason why submissions are refused at once (a full disk, a drain).
    package func refuse(_ refusal: SpoolRefusal?) {
        state.withLock { $0.refusal = refusal }
    }

    /// Ends the channel: what is waiting is still taken, what comes later is refused as `draining`.
    package func finish() {
        let consumer = state.withLock { state in
            state.isFinished = true
            let consumer = state.consumer
            state.consumer = nil
            return consumer
        }
        consumer?.resume(returning: [])
    }
}
