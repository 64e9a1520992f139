import MillraceAccess
import MillraceEvent
import MillraceIntake
import MillraceTelemetry
import MillraceTestSupport
import Testing

@Suite(.timeLimit(.minutes(10)))
struct KeyedTCPTests {
    private let keys = TestKeys()
    private static let hello = hello(7)

    private static func hello(_ tenant: Int) -> String {
        #"{"hello":{"server":"millrace","version":"dev","tenant":\#(tenant)}}"#
    }

    private static func greeting(_ key: String, acks: String = "spooled") -> String {
        #"{"hello":{"acks":"\#(acks)","key":"\#(key)"}}"# + "\n"
    }

    @Test func `the greeting's key lets lines in, as its tenant's`() async throws {
        let key = keys.put { $0.eventTypes = ["a"] }
        let access = keys.access()
        try await withTCP({ $0.access = access }) { harness in
            let client = try await harness.connect()
            try await client.send(Self.greeting(key) + "{\"event_type\":\"a\"}\n{\"event_type\":\"b\"}\n")
            #expect(await client.line() == Self.hello)
            #expect(await client.line()?.hasPrefix(#"{"line":2,"error":{"code":"forbidden_type""#) == true)
            #expect(await client.line() == #"{"ack":2}"#)
            #expect(harness.spool.records.map(\.tenant) == [7])
        }
    }

    @Test(arguments: [
        good, #"{"hello":{"acks":"spooled"}}"#, #"{"hello":{"acks":"spooled","key":""}}"#,
        #"{"hello":{"acks":"spooled","key":"mr_w_\u0000\ud83d\ude00"}}"#,
        #"{"hello":{"acks":"committed","key":"a.b.c"}}"#,
        #"{"hello":{"acks":"spooled","key":"\#(String(repeating: "m", count: 100_000))"}}"#,
        #"{"hello":{"acks":"spooled","key":"\#(AccessKey.make(scopes: [.write]).text)"}}"#,
    ])
    func `without a key in force a connection is told so and closed, and nothing of it is taken`(
        first: String
    ) async throws {
        _ = keys.put()
        let access = keys.access()
        try await withTCP({ $0.access = access }) { harness in
            let client = try await harness.connect()
            try await client.send(first + "\n" + good + "\n")
            let rest = await client.rest()
            #expect(rest.hasPrefix(#"{"error":{"code":"unauthenticated","message":""#))
            #expect(rest.split(separator: "\n").count == 1 && !rest.contains("mr_w"))
            #expect(harness.spool.lines() == [] && harness.metrics[.tcp].authenticationsFailed.value == 1)
        }
    }

    @Test func `bytes that are no greeting never let anyone in`() async throws {
        _ = keys.put()
        var auth = AuthConfiguration()
        auth.failureDelay = .zero
        auth.failureDelayMax = .zero
        let access = IntakeAccess(keyRing: keys.ring, auth: .init(auth))
        var generator = SeededGenerator(seed: 164)
        let valid = Array(#"{"hello":{"acks":"spooled","key":"mr_w_0123456789ab_"}}"#.utf8)
        try await withTCP({ $0.access = access }) { harness in
            for _ in 0..<200 {
                var bytes = valid
                for _ in 0..<Int.random(in: 1...8, using: &generator) {
                    bytes[Int.random(in: 0..<bytes.count, using: &generator)] = .random(in: 0...255, using: &generator)
                }
                let client = try await harness.connect()
                try await client.send(bytes + [0x0A] + Array(good.utf8) + [0x0A])
                try await client.halfClose()
                #expect(await !client.rest().contains("ack\":1"))
            }
            #expect(harness.spool.lines() == [])
        }
    }

    @Test func `a key without the scope is told so`() async throws {
        let key = keys.put([.read])
        let access = keys.access()
        try await withTCP({ $0.access = access }) { harness in
            let client = try await harness.connect()
            try await client.send(Self.greeting(key))
            #expect(await client.rest().hasPrefix(#"{"error":{"code":"forbidden""#))
        }
    }

    @Test func `an idle connection ends when its key does, and keeps its acks`() async throws {
        let key = keys.put()
        let access = keys.access()
        try await withTCP({ $0.access = access }) { harness in
            let client = try await harness.connect()
            try await client.send(Self.greeting(key) + good + "\n")
            #expect(await client.line() == Self.hello)
            #expect(await client.line() == #"{"ack":1}"#)
            keys.revokeAll()
            #expect(await client.rest().hasPrefix(#"{"error":{"code":"unauthenticated""#))
        }
    }

    @Test func `a key that is changed goes on with what it is now`() async throws {
        let (key, text) = AccessKey.make(scopes: [.write])
        var record = KeyRecord(id: key.id, name: "k", tenant: 1, scopes: [.write], secretHash: key.secretHash)
        keys.ring.replace(with: [record], at: .now, clock: 0)
        let access = keys.access()
        try await withTCP({ $0.access = access }) { harness in
            let client = try await harness.connect()
            try await client.send(Self.greeting(text) + good + "\n")
            #expect(await client.line() == Self.hello(1))
            #expect(await client.line() == #"{"ack":1}"#)
            record.tenant = 2
            keys.ring.replace(with: [record], at: .now, clock: 0)
            try await client.send(good + "\n")
            #expect(await client.line() == #"{"ack":2}"#)
            #expect(harness.spool.records.map(\.tenant) == [1, 2])
        }
    }

    @Test func `over its rate a connection is told once, and loses nothing`() async throws {
        let key = keys.put { $0.events = .init(perSecond: 200, burst: 10) }
        let access = keys.access()
        try await withTCP({ $0.access = access }) { harness in
            let client = try await harness.connect()
            try await client.send(Self.greeting(key))
            #expect(await client.line() == Self.hello)
            for _ in 0..<3 { try await client.send(String(repeating: good + "\n", count: 100)) }
            try await client.halfClose()
            let lines = await client.rest().split(separator: "\n")
            #expect(lines.filter { $0.hasPrefix(#"{"limited":{"code":"rate_limited""#) }.count <= 1)
            #expect(lines.last == #"{"ack":300}"# && harness.spool.lines().count == 300)
        }
    }

    @Test func `an address has so many connections, and no more`() async throws {
        let key = keys.put()
        let access = keys.access {
            $0.addressLoopback = true
            $0.addressConnectionsMax = 1
        }
        try await withTCP({ $0.access = access }) { harness in
            let first = try await harness.connect()
            try await first.send(Self.greeting(key))
            #expect(await first.line() == Self.hello)
            let second = try await harness.connect()
            #expect(await second.rest().hasPrefix(#"{"error":{"code":"rate_limited""#))
            try await first.halfClose()
            #expect(await first.rest() == "")
            await harness.wait { access.keyRing.wantsKeys && harness.metrics[.tcp].connectionsOpen.value == 0 }
            let third = try await harness.connect()
            try await third.send(Self.greeting(key))
            #expect(await third.line() == Self.hello)
        }
    }
}
