internal import Glibc

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
    // SAFETY: allocated once, freed in deinit; made for use by many threads.
    nonisolated(unsafe) private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    // SAFETY: as `mutex`.
    nonisolated(unsafe) private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    // SAFETY: touched only with `mutex` held.
    nonisolated(unsafe) private var state = State()

    /// `name`: shown by `top -H`; the kernel keeps 15 bytes.
    package init(name: String) {
        self.name = name
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Hands the job to the thread, which runs jobs in the order of their calls, and starts the thread when none runs.
    /// Does not wait for any job.
    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        pthread_mutex_lock(mutex)
        state.jobs.append(job)
        let starts = !state.isRunning
        state.isRunning = true
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
        if starts { start() }
    }

    /// Lets the thread end once its jobs are done. Until then it keeps itself alive. Does not block.
    package func stop() {
        pthread_mutex_lock(mutex)
        state.isStopped = true
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
    }

    private func start() {
        var thread = pthread_t()
        let result = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                let executor = Unmanaged<ThreadExecutor>.fromOpaque(argument).takeRetainedValue()
                executor.nameThread()
                executor.runJobs()
                return nil
            }, Unmanaged.passRetained(self).toOpaque())
        precondition(result == 0, "no thread could be started: raise TasksMax or the limit on processes (\(result))")
        pthread_detach(thread)
    }

    /// `pthread_setname_np` and `prctl` are hidden from Swift by the C library's headers.
    private func nameThread() {
        let file = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { return }
        _ = write(file, name, min(name.utf8.count, 15))
        close(file)
    }

    private func runJobs() {
        while true {
            pthread_mutex_lock(mutex)
            while state.jobs.isEmpty, !state.isStopped { pthread_cond_wait(condition, mutex) }
            let jobs = state.jobs
            state.jobs.removeAll()
            if jobs.isEmpty { state.isRunning = false }
            pthread_mutex_unlock(mutex)
            if jobs.isEmpty { return }
            for job in jobs { job.runSynchronously(on: asUnownedSerialExecutor()) }
        }
    }
}
