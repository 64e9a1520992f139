import MillraceTelemetry
import Synchronization
import Testing

struct LiveTests {
    @Test func `a copy keeps its value until it looks again, and then says that it has changed`() {
        let live = Live(1)
        var copy = LiveCopy(live)
        live.replace(with: 2)
        #expect(copy.value == 1)
        let hasChanged = copy.refresh()
        #expect(hasChanged)
        #expect(copy.value == 2)
        let hasChangedAgain = copy.refresh()
        #expect(!hasChangedAgain)
        #expect(live.value == 2)
    }

    @Test func `an observer gets the value in force and every one after it, in order`() {
        let live = Live("first")
        let seen = Mutex<[String]>([])
        live.onChange { value in seen.withLock { $0.append(value) } }
        live.replace(with: "second")
        live.replace(with: "third")
        #expect(seen.withLock { $0 } == ["first", "second", "third"])
    }

    @Test func `holders on many threads end up with the last value`() async {
        let live = Live(0)
        await withTaskGroup(of: Int.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    var copy = LiveCopy(live)
                    while copy.value < 10_000 {
                        copy.refresh()
                        await Task.yield()
                    }
                    return copy.value
                }
            }
            for value in 1...10_000 { live.replace(with: value) }
            for await value in group { #expect(value == 10_000) }
        }
    }
}
