internal import Glibc

/// State that threads share, and whose changes they wait for. Time is monotonic.
package final class ConditionLock<State>: @unchecked Sendable {  // SAFETY: `state` is touched only with `mutex` held.
    // SAFETY: both C objects are made in init and destroyed in deinit; `state` is touched only with `mutex` held.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var state: State

    package init(_ state: sending State) {
        self.state = state
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Runs `body` alone; wakes nobody.
    package func withLock<Answer>(_ body: (inout State) -> Answer) -> Answer {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body(&state)
    }

    /// Runs `body` alone, and has those who wait look again.
    package func change<Answer>(_ body: (inout State) -> Answer) -> Answer {
        withLock { state in
            defer { pthread_cond_broadcast(condition) }
            return body(&state)
        }
    }

    /// Blocks until `body` has an answer; it is asked at once, and after each change.
    package func wait<Answer>(for body: (inout State) -> Answer?) -> Answer {
        withLock { state in
            while true {
                if let answer = body(&state) { return answer }
                pthread_cond_wait(condition, mutex)
            }
        }
    }

    /// The same, for `limit` at most; nil when there is no answer by then.
    @discardableResult
    package func wait<Answer>(upTo limit: Duration, for body: (inout State) -> Answer?) -> Answer? {
        var end = timespec()
        clock_gettime(CLOCK_MONOTONIC, &end)
        let (seconds, attoseconds) = limit.components
        end.tv_nsec += Int(attoseconds / 1_000_000_000)
        end.tv_sec += Int(seconds) + end.tv_nsec / 1_000_000_000
        end.tv_nsec %= 1_000_000_000
        return withLock { state in
            while true {
                if let answer = body(&state) { return answer }
                guard pthread_cond_timedwait(condition, mutex, &end) == 0 else { return body(&state) }
            }
        }
    }
}
