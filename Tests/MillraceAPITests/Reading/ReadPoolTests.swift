import MillraceAPI
import MillracePostgres
import MillraceTestSupport
import Testing

@testable import MillraceAPI
import MillraceTelemetry

@Suite(.timeLimit(.minutes(10)))
struct ReadPoolTests {
    private func machine(max: Int = 2, waiting: Int = 1, min: Int = 1) -> ReadPoolStateMachine {
        ReadPoolStateMachine(
            connectionsMin: min, connectionsMax: max, waitingMax: waiting, idleTimeout: .seconds(10))
    }

    @Test func `sessions are opened on demand, then requests wait, then they are refused`() {
        var machine = machine()
        #expect(machine.acquired() == .open(1))
        #expect(machine.acquired() == .open(2))
        #expect(machine.acquired() == .wait(1))
        #expect(machine.acquired() == .refuse(.tooManyReaders))
        #expect(machine.released(1, isConnected: true, at: .now) == .hand(session: 1, waiter: 1))
        #expect(machine.released(2, isConnected: true, at: .now) == .keep)
        #expect(machine.acquired() == .use(2))
        #expect(machine.released(2, isConnected: false, at: .now) == .end)
        #expect(machine.acquired() == .open(3))
    }

    @Test func `a waiter that gave up is passed over`() {
        var machine = machine(max: 1, waiting: 2)
        _ = machine.acquired()
        #expect(machine.acquired() == .wait(1))
        #expect(machine.acquired() == .wait(2))
        let gaveUp = [machine.gaveUp(1), machine.gaveUp(1)]
        #expect(gaveUp == [true, false])
        #expect(machine.released(1, isConnected: true, at: .now) == .hand(session: 1, waiter: 2))
    }

    @Test func `idle sessions end when they are old, but for the least`() {
        var machine = machine(max: 4)
        let now = ContinuousClock.now
        for _ in 0..<4 { _ = machine.acquired() }
        for session in 1...4 {
            #expect(machine.released(session, isConnected: true, at: now + .seconds(session)) == .keep)
        }
        #expect(machine.expired(at: now + .seconds(12)) == [1, 2])
        #expect(machine.acquired() == .use(4))
        #expect(machine.expired(at: now + .seconds(60)) == [3])
        #expect(machine.released(4, isConnected: true, at: now + .seconds(60)) == .keep)
        #expect(machine.expired(at: now + .seconds(600)).isEmpty)
    }

    @Test func `after a stop nobody gets a session, and busy ones end`() {
        var machine = machine(max: 1, waiting: 5)
        _ = machine.acquired()
        _ = machine.acquired()
        let (sessions, waiters) = machine.stopped()
        #expect(sessions.isEmpty && waiters == [1])
        #expect(machine.acquired() == .refuse(.draining))
        #expect(machine.released(1, isConnected: true, at: .now) == .end)
    }

    private func pool(_ change: (inout ReadPoolConfiguration) -> Void = { _ in }) throws -> ReadPool {
        var configuration = ReadPoolConfiguration(
            databaseURL: try SharedReadDatabase.get().connectionString, connectTimeout: .seconds(5),
            drainLimit: .seconds(5))
        change(&configuration)
        return ReadPool(configuration, logger: RunningAPI.quiet)
    }

    @Test func `many readers share few connections, and none is lost`() async throws {
        let pool = try pool {
            $0.api.connectionsMax = 3
            $0.api.acquireTimeout = .seconds(600)
        }
        let backends = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<200 {
                group.addTask { try await pool.read { try $0.execute("SELECT pg_backend_pid()").int(0, 0) ?? 0 } }
            }
            return try await group.reduce(into: Set<Int>()) { $0.insert($1) }
        }
        #expect((1...3).contains(backends.count))
        #expect(pool.metrics.connectionsBusy.value == 0 && pool.metrics.requestsWaiting.value == 0)
        await pool.stop()
    }

    @Test func `a request waits no longer than it may`() async throws {
        let pool = try pool {
            $0.api.connectionsMax = 1
            $0.api.acquireTimeout = .milliseconds(50)
            $0.api.statementTimeout = .seconds(600)
        }
        // What the reader waits for until the other one was refused.
        let keeper = try SharedReadDatabase.get().connect()
        try keeper.execute("SELECT pg_advisory_lock(95)")
        let (held, hold) = AsyncStream<Void>.makeStream()
        try await withThrowingTaskGroup { group in
            group.addTask {
                try await pool.read { connection in
                    hold.yield()
                    _ = try connection.execute("SELECT pg_advisory_lock(95)")
                }
            }
            var iterator = held.makeAsyncIterator()
            _ = await iterator.next()
            await #expect(throws: ReadRefusal.acquireTimeout) { try await pool.read { _ in } }
            keeper.close()
            try await group.waitForAll()
        }
        #expect(pool.metrics.refused(.acquireTimeout).value == 1)
        await pool.stop()
    }

    @Test func `sessions only read, and statements end`() async throws {
        let pool = try pool { $0.api.statementTimeout = .milliseconds(50) }
        let write = await #expect(throws: PostgresError.self) {
            try await pool.read { _ = try $0.execute("CREATE TABLE public.nothing ()") }
        }
        #expect(write?.sqlState == .readOnlyTransaction)
        let long = await #expect(throws: PostgresError.self) {
            try await pool.read { _ = try $0.execute("SELECT pg_sleep(30)") }
        }
        #expect(long?.sqlState == .queryCanceled)
        await pool.stop()
    }

    @Test func `a connection that was lost while idle is made anew`() async throws {
        let pool = try pool()
        let first = try await pool.read { try $0.execute("SELECT pg_backend_pid()").int(0, 0) ?? 0 }
        try TestCluster.shared.superuser().execute("SELECT pg_terminate_backend(\(first), 5000)")
        let second = try await pool.read { try $0.execute("SELECT pg_backend_pid()").int(0, 0) ?? 0 }
        #expect(first != second)
        await pool.stop()
    }

    @Test func `a stop interrupts what runs`() async throws {
        let pool = try pool { $0.api.statementTimeout = .seconds(600) }
        let (held, hold) = AsyncStream<Void>.makeStream()
        await withTaskGroup { group in
            group.addTask {
                await #expect(throws: PostgresError.self) {
                    try await pool.read { connection in
                        hold.yield()
                        _ = try connection.execute("SELECT pg_sleep(600)")
                    }
                }
            }
            var iterator = held.makeAsyncIterator()
            _ = await iterator.next()
            await pool.stop()
            await group.waitForAll()
        }
        await #expect(throws: ReadRefusal.draining) { try await pool.read { _ in } }
    }
}

private enum SharedReadDatabase {
    private static let shared = Result { try TestCluster.shared.database("read_pool") }

    static func get() throws -> TestDatabase { try shared.get() }
}
