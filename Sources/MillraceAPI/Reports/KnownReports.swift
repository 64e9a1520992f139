internal import NIOCore
internal import Synchronization

/// Reports of the pack `product` that were made, as long as they hold; and who makes one that several ask for.
///
/// 1. What is asked several times at once is made once: those who ask while nobody makes it yet get the answer of who does,
///    which is begun after all of them have asked. So none gets an answer that is older than its question.
/// 2. What is kept has at most as many bytes as the caller says; the oldest go first.
package final class KnownReports: Sendable {
    struct Question: Hashable, Sendable {
        var tenant: Int32
        /// Number of the one that is read: what another one shows may be older.
        var server: Int
        /// Route, parameters and time range.
        var text: String
    }

    struct Report: Sendable {
        /// Of the rows that it was made of: another one is another answer.
        var version: String
        /// JSON objects, separated by commas.
        var rows: ByteBuffer
        /// RFC 3339.
        var asOf: String
        var madeAt: ContinuousClock.Instant

        var age: Duration { .now - madeAt }
    }

    private typealias Follower = CheckedContinuation<Turn, Never>

    private enum Turn: Sendable {
        /// To make it, for these others too.
        case make([Follower])
        case made(Result<Report, any Error>)
    }

    private struct State {
        var kept: [Question: Report] = [:]
        var byteCount = 0
        /// Of questions whose report is being made: who has asked since that was begun.
        var waiting: [Question: [Follower]] = [:]
    }

    private let state = Mutex(State())

    package init() {}

    /// The last one that was made, however old.
    func kept(_ question: Question) -> Report? { state.withLock { $0.kept[question] } }

    /// Runs `make`, or waits for another's who is about to. Throws what `make` does.
    func report(
        _ question: Question, bytesMax: Int, _ make: () async throws -> Report
    ) async throws -> Report {
        let followers: [Follower]
        switch await turn(question) {
        case .made(let result): return try result.get()
        case .make(let others): followers = others
        }
        let result: Result<Report, any Error>
        do {
            result = .success(try await make())
        } catch {
            result = .failure(error)
        }
        if let report = try? result.get() { keep(report, question, bytesMax) }
        // Who gave up says nothing to the others: one of them makes it.
        let isGivenUp = Task.isCancelled && (try? result.get()) == nil
        let waiting = state.withLock { state in
            let waiting = (isGivenUp ? followers : []) + (state.waiting[question] ?? [])
            state.waiting[question] = waiting.isEmpty ? nil : []
            return waiting
        }
        if !isGivenUp {
            for follower in followers { follower.resume(returning: .made(result)) }
        }
        waiting.first?.resume(returning: .make(Array(waiting.dropFirst())))
        return try result.get()
    }

    private func turn(_ question: Question) async -> Turn {
        await withCheckedContinuation { continuation in
            let isFirst = state.withLock { state in
                guard state.waiting[question] != nil else {
                    state.waiting[question] = []
                    return true
                }
                state.waiting[question]?.append(continuation)
                return false
            }
            if isFirst { continuation.resume(returning: .make([])) }
        }
    }

    private func keep(_ report: Report, _ question: Question, _ bytesMax: Int) {
        state.withLock { state in
            let before = state.kept.updateValue(report, forKey: question)
            state.byteCount += Self.size(question, report) - (before.map { Self.size(question, $0) } ?? 0)
            while state.byteCount > bytesMax, let oldest = state.kept.min(by: { $0.value.madeAt < $1.value.madeAt }) {
                state.kept[oldest.key] = nil
                state.byteCount -= Self.size(oldest.key, oldest.value)
            }
        }
    }

    private static func size(_ question: Question, _ report: Report) -> Int {
        // With what a dictionary's entry takes.
        question.text.utf8.count + report.rows.readableBytes + report.version.utf8.count + 256
    }
}
