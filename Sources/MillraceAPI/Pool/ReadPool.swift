package import Logging
package import MillracePostgres
package import MillraceRoutes
internal import ServiceLifecycle
internal import Synchronization
internal import MillraceTelemetry

/// The connections that readers share.
///
/// Enters: what to ask PostgreSQL. Leaves: the answer, or why there is none.
///
/// Invariants
/// 1. At most `connectionsMax` sessions, each with a thread of its own; nothing blocks the cooperative pool.
/// 2. At most `waitingMax` requests wait, each for at most `acquireTimeout`, in order of arrival.
/// 3. A session shows policies and views the tenant of the request that it is used for, and no other's.
/// 4. Every session is read-only (but for `isReadOnly` false), and every statement ends: the server's limit, the client's a second later.
///
/// Crash: nothing is kept. Backpressure: refusals. Shutdown: statements under way have `drainLimit`, then they are
/// interrupted; waiters are refused.
package final class ReadPool: Sendable {
    private struct State {
        var machine: ReadPoolStateMachine
        var counted = ReadLevels()
        var sessions: [Int: ReadSession] = [:]
        var waiters: [Int: CheckedContinuation<Result<Int, ReadRefusal>, Never>] = [:]
        /// What came for waiters before they had begun to wait.
        var resolved: [Int: Result<Int, ReadRefusal>] = [:]
    }

    private let settings: Live<ReadPoolConfiguration>
    private let interrupt = PostgresInterrupt()
    private let logger: Logger
    private let state: Mutex<State>
    package let metrics: ReadMetrics

    /// Opens no connection before one is asked for.
    package init(_ configuration: ReadPoolConfiguration, metrics: ReadMetrics = ReadMetrics(), logger: Logger) {
        settings = Live(configuration)
        self.metrics = metrics
        self.logger = logger
        state = Mutex(
            State(
                machine: ReadPoolStateMachine(
                    connectionsMin: configuration.api.connectionsMin, connectionsMax: configuration.api.connectionsMax,
                    waitingMax: configuration.api.waitingMax, idleTimeout: configuration.api.idleTimeout)))
    }

    private var configuration: ReadPoolConfiguration { settings.value }

    /// Takes other bounds and timeouts; a session that is open takes them before its next use.
    package func set(_ api: APIConfiguration) {
        var configuration = settings.value
        configuration.api = api
        settings.replace(with: configuration)
        let opened = state.withLock { state in
            let opened = state.machine.boundsChanged(
                connectionsMin: api.connectionsMin, connectionsMax: api.connectionsMax, waitingMax: api.waitingMax,
                idleTimeout: api.idleTimeout)
            for (number, _) in opened { state.sessions[number] = makeSession(number) }
            metrics.update(state.machine, &state.counted)
            return opened
        }
        for (number, waiter) in opened { resolve(waiter, .success(number)) }
    }

    private func makeSession(_ number: Int) -> ReadSession {
        ReadSession(number: number, settings: settings, interrupt: interrupt, logger: logger)
    }

    /// Runs `body` on a session's thread; it reads only, and runs once more when an idle connection turns out lost.
    /// `tenant`: whose rows policies and views show it; nil where it looks at no tenant's rows. Throws `ReadRefusal`,
    /// `PostgresError`, and what `body` throws.
    package func read<Answer: Sendable>(
        _ route: HTTPRoute? = nil, of tenant: Int32? = nil,
        _ body: @escaping @Sendable (PostgresConnection) throws -> Answer
    ) async throws -> Answer {
        let number: Int
        do {
            number = try await acquire()
        } catch let refusal as ReadRefusal {
            metrics.refused(refusal).add(1)
            throw refusal
        }
        guard let session = session(number) else { preconditionFailure("session \(number) is not of this pool") }
        let start = ContinuousClock.now
        let result: Result<Answer, any Error>
        do {
            result = .success(try await session.run(of: tenant, body))
        } catch {
            result = .failure(error)
        }
        if let route { metrics.onQuery(route, (ContinuousClock.now - start).microseconds) }
        await release(number, session)
        return try result.get()
    }

    /// Closes what is idle for too long, until graceful shutdown; then drains.
    package func run() async {
        try? await cancelWhenGracefulShutdown {
            while true {
                // No longer than a reload may want to wait for its own.
                let interval = min(.seconds(15), max(.milliseconds(100), self.configuration.api.idleTimeout / 4))
                try await Task.sleep(for: interval)
                await self.expire()
            }
        }
        let deadline = ContinuousClock.now + configuration.drainLimit
        while state.withLock({ $0.machine.busyCount }) > 0, ContinuousClock.now < deadline, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(10))
        }
        await stop()
    }

    /// Refuses who waits, interrupts what runs, and ends every session.
    package func stop() async {
        interrupt.raise()
        let (sessions, waiters) = state.withLock { state in
            let (sessions, waiters) = state.machine.stopped()
            metrics.update(state.machine, &state.counted)
            return (sessions.compactMap { state.sessions.removeValue(forKey: $0) }, waiters)
        }
        for waiter in waiters { resolve(waiter, .failure(.draining)) }
        for session in sessions { await session.end() }
    }

    private func session(_ number: Int) -> ReadSession? { state.withLock { $0.sessions[number] } }

    private func acquire() async throws -> Int {
        let acquired = state.withLock { state in
            let acquired = state.machine.acquired()
            if case .open(let number) = acquired {
                state.sessions[number] = makeSession(number)
            }
            metrics.update(state.machine, &state.counted)
            return acquired
        }
        switch acquired {
        case .use(let number), .open(let number): return number
        case .refuse(let refusal): throw refusal
        case .wait(let waiter): return try await wait(waiter).get()
        }
    }

    private func wait(_ waiter: Int) async -> Result<Int, ReadRefusal> {
        await withTaskGroup(of: Result<Int, ReadRefusal>?.self) { group in
            group.addTask {
                await withCheckedContinuation { continuation in
                    let resolved = self.state.withLock { state in
                        let resolved = state.resolved.removeValue(forKey: waiter)
                        if resolved == nil { state.waiters[waiter] = continuation }
                        return resolved
                    }
                    if let resolved { continuation.resume(returning: resolved) }
                }
            }
            group.addTask {
                // Ends early when the request is given up, or was served.
                try? await Task.sleep(for: self.configuration.api.acquireTimeout)
                self.giveUp(waiter)
                return nil
            }
            var outcome = Result<Int, ReadRefusal>.failure(.acquireTimeout)
            for await result in group {
                guard let result else { continue }
                outcome = result
                group.cancelAll()
            }
            return outcome
        }
    }

    private func giveUp(_ waiter: Int) {
        let waited = state.withLock { state in
            defer { metrics.update(state.machine, &state.counted) }
            return state.machine.gaveUp(waiter)
        }
        if waited { resolve(waiter, .failure(.acquireTimeout)) }
    }

    private func resolve(_ waiter: Int, _ result: Result<Int, ReadRefusal>) {
        let continuation = state.withLock { state in
            let continuation = state.waiters.removeValue(forKey: waiter)
            if continuation == nil { state.resolved[waiter] = result }
            return continuation
        }
        continuation?.resume(returning: result)
    }

    private func release(_ number: Int, _ session: ReadSession) async {
        let isConnected = await session.isConnected
        let released = state.withLock { state in
            let released = state.machine.released(number, isConnected: isConnected, at: .now)
            if case .end = released { state.sessions[number] = nil }
            metrics.update(state.machine, &state.counted)
            return released
        }
        switch released {
        case .hand(_, let waiter): resolve(waiter, .success(number))
        case .keep: break
        case .end: await session.end()
        }
    }

    private func expire() async {
        let ended = state.withLock { state in
            let expired = state.machine.expired(at: .now)
            metrics.update(state.machine, &state.counted)
            return expired.compactMap { state.sessions.removeValue(forKey: $0) }
        }
        for session in ended { await session.end() }
    }
}

extension Duration {
    fileprivate var microseconds: Int64 {
        components.seconds * 1_000_000 + components.attoseconds / 1_000_000_000_000
    }
}

/// How many connections readers may hold, and for how long.
package struct ReadPoolConfiguration: Sendable {
    /// libpq's keywords or URI.
    @Unprinted package var databaseURL: String
    /// What `pg_stat_activity` shows.
    package var applicationName = "millrace read"
    /// False where functions that write are called, which may be called twice.
    package var isReadOnly = true
    /// Of connections that write.
    package var primary: PrimaryGuard?
    package var api: APIConfiguration
    package var connectTimeout: Duration
    /// How long a stop waits for statements under way.
    package var drainLimit: Duration

    package init(
        databaseURL: String, api: APIConfiguration = APIConfiguration(), connectTimeout: Duration, drainLimit: Duration
    ) {
        self.databaseURL = databaseURL
        self.api = api
        self.connectTimeout = connectTimeout
        self.drainLimit = drainLimit
    }

    /// Opens a session of the server, by `open`, which is given a connection string; where it may write, of a primary alone.
    /// Throws while a backup is being restored there, which has rows of some tables and none of others. Blocks.
    func connect(
        _ open: (String) throws(PostgresError) -> PostgresConnection
    ) throws(PostgresError) -> PostgresConnection {
        let connection =
            if let primary { try primary.connect(databaseURL, open) } else { try open(databaseURL) }
        try Migrator.requireWhole(on: connection)
        return connection
    }
}
