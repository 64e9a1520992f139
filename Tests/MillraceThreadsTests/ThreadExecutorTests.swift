import Glibc
import MillraceThreads
import MillraceEvent
import Testing

@Suite struct ThreadExecutorTests {
    private actor Pinned {
        let executor = ThreadExecutor(name: "pinned")
        nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
        private var count = 0

        func work() -> pthread_t {
            count += 1
            return pthread_self()
        }

        var total: Int { count }
    }

    @Test func `an actor's work stays on one thread, in which no two jobs meet`() async {
        let actor = Pinned()
        let threads = await withTaskGroup(of: pthread_t.self) { group in
            for _ in 0..<500 { group.addTask { await actor.work() } }
            return await group.reduce(into: Set<pthread_t>()) { $0.insert($1) }
        }
        #expect(threads.count == 1)
        #expect(await actor.total == 500)
        actor.executor.stop()
    }

    @Test func `work that comes after the stop is still done`() async {
        let actor = Pinned()
        _ = await actor.work()
        actor.executor.stop()
        for _ in 0..<50 { _ = await actor.work() }
        #expect(await actor.total == 51)
    }
}
