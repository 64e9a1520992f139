import MillraceEvent
import MillraceJSON
import MillraceTelemetry
import Testing

@testable import MillraceChannels

struct EventFeedTests {
    private static let user = UniqueID(high: 0x5eed_0000_0000_4000, low: 0x8000_0000_0000_00a2)

    private func with<Answer>(
        type: String = "page.viewed", payload: String = "{}", tenant: Int32 = 0, user: UniqueID? = nil,
        _ body: (FeedRow) -> Answer
    ) -> Answer {
        Array(type.utf8).withUnsafeBytes { type in
            Array(payload.utf8).withUnsafeBytes { payload in
                body(
                    FeedRow(
                        tenant: tenant, type: type, userID: user, payload: payload, id: UniqueID(high: 1, low: 2),
                        createdAt: Timestamp(microseconds: 1_764_522_000_500_000),
                        receivedAt: Timestamp(microseconds: 1_764_522_001_000_000), batchID: 7))
            }
        }
    }

    private func shown(_ payload: String) -> String {
        with(payload: payload) { String(decoding: $0.event.json, as: UTF8.self) }
    }

    @Test func `an event is shown as the read API shows it, in one line`() {
        let text = with(type: "a\"b", payload: "{\"a\":\r\n 1.50}", user: Self.user) {
            String(decoding: $0.event.json, as: UTF8.self)
        }
        #expect(
            text
                == #"{"id":"00000000-0000-0001-0000-000000000002","event_type":"a\"b","#
                + #""user_id":"5eed0000-0000-4000-8000-0000000000a2","payload":{"a":   1.50},"#
                + #""created_at":"2025-11-30T17:00:00.5Z","received_at":"2025-11-30T17:00:01Z"}"#)
    }

    @Test(arguments: [
        (#"{"password":"x","a":1}"#, #"{"a":1}"#), (#"{"a":1,"passwordHash":"x"}"#, #"{"a":1}"#),
        (#"{"\u0070assword":"x"}"#, "{}"), ("{\"password\u{301}\":1,\"b\":[2]}", #"{"b":[2]}"#),
        (#"{"Password":1}"#, #"{"Password":1}"#), (#"{"a":{"password":1}}"#, #"{"a":{"password":1}}"#),
    ])
    func `no password is shown`(payload: String, expected: String) {
        #expect(shown(payload).contains("\"payload\":\(expected),"))
    }

    @Test func `a filter takes what is its tenant's, and fits in everything that it names`() {
        let pattern = JSONPattern(Array(#"{"a":1}"#.utf8)[...])
        let all = FeedFilter(tenant: 3)
        #expect(all.takesAll && with(tenant: 3) { all.matches($0) } && !with(tenant: 0) { all.matches($0) })
        let filter = FeedFilter(tenant: 0, type: "page.viewed", userID: Self.user, payload: pattern)
        #expect(!filter.takesAll)
        #expect(with(payload: #"{"a":1}"#, user: Self.user) { filter.matches($0) })
        #expect(!with(type: "page.viewe", payload: #"{"a":1}"#, user: Self.user) { filter.matches($0) })
        #expect(!with(payload: #"{"a":1}"#) { filter.matches($0) })
        #expect(!with(payload: #"{"a":2}"#, user: Self.user) { filter.matches($0) })
    }

    @Test(arguments: [#"{"password":"x"}"#, "{\"password\u{301}\":\"x\"}"])
    func `nobody finds out a password by looking for it`(payload: String) {
        let filter = FeedFilter(tenant: 0, payload: JSONPattern(Array(payload.utf8)[...]))
        #expect(!with(payload: payload) { filter.matches($0) })
    }

    @Test func `who has ended is watched for no longer, and gives its memory back`() {
        let (feed, memory) = (EventFeed(), MemoryBudget(MemoryConfiguration(budget: 10_000)))
        #expect(!feed.isWatched)
        do {
            let one = feed.subscribe(FeedFilter(tenant: 0), bytesMax: 1000, memory: memory) {}
            let other = feed.subscribe(FeedFilter(tenant: 1), bytesMax: 1000, memory: memory) {}
            #expect(feed.isWatched && feed.readers.count == 2)
            one.offer(with { $0.event })
            #expect(memory.usedBytes > 0)
            one.end()
            one.end()
            #expect(feed.isWatched)
            other.end()
        }
        #expect(!feed.isWatched && feed.readers.isEmpty && memory.usedBytes == 0)
    }

    @Test func `what a reader gets and misses is counted`() {
        let (feed, memory) = (EventFeed(), MemoryBudget())
        let reader = feed.subscribe(FeedFilter(tenant: 0), bytesMax: 300, memory: memory) {}
        for _ in 0..<4 { reader.offer(with { $0.event }) }
        reader.drop(10)
        #expect(feed.dropped.value == 13 && feed.sent.value == 0)
        let portion = reader.take(upTo: 1000)
        #expect(portion.events.count == 1 && portion.dropped == 13 && feed.sent.value == 1)
        reader.end()
    }
}
