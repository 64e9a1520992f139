import Synchronization

/// The bounded channel from the intake to the spool.
///
/// Many producers (event loops, routes), one consumer (the spool). Bounded by bytes: above `bytesMax` a producer is
/// told to pause and asks to be woken; it stops reading its socket meanwhile. What one producer had in hand when the
/// channel filled still goes in, so the true bound is `bytesMax` plus one read a connection.
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
        var waiting: [Submission] = []
        var waitingBytes = 0
        var consumer: CheckedContinuation<[Submission], Never>?
        var paused: [@Sendable () -> Void] = []
        var refusal: SpoolRefusal?
        var isFinished = false

        mutating func take() -> (submissions: [Submission], paused: [@Sendable () -> Void]) {
            defer {
                waiting = []
                waitingBytes = 0
                paused = []
            }
            return (waiting, paused)
        }
    }

    private let bytesMax: Int
    private let state = Mutex(State())

    /// `bytesMax`: bytes waiting for the spool above which producers pause (`spool.queue_bytes`).
    package init(bytesMax: Int) {
        self.bytesMax = bytesMax
    }

    /// Bytes waiting for the spool now.
    package var waitingBytes: Int { state.withLock { $0.waitingBytes } }

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
            if let consumer = state.consumer {
                state.consumer = nil
                return (nil, consumer, .proceed)
            }
            state.waiting.append(submission)
            state.waitingBytes += byteCount
            return (nil, nil, state.waitingBytes >= bytesMax ? .pause : .proceed)
        }
        if let refusal { submission.reply(.failed(refusal)) }
        consumer?.resume(returning: [submission])
        return pressure
    }

    /// Calls `resume` once, on any thread, as soon as there is room (at once when there is).
    package func whenWritable(_ resume: @escaping @Sendable () -> Void) {
        let isWritable = state.withLock { state in
            if state.waitingBytes < bytesMax { return true }
            state.paused.append(resume)
            return false
        }
        if isWritable { resume() }
    }

    /// Waits for submissions and takes all of them, in order. Empty once the channel is finished and drained.
    /// One consumer only. Stays on the caller's executor: the spool's thread takes its work without a detour.
    package nonisolated(nonsending) func nextAll() async -> [Submission] {
        let (taken, paused) = state.withLock { $0.take() }
        for resume in paused { resume() }
        if !taken.isEmpty { return taken }
        return await withCheckedContinuation { continuation in
            let (ready, paused) = state.withLock { state -> ([Submission]?, [@Sendable () -> Void]) in
                let (taken, paused) = state.take()
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
