internal import Synchronization

/// The token keys of `jwt.jwks_url` as they were fetched last, and those who wait for a fetch. Someone else fetches, when
/// `wanted` says so.
package final class RemoteTokenKeys: Sendable {
    /// Tokens and others who wait for the same fetch.
    private struct Waiters {
        var tokens: [CheckedContinuation<[TokenKey], Never>] = []
        var askers: [CheckedContinuation<Void, Never>] = []

        func resume(_ keys: [TokenKey]) {
            for token in tokens { token.resume(returning: keys) }
            for asker in askers { asker.resume() }
        }
    }

    private struct State {
        var keys: [TokenKey] = []
        var retry: Duration
        /// When a fetch was last wanted for a key that is not known.
        var wantedAt: ContinuousClock.Instant?
        /// For the fetch that begins next.
        var next = Waiters()
        /// For the fetch under way.
        var current: Waiters?
        var isClosed = false
    }

    /// Tokens that wait for one fetch; the others are looked for among the keys that are there.
    private static let waitersMax = 64

    /// An element for each fetch that is wanted; one that has not begun yet stands for all.
    package let wanted: AsyncStream<Void>
    private let wants: AsyncStream<Void>.Continuation
    private let state: Mutex<State>

    /// `retry`: least time between two fetches that tokens ask for.
    package init(retry: Duration) {
        (wanted, wants) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        state = Mutex(State(retry: retry))
    }

    /// In force.
    var keys: [TokenKey] { state.withLock { $0.keys } }

    package var keyCount: Int { keys.count }

    package func setRetry(_ retry: Duration) {
        state.withLock { $0.retry = retry }
    }

    /// Takes a fetched set; its keys alone are in force from now on. Throws `TokenVerifier.KeyError`, and changes nothing,
    /// where it has no key to be used.
    package func take(_ json: some Sequence<UInt8>) async throws {
        let keys = try await TokenKeySet(fetched: json).keys
        state.withLock { $0.keys = keys }
    }

    /// Nothing is believed any more until the next `take`: the keys were of another address.
    package func removeAll() {
        state.withLock { $0.keys = [] }
    }

    /// Asks for a fetch.
    package func want() {
        wants.yield()
    }

    /// Asks for a fetch, and waits for its end.
    package func fetch() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isClosed { state.next.askers.append(continuation) }
                return !state.isClosed
            }
            if isOpen { wants.yield() } else { continuation.resume() }
        }
    }

    package func fetchBegan() {
        state.withLock { state in
            state.current = state.next
            state.next = Waiters()
        }
    }

    /// With or without a new set.
    package func fetchEnded() {
        let (waiters, keys) = state.withLock { state in
            defer { state.current = nil }
            return (state.current, state.keys)
        }
        waiters?.resume(keys)
    }

    /// Nothing is fetched any more.
    package func close() {
        let (waiters, keys) = state.withLock { state in
            defer { (state.next, state.current) = (Waiters(), nil) }
            state.isClosed = true
            return ([state.next, state.current].compactMap { $0 }, state.keys)
        }
        wants.finish()
        for waiter in waiters { waiter.resume(keys) }
    }

    /// Asks for a fetch, at most once in `retry`, and waits for its end; else what is there. A flood of tokens with made-up
    /// kids costs nothing beyond.
    func keysAfterFetch(now: ContinuousClock.Instant = .now) async -> [TokenKey] {
        await withCheckedContinuation { continuation in
            let (keys, isFirst) = state.withLock { state -> ([TokenKey]?, Bool) in
                guard !state.isClosed else { return (state.keys, false) }
                guard let last = state.wantedAt, now - last < state.retry else {
                    state.wantedAt = now
                    state.next.tokens.append(continuation)
                    return (nil, true)
                }
                // Others of the same time wait for the same fetch, and nobody for one that was not wanted by tokens.
                if !state.next.tokens.isEmpty, state.next.tokens.count < Self.waitersMax {
                    state.next.tokens.append(continuation)
                } else if let current = state.current, (1..<Self.waitersMax).contains(current.tokens.count) {
                    state.current?.tokens.append(continuation)
                } else {
                    return (state.keys, false)
                }
                return (nil, false)
            }
            if let keys { continuation.resume(returning: keys) }
            if isFirst { wants.yield() }
        }
    }
}
