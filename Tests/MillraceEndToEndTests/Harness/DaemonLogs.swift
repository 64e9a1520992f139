import MillraceTestSupport
import Synchronization
import Testing

/// Adds to each failure of a test what the daemons of the test have logged last: of a failure elsewhere there is often
/// nothing but the output.
struct DaemonLogs: SuiteTrait, TestTrait, TestScoping {
    private static let shownBytes = 3000

    /// Of the test that runs.
    @TaskLocal static var current: Book?

    /// The daemons of a test: their names, and how their logs end.
    final class Book: Sendable {
        private let logs = Mutex<[String: @Sendable () -> String]>([:])

        /// `end`: asked whenever something fails, and kept when the daemon goes.
        func add(_ name: String, end: @escaping @Sendable () -> String) {
            logs.withLock { $0[name] = end }
        }

        var comments: [Comment] {
            logs.withLock { $0 }.sorted { $0.key < $1.key }.map { name, end in
                "log of the daemon \(name):\n\(String(end().suffix(DaemonLogs.shownBytes)))"
            }
        }
    }

    let isRecursive = true

    func scopeProvider(for test: Test, testCase: Test.Case?) -> Self? {
        testCase == nil ? nil : self
    }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        try await Self.$current.withValue(Book()) {
            do {
                try await function()
            } catch let error as ExpectationFailedError {
                throw error
            } catch {
                // Here, where the book is at hand.
                Issue.record(error, sourceLocation: test.sourceLocation)
            }
        }
    }

    /// The issue with the logs, when it is a failure.
    static func added(to issue: Issue) -> Issue {
        guard let current, issue.isFailure else { return issue }
        var issue = issue
        // Asked twice: for the suite, and for the test in it.
        issue.comments += current.comments.filter { !issue.comments.contains($0) }
        return issue
    }
}

extension Trait where Self == DaemonLogs {
    /// Wants `compactMapIssues(DaemonLogs.added)` beside it.
    static var withDaemonLogs: Self { Self() }
}
