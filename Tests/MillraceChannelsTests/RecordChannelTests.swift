import MillraceChannels
import MillraceEvent
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(10))) struct RecordChannelTests {
    private static func submission(
        _ bytes: Int = 52, reply: @escaping @Sendable (Submission.Outcome) -> Void = { _ in }
    ) -> Submission {
        let record = Record(
            kind: .event, tenant: 0, receivedAt: Timestamp(microseconds: 0), count: 1,
            bytes: [UInt8](repeating: 10, count: bytes))
        return Submission(records: [record], reply: reply)
    }

    @Test func `above the bound producers pause and are woken by the next take`() async {
        let channel = RecordChannel(bytesMax: 200)
        let woken = Atomic(0)
        #expect(channel.send(Self.submission()) == .proceed)
        #expect(channel.send(Self.submission()) == .pause)
        channel.whenWritable { woken.add(1, ordering: .relaxed) }
        #expect(woken.load(ordering: .relaxed) == 0 && channel.waitingBytes == 200)
        #expect(await channel.next().count == 2)
        #expect(woken.load(ordering: .relaxed) == 1 && channel.waitingBytes == 0)
        channel.whenWritable { woken.add(1, ordering: .relaxed) }
        #expect(woken.load(ordering: .relaxed) == 2)
    }

    @Test func `a refusal answers at once and keeps nothing`() async {
        let channel = RecordChannel(bytesMax: 200)
        let outcomes = Mutex<[Submission.Outcome]>([])
        channel.refuse(.spoolFull)
        #expect(channel.refusal == .spoolFull)
        channel.send(Self.submission { outcome in outcomes.withLock { $0.append(outcome) } })
        channel.refuse(nil)
        channel.send(Self.submission())
        channel.finish()
        channel.send(Self.submission { outcome in outcomes.withLock { $0.append(outcome) } })
        #expect(outcomes.withLock { $0 } == [.failed(.spoolFull), .failed(.draining)])
        #expect(await channel.next().count == 1)
        #expect(await channel.next().isEmpty)
    }

    @Test func `every submission of many producers arrives once`() async {
        let channel = RecordChannel(bytesMax: 1000)
        let received = await withTaskGroup(of: Int.self) { group in
            group.addTask {
                var count = 0
                while true {
                    let submissions = await channel.next()
                    if submissions.isEmpty { return count }
                    count += submissions.count
                }
            }
            group.addTask {
                await withTaskGroup { producers in
                    for _ in 0..<4 {
                        producers.addTask {
                            for _ in 0..<500 where channel.send(Self.submission()) == .pause {
                                await withCheckedContinuation { continuation in
                                    channel.whenWritable { continuation.resume() }
                                }
                            }
                        }
                    }
                }
                channel.finish()
                return 0
            }
            var total = 0
            for await count in group { total += count }
            return total
        }
        #expect(received == 2000)
    }
}
