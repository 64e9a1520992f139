internal import Glibc
internal import Synchronization

/// A thread of its own for what blocks, beside a test that blocks too.
package final class BackgroundThread: Sendable {
    private final class Job: Sendable {
        let body: @Sendable () throws -> Void
        let failure = Mutex<(any Error)?>(nil)

        init(body: @escaping @Sendable () throws -> Void) {
            self.body = body
        }
    }

    private let job: Job
    private let identifier: pthread_t

    package init(_ body: @escaping @Sendable () throws -> Void) {
        let job = Job(body: body)
        self.job = job
        var identifier = pthread_t()
        let context = Unmanaged.passRetained(job).toOpaque()
        let status = pthread_create(
            &identifier, nil,
            { context in
                guard let context else { return nil }
                let job = Unmanaged<Job>.fromOpaque(context).takeRetainedValue()
                do { try job.body() } catch { job.failure.withLock { $0 = error } }
                return nil
            }, context)
        precondition(status == 0, "a thread can be started")
        self.identifier = identifier
    }

    /// Lets it end by itself, instead of `join`.
    package func detach() {
        pthread_detach(identifier)
    }

    /// Waits for the end of it; throws what it threw. Once only.
    package func join() throws {
        pthread_join(identifier, nil)
        if let error = job.failure.withLock({ $0 }) { throw error }
    }
}
