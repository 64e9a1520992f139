package import Logging
internal import MillraceAccess
package import MillracePostgres
package import MillraceRoutes
package import MillraceTelemetry
internal import ServiceLifecycle
internal import Synchronization

/// The servers that reading routes read: the primary, and its replicas of `api.read_url`.
///
/// Enters: what to ask PostgreSQL. Leaves: the answer, how far its server is behind, or why there is none.
///
/// Invariants
/// 1. All that one request reads is read of one server. Should a replica fail under it, all of it is read again elsewhere.
/// 2. A replica is read only while it answers and is at most `api.max_lag` behind; of several, the one that is least behind.
///    Where none is fit, the primary is read.
/// 3. With a position, only a server is read whose ledger holds all of the position's lines.
///
/// Crash: nothing is kept. Backpressure: that of each server's pool. Shutdown: that of the pools.
package final class ReadServers: Sendable {
    /// The first is the primary's.
    private let pools: [ReadPool]
    private let urls: [Secret]
    private let machine: Mutex<ReplicaStateMachine>
    /// Which replicas were last said to be read, and why another one is not.
    private let said: Mutex<[ReplicaStateMachine.Standing?]>
    private let api: Live<APIConfiguration>
    private let watched: [ReadPoolConfiguration]
    package let metrics: ReplicaMetrics
    private let logger: Logger

    private static let pauseMin = Duration.milliseconds(10)
    private static let pauseMax = Duration.milliseconds(100)

    /// - Parameters:
    ///   - primary: of the database that is written.
    ///   - replicas: connection strings; those of `primary` in all else.
    package init(
        primary: ReadPoolConfiguration, replicas: [Secret] = [], metrics: ReadMetrics = ReadMetrics(), logger: Logger
    ) {
        let copies = replicas.map { url in
            var copy = primary
            copy.databaseURL = url.value
            copy.primary = nil
            return copy
        }
        watched = copies.isEmpty ? [] : [primary] + copies
        pools = ([primary] + copies).map { ReadPool($0, metrics: metrics, logger: logger) }
        urls = replicas
        machine = Mutex(ReplicaStateMachine(count: replicas.count, silence: Self.silence(primary.api)))
        said = Mutex(Array(repeating: nil, count: replicas.count))
        api = Live(primary.api)
        self.metrics = ReplicaMetrics(replicas: replicas.count)
        self.logger = logger
    }

    private static func silence(_ api: APIConfiguration) -> Duration { max(.seconds(5), api.lagInterval * 3) }

    /// The pool of the primary, for what no replica can be asked.
    package var primary: ReadPool { pools[ReadPlace.primary] }

    /// As `ReadPool.read`, of the request's server; outside of `reading`, of the primary.
    package func read<Answer: Sendable>(
        _ route: HTTPRoute? = nil, of tenant: Int32? = nil,
        _ body: @escaping @Sendable (PostgresConnection) throws -> Answer
    ) async throws -> Answer {
        try await pools[ReadPlace.currentServer].read(route, of: tenant, body)
    }

    /// Runs `body`, all of whose reads are of one server; again, of another one, where a replica fails under it. `position`: of
    /// lines that the caller wants to be there. Throws `ReadRefusal.positionNotCommitted`, and what `body` throws.
    func reading<Answer>(
        after position: AckPosition?, _ body: () async throws -> Answer
    ) async throws -> (answer: Answer, place: ReadPlace) {
        var failed: Set<Int> = []
        while true {
            let place =
                if let position { try await self.place(having: position, except: &failed) } else {
                    chosen(except: failed)
                }
            do {
                metrics.chosen(place.server).add(1)
                return (try await ReadPlace.$current.withValue(place) { try await body() }, place)
            } catch let error as PostgresError where place.server != ReadPlace.primary && error.isOfServer {
                leave(place.server, error)
                failed.insert(place.server)
            }
        }
    }

    /// Takes other bounds and timeouts of `[api]`.
    package func set(_ api: APIConfiguration) {
        self.api.replace(with: api)
        for pool in pools { pool.set(api) }
    }

    /// Looks after the servers until graceful shutdown; then drains.
    package func run() async {
        await withTaskGroup(of: Void.self) { group in
            for pool in pools { group.addTask { await pool.run() } }
            group.addTask {
                await withTaskGroup(of: Void.self) { watches in
                    for (number, configuration) in self.watched.enumerated() {
                        let watch = ServerWatch(
                            number: number, configuration, every: self.api.value.lagInterval
                        ) { self.looked(at: number, $0) }
                        watches.addTask { await cancelWhenGracefulShutdown { await watch.run() } }
                    }
                }
            }
        }
    }

    /// Refuses who waits, interrupts what runs, and ends every session.
    package func stop() async {
        for pool in pools { await pool.stop() }
    }

    /// How far a replica (from 1) is behind, and whether it is read.
    package func standing(of server: Int) -> (lag: Duration, isRead: Bool) {
        let standing = machine.withLock {
            $0.standing(of: server - 1, lagMax: api.value.maxLag, at: .now)
        }
        return switch standing {
        case .fit(let lag): (lag, true)
        case .behind(let lag): (lag, false)
        case .silent, .foreign, .overtaken, .unknown: (.zero, false)
        }
    }

    private func chosen(except failed: Set<Int>) -> ReadPlace {
        let chosen = machine.withLock {
            $0.chosen(lagMax: api.value.maxLag, except: Set(failed.map { $0 - 1 }), at: .now)
        }
        return chosen.map { ReadPlace(server: $0.replica + 1, lag: $0.lag) } ?? ReadPlace(server: ReadPlace.primary)
    }

    /// Waits for a replica to get the lines, and then looks whether the primary has them.
    private func place(having position: AckPosition, except failed: inout Set<Int>) async throws -> ReadPlace {
        let deadline = ContinuousClock.now + api.value.afterWait
        var pause = Self.pauseMin
        while true {
            var place = chosen(except: failed)
            // Time is up: it may be the replicas that are late.
            if ContinuousClock.now >= deadline { place = ReadPlace(server: ReadPlace.primary) }
            do {
                if try await holds(position, at: place.server) {
                    place.isAfter = true
                    return place
                }
            } catch let error as PostgresError
                where place.server != ReadPlace.primary && (error.isOfServer || error.sqlState?.category == "42")
            {
                // Also a role that may not read the ledger there.
                leave(place.server, error)
                failed.insert(place.server)
                continue
            }
            let left = ContinuousClock.now.duration(to: deadline)
            guard left > .zero || place.server != ReadPlace.primary else { throw refused() }
            try await Task.sleep(for: max(.zero, min(pause, left)))
            pause = min(pause * 2, Self.pauseMax)
        }
    }

    private func refused() -> ReadRefusal {
        primary.metrics.refused(.positionNotCommitted).add(1)
        return .positionNotCommitted
    }

    /// Whether the ledger of a server has all of the sequences. Its rows don't overlap, so that their lengths can be added.
    private func holds(_ position: AckPosition, at server: Int) async throws -> Bool {
        try await pools[server].read { connection in
            try connection.query(
                """
                SELECT COALESCE(sum(LEAST(last_seq, $3::bigint) - GREATEST(first_seq, $2::bigint) + 1), 0)
                    = $3::bigint - $2::bigint + 1
                FROM public.ingest_batches
                WHERE spool_id = $1::uuid
                    AND first_seq <= $3::bigint
                    AND last_seq >= $2::bigint
                    AND first_seq >= COALESCE(
                        (
                            SELECT first_seq
                            FROM public.ingest_batches
                            WHERE spool_id = $1::uuid AND first_seq <= $2::bigint
                            ORDER BY first_seq DESC
                            LIMIT 1
                        ), $2::bigint)
                """,
                parameters: [
                    .text("\(position.spool)"), .integer(Int64(position.sequences.lowerBound)),
                    .integer(Int64(position.sequences.upperBound)),
                ]
            ).bool(0, 0) == true
        }
    }

    private func leave(_ server: Int, _ error: PostgresError) {
        // One that only ended a statement in favour of its replay goes on, and so does one that keeps its ledger to itself.
        guard error.code == .connectionFailed else { return }
        machine.withLock { $0.failed(server - 1) }
        tell(server, error)
    }

    private func looked(at number: Int, _ result: Result<ReplicaStateMachine.Answer, PostgresError>) {
        var failure: PostgresError?
        machine.withLock { machine in
            switch (result, number) {
            case (.success(let answer), ReadPlace.primary): machine.primaryAnswered(answer, at: .now)
            case (.failure, ReadPlace.primary): machine.primaryFailed()
            case (.success(let answer), _): machine.answered(number - 1, answer, at: .now)
            case (.failure(let error), _):
                machine.failed(number - 1)
                failure = error
            }
        }
        if number != ReadPlace.primary { tell(number, failure) }
    }

    /// Says which replica is read from now on, or not any more: once a change.
    private func tell(_ server: Int, _ error: PostgresError?) {
        let standing = machine.withLock { $0.standing(of: server - 1, lagMax: api.value.maxLag, at: .now) }
        // The primary answers soon, or the log says otherwise that it does not.
        guard standing != .unknown else { return }
        let isNew = said.withLock { said in
            defer { said[server - 1] = standing }
            return said[server - 1].map { !$0.isSame(as: standing) } ?? true
        }
        guard isNew else { return }
        let place = "\(server): \(ConnectionString(urls[server - 1].value).shown)"
        if let reason = standing.reason {
            logger.warning(
                "replica not read",
                metadata: [.replica: "\(place)", .reason: "\(error.map { "\(reason): \($0.message)" } ?? reason)"])
        } else {
            logger.notice("replica read", metadata: [.replica: "\(place)"])
        }
    }
}

/// What the choice of servers counts; the daemon exports it.
package struct ReplicaMetrics: Sendable {
    private let chosenCounts: [MetricCounter]

    init(replicas: Int) {
        chosenCounts = (0...replicas).map { _ in MetricCounter() }
    }

    /// Reads of the primary (0), and of each replica.
    package func chosen(_ server: Int) -> MetricCounter { chosenCounts[server] }

    package var replicas: Int { chosenCounts.count - 1 }
}

extension PostgresError {
    /// Another server may answer: this one can't be reached, stops, has no room for a session, or has ended a statement that
    /// held up its replay.
    fileprivate var isOfServer: Bool {
        if code == .connectionFailed { return true }
        guard code == .serverError, let state = sqlState else { return false }
        return ["08", "40", "53"].contains(state.category)
            || ["57P01", "57P02", "57P03"].contains(state.rawValue)
    }
}

extension ReplicaStateMachine.Standing {
    /// Why it is not read; nil where it is.
    fileprivate var reason: String? {
        switch self {
        case .fit: nil
        case .behind: "it is further behind the primary than api.max_lag"
        case .silent: "it does not answer"
        case .foreign: "it is a standby of another cluster than that of database.url"
        case .overtaken: "it was the primary before a failover"
        case .unknown: "how far it is behind is not known before the primary has answered"
        }
    }

    fileprivate func isSame(as other: Self) -> Bool { reason == other.reason }
}
