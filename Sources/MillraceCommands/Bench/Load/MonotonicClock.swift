internal import CEpoll

/// Nanoseconds, in 64 bits: `ContinuousClock`'s instants are too dear for every line.
enum MonotonicClock {
    static var now: Int64 { mr_monotonic_now() }

    /// Processor time of the calling thread.
    static var threadTime: Int64 { mr_thread_time() }
}
