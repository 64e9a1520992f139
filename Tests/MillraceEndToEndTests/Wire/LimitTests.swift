import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// What PostgreSQL can hold just so is taken and committed; what it cannot is refused at once, never a dead letter.
    struct LimitTests {
        private static func nines(_ count: Int) -> String { String(repeating: "9", count: count) }

        private static let numbers: [String] = [
            "0", "-0", "-0.0", "0.10", "1E+2", "1e-7", "12345678901234567890.123456789012345678901234567890",
            "1e131071", "1e131072", "-1e131071", "-1e131072", "9.99e131071", "9.99e131072", "0.1e131072", "0.1e131073",
            "1e-16383", "1e-16384", "0.1e-16382", "0.1e-16383", "0e131072", "0e400000", "0e-16383", "0e-16384",
            "0.000e99999", "0.00001e131076", "0.00001e131077", "10e-16384", "1e16383", "1.5e-16382", "1.5e-16383",
            "1e1073741822", "1e1073741823", "1e2147483647", "1e2147483648", "1e99999999999999999999",
            "1e-1073741823", "1e-99999999999999999999", "0e1073741823", "0e99999999999999999999",
            nines(131_072), nines(131_073), "-" + nines(131_072), "0." + nines(16_383), "0." + nines(16_384),
            nines(131_072) + "." + nines(16_383), nines(100_000) + "e31072", nines(100_000) + "e31073",
            "0." + String(repeating: "0", count: 16_382) + "1", "0." + String(repeating: "0", count: 16_383) + "1",
            "0." + String(repeating: "0", count: 16_384), "1e0000000000000000000000001",
        ]

        @Test func `a number is taken if and only if PostgreSQL takes it, and keeps its digits`() throws {
            let installation = try Installation()
            try installation.daemon.start()
            let connection = try installation.database.connect()
            let client = try TCPClient(installation.daemon.tcp, acks: "committed")
            var accepted: [UInt8] = []
            var acceptedCount = 0
            for (index, number) in Self.numbers.enumerated() {
                let payload = "{\"n\":\(number)}"
                let line = "{\"event_type\":\"number\",\"payload\":\(payload)}"
                try client.send(line)
                try client.waitForAck(index + 1)
                let isTaken = client.refusals[index + 1] == nil
                #expect(isTaken == Self.holds(payload, connection), "\(number.prefix(60)), \(number.count) characters")
                #expect(isTaken || client.refusals[index + 1]?.code == "number_out_of_range")
                if isTaken {
                    accepted += Array((line + "\n").utf8)
                    acceptedCount += 1
                }
            }
            #expect(try installation.auditor.events == acceptedCount)
            #expect(try installation.auditor.integer("SELECT count(*) FROM public.dead_letters") == 0)
            #expect(try InputTable(accepted, database: installation.database).missingEvents() == 0)
        }

        private static func holds(_ json: String, _ connection: PostgresConnection) -> Bool {
            (try? connection.query("SELECT $1::jsonb", parameters: [.text(json)]).rowCount) == 1
        }

        @Test func `the largest lines that are taken are committed`() throws {
            let installation = try Installation()
            try installation.daemon.start()
            let user = "0192b1a4-7c3e-7a51-9f0e-2d6c1b8e4f70"
            let words = (0..<60_000).map { "w\($0)" }.joined(separator: " ")
            let emoji = String(repeating: "𝄞 ", count: 50_000)
            func save(_ name: String, _ question: String, _ response: String) -> String {
                "{\"conversation_id\":\"\(name)\",\"question\":\"\(question)\",\"response\":\"\(response)\",\"user_id\":\"\(user)\"}"
            }
            func event(_ type: String, _ payload: String) -> String {
                "{\"event_type\":\"\(type)\",\"payload\":\(payload)}"
            }
            let keys = "{" + (0..<18_000).map { "\"k\($0)\":\($0)" }.joined(separator: ",") + "}"
            let deep = String(repeating: "{\"a\":", count: 63) + "{}" + String(repeating: "}", count: 63)
            let lines = [
                event(String(repeating: "𝄞", count: 50), "{}"),
                event("large", "{\"a\":\"" + String(repeating: "x", count: 262_136) + "\"}"),
                event("escapes", "{\"a\":\"" + String(repeating: "\\u0001", count: 43_000) + "\"}"),
                event("keys", keys),
                event("long key", "{\"" + String(repeating: "k", count: 262_000) + "\":1}"),
                event("deep", deep),
                save("words", words, words),
                save("emoji", emoji, emoji),
                save("one word", String(repeating: "x", count: 500_000), "y"),
                save("escapes", String(repeating: "\\n", count: 200_000), String(repeating: "\\u00fc", count: 90_000)),
                save(String(repeating: "ü", count: 100), "q", ""),
            ]
            let client = try TCPClient(installation.daemon.tcp, acks: "committed")
            for line in lines { try client.send(line) }
            try client.waitForAck(lines.count)
            #expect(client.refusals.isEmpty)
            #expect(try installation.auditor.strings("SELECT message FROM public.dead_letters").isEmpty)
            let input = try InputTable(
                Array((lines.joined(separator: "\n") + "\n").utf8), database: installation.database)
            #expect(try input.missingEvents() == 0)
            #expect(try input.missingConversations() == 0)
            #expect(try installation.auditor.rows == lines.count)
        }
    }
}
