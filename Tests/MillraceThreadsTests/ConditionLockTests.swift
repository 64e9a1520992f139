import MillraceTestSupport
import MillraceThreads
import Testing

@Suite struct ConditionLockTests {
    @Test func `who waits looks again after each change, and takes what it found`() throws {
        let numbers = ConditionLock([Int]())
        let taken = ConditionLock([Int]())
        let thread = BackgroundThread {
            for _ in 0..<100 {
                let number = numbers.wait { $0.isEmpty ? nil : $0.removeFirst() }
                taken.change { $0.append(number) }
            }
        }
        for number in 0..<100 { numbers.change { $0.append(number) } }
        #expect(taken.wait { $0.count == 100 ? $0 : nil } == Array(0..<100))
        try thread.join()
        #expect(numbers.withLock { $0.isEmpty })
    }

    @Test func `a wait with a limit ends without an answer, and is not needed for one that is there`() {
        let lock = ConditionLock(0)
        #expect(lock.wait(upTo: .milliseconds(1)) { $0 > 0 ? $0 : nil } == nil)
        lock.change { $0 = 1 }
        #expect(lock.wait(upTo: .zero) { $0 > 0 ? $0 : nil } == 1)
        #expect(lock.wait(upTo: .seconds(600)) { $0 > 0 ? $0 : nil } == 1)
    }
}
