/// One thread of its own for an actor that blocks (`fdatasync`, libpq), so that the cooperative pool never does.
///
/// The thread starts with the first job. After `stop()` it ends as soon as nothing waits; a job that comes later
/// starts it once more for as long as it takes, so a late call on the actor is late, never lost.
package final class ThreadExecutor: SerialExecutor, Sendable {
    private struct State {
        var jobs: [UnownedJob] = []
        var isRunning = false
        var isStopped = false
    }

    private let name: String
    private let state = ConditionLock(State())

    /// `name`: shown by `top -H`; the kernel keeps 15 bytes.
    package init(name: String) {
        self.name = name
    }

    /// Hands the job to the thread, which runs jobs in the order of their calls, and starts the thread when none runs.
    /// Does not wait for any job.
    package func enqueue(_ job: consuming ExecutorJob) {
        let unowned = UnownedJob(job)
        let starts = state.change { state in
            state.jobs.append(unowned)
            let starts = !state.isRunning
            state.isRunning = true
            return starts
        }
        // The thread keeps this alive until it ends.
        if starts { DetachedThread.start(named: name) { self.runJobs() } }
    }

    /// Lets the thread end once its jobs are done. Until then it keeps itself alive. Does not block.
    package func stop() {
        state.change { $0.isStopped = true }
    }

    private func runJobs() {
        while true {
            let jobs = state.wait { state -> [UnownedJob]? in
                guard !state.jobs.isEmpty || state.isStopped else { return nil }
                let jobs = state.jobs
                state.jobs.removeAll()
                if jobs.isEmpty { state.isRunning = false }
                return jobs
            }
            if jobs.isEmpty { return }
            for job in jobs { job.runSynchronously(on: asUnownedSerialExecutor()) }
        }
    }
}
