internal import Glibc
internal import Synchronization
package import Testing

/// Runs each case of a suite on a thread of a pool: tests that block would hold Swift's own threads, of which there are
/// as few as there are processors. Writes how long each took into the file that `MILLRACE_TEST_TIMES` names.
package struct OwnThreads: SuiteTrait, TestTrait, TestScoping {
    package let isRecursive = true

    package func scopeProvider(for test: Test, testCase: Test.Case?) -> Self? {
        testCase == nil ? nil : self
    }

    package func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        let isFirst = test.traits.contains { $0 is StartsFirst }
        try await withTaskExecutorPreference(isFirst ? BlockingExecutor.first : .later) {
            let start = ContinuousClock.now
            TestTimes.shared?.add("begin", test)
            defer { TestTimes.shared?.add("\(Int((ContinuousClock.now - start) / .milliseconds(1)))", test) }
            try await function()
        }
    }
}

extension Trait where Self == OwnThreads {
    package static var onOwnThreads: Self { Self() }
}

/// A test that takes long: nothing waits for its end when it begins before the others.
package struct StartsFirst: TestTrait {}

extension Trait where Self == StartsFirst {
    package static var startsFirst: Self { Self() }
}

/// As many cases at a time as have threads; the others wait, whatever the number that Swift Testing lets begin.
private final class BlockingPool: Sendable {
    /// More than there are processors, because daemons and tests wait for each other most of the time. Not more on a
    /// large machine: the shared PostgreSQL has a number of sessions.
    private static let threadsMax = 6

    private struct State {
        var jobs: [@Sendable () -> Void] = []
        var threads = 0
    }

    private let state = Mutex(State())

    func add(isFirst: Bool, _ job: @escaping @Sendable () -> Void) {
        let starts = state.withLock { state in
            state.jobs.insert(job, at: isFirst ? 0 : state.jobs.count)
            guard state.threads < Self.threadsMax else { return false }
            state.threads += 1
            return true
        }
        if starts { BackgroundThread { [self] in runJobs() }.detach() }
    }

    private func runJobs() {
        while let job = nextJob() { job() }
    }

    /// Nil when the thread is to end.
    private func nextJob() -> (@Sendable () -> Void)? {
        state.withLock { state in
            guard !state.jobs.isEmpty else {
                state.threads -= 1
                return nil
            }
            return state.jobs.removeFirst()
        }
    }
}

private final class BlockingExecutor: TaskExecutor {
    private static let pool = BlockingPool()
    static let first = BlockingExecutor(isFirst: true)
    static let later = BlockingExecutor(isFirst: false)

    private let isFirst: Bool

    private init(isFirst: Bool) {
        self.isFirst = isFirst
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        Self.pool.add(isFirst: isFirst) { [self] in job.runSynchronously(on: asUnownedTaskExecutor()) }
    }
}

/// Two lines for each case: "begin" and later the milliseconds that it took, a tab, and the test.
private final class TestTimes: Sendable {
    static let shared = getenv("MILLRACE_TEST_TIMES").flatMap { TestTimes(path: String(cString: $0)) }

    // SAFETY: set once in init; a FILE locks itself while a line is written.
    private nonisolated(unsafe) let stream: UnsafeMutablePointer<FILE>

    private init?(path: String) {
        guard let stream = fopen(path, "ae") else { return nil }
        self.stream = stream
    }

    func add(_ what: String, _ test: Test) {
        fputs("\(what)\t\(test.id)\n", stream)
        fflush(stream)
    }
}
