import MillraceEvent
import Testing

@testable import MillraceChannels

struct FeedQueueTests {
    private func event(_ number: UInt64, bytes: Int = 36) -> FeedEvent {
        FeedEvent(
            id: UniqueID(high: 0, low: number), batchID: Int64(number), json: [UInt8](repeating: 0x20, count: bytes))
    }

    private func numbers(_ portion: FeedQueue.Portion) -> [Int64] { portion.events.map(\.batchID) }

    @Test func `what finds no room is counted, and told after what found it`() {
        // An event counts 100 bytes.
        var queue = FeedQueue(bytesMax: 300)
        for number in 1...5 { _ = queue.offer(event(UInt64(number))) { _ in true } }
        #expect(queue.isFull && queue.heldBytes == 300)
        let first = queue.take(upTo: 200)
        #expect(numbers(first) == [1, 2] && first.dropped == 0)
        // There would be room, but what comes now is after what was dropped.
        #expect(!queue.offer(event(6)) { _ in true })
        let second = queue.take(upTo: 200)
        #expect(numbers(second) == [3] && second.dropped == 3)
        #expect(!queue.isFull)
        #expect(queue.offer(event(7)) { _ in true })
        #expect(numbers(queue.take(upTo: 1)) == [7])
        #expect(queue.take(upTo: 200).isEmpty && queue.heldBytes == 0)
    }

    @Test func `a large event goes in alone`() {
        var queue = FeedQueue(bytesMax: 300)
        #expect(queue.offer(event(1, bytes: 10_000)) { _ in true })
        #expect(!queue.offer(event(2)) { _ in true })
        let first = queue.take(upTo: 1)
        #expect(numbers(first) == [1] && first.dropped == 1)
        // It is being sent.
        #expect(!queue.offer(event(3)) { _ in true })
        #expect(queue.take(upTo: 1).dropped == 1)
        #expect(queue.offer(event(4)) { _ in true })
    }

    @Test func `without memory everything is dropped`() {
        var queue = FeedQueue(bytesMax: 300)
        #expect(!queue.offer(event(1)) { $0 <= 50 })
        #expect(queue.take(upTo: 100) == FeedQueue.Portion(events: [], dropped: 1))
    }

    @Test func `however it is taken, what was offered is sent or counted, in order`() {
        var random = SystemRandomNumberGenerator()
        let seed = random.next() % 1_000_000
        print("seed \(seed)")
        var state = seed
        func next(_ bound: UInt64) -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state >> 33) % bound
        }
        var queue = FeedQueue(bytesMax: 1000)
        var (sent, dropped, offered): ([Int64], Int, Int64) = ([], 0, 0)
        for _ in 0..<5000 {
            if next(3) > 0 {
                offered += 1
                _ = queue.offer(event(UInt64(offered), bytes: Int(next(400)))) { _ in true }
            } else {
                let portion = queue.take(upTo: Int(next(600)) + 1)
                sent += numbers(portion)
                // What was dropped lies right behind what was sent.
                #expect(Int64(sent.count + dropped) == sent.last ?? 0 || portion.events.isEmpty)
                dropped += portion.dropped
            }
            #expect(queue.heldBytes <= 1000 + 464)
        }
        while case let portion = queue.take(upTo: 1000), !portion.isEmpty {
            sent += numbers(portion)
            dropped += portion.dropped
        }
        #expect(sent.count + dropped == Int(offered) && sent == sent.sorted() && dropped > 0)
    }
}
