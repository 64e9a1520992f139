import MillraceEvent
import Testing

extension EndToEnd {
    struct RefusalTests {
        /// Good lines before, between and after the refused ones.
        private struct Mixture {
            let events = EventFactory(seed: 7)
            let refused: [RefusedLine]

            var goodCount: Int { refused.count + 1 }

            var lines: [[UInt8]] {
                (0..<goodCount).flatMap { index in
                    [Array(events.line(index).utf8)] + (index < refused.count ? [refused[index].bytes] : [])
                }
            }

            var bytes: [UInt8] { Array(lines.map { $0 + [UInt8(ascii: "\n")] }.joined()) }

            func expectNeighbours(in installation: Installation) throws {
                #expect(try installation.auditor.rows == goodCount)
                let input = try InputTable(events.lines(0..<goodCount), database: installation.database)
                #expect(try input.missingEvents() == 0)
                #expect(try input.missingConversations() == 0)
                #expect(try input.foreignEvents() == 0)
                #expect(try input.foreignConversations() == 0)
            }
        }

        @Test func `every code of the contract is among the refused lines`() {
            // Those of keys and rules are in KeyDoorTests and RulesTests.
            #expect(
                Set(RefusedLine.all.map(\.code))
                    == Set(RefusalCode.allCases).subtracting([.forbiddenType, .deniedType, .schema]))
        }

        @Test func `a TCP client with acks is told line, code and what is wanted, and neighbours go in`() throws {
            let installation = try Installation()
            try installation.daemon.start()
            let mixture = Mixture(refused: RefusedLine.all)
            let client = try TCPClient(installation.daemon.tcp, acks: "committed")
            try client.send(mixture.bytes)
            try client.finish()

            #expect(client.acked == mixture.lines.count)
            #expect(client.refusals.count == mixture.refused.count)
            for (index, line) in mixture.refused.enumerated() {
                let refusal = client.refusals[2 * index + 2]
                #expect(refusal?.code == line.code.rawValue, "\(line)")
                #expect(refusal?.message.contains(line.wants) == true, "\(line): \(refusal?.message ?? "nothing")")
            }
            try mixture.expectNeighbours(in: installation)
            // Whoever was told keeps nothing here.
            #expect(try installation.auditor.integer("SELECT count(*) FROM public.dead_letters") == 0)
            try installation.auditor.verify(installation.daemon)
        }

        @Test func `a one-way TCP client is told nothing, and its refused lines are dead letters`() throws {
            let installation = try Installation()
            try installation.daemon.start()
            let mixture = Mixture(refused: RefusedLine.all)
            let client = try TCPClient(installation.daemon.tcp, acks: nil)
            try client.send(mixture.bytes)
            try client.finish()

            #expect(client.acked == 0)
            #expect(client.refusals.isEmpty)
            try installation.auditor.waitForSettled(mixture.lines.count)
            try mixture.expectNeighbours(in: installation)
            let codes = try installation.auditor.strings(
                "SELECT code FROM public.dead_letters WHERE kind = 'refused' AND state = 'open' ORDER BY sequence")
            #expect(codes == mixture.refused.map(\.code.rawValue))
            let kept = try installation.auditor.strings("SELECT line FROM public.dead_letters ORDER BY sequence")
            for (line, kept) in zip(mixture.refused, kept) where line.code != .invalidUTF8 && line.bytes.count < 4096 {
                #expect(kept == String(decoding: line.bytes, as: UTF8.self))
            }
            let report = try installation.auditor.verify(installation.daemon)
            #expect(report.total?.refused == mixture.refused.count)
        }

        @Test func `an HTTP client is told index, code and what is wanted, and neighbours go in`() throws {
            let installation = try Installation()
            try installation.daemon.start()
            let mixture = Mixture(refused: RefusedLine.all)
            let response = try HTTPClient(installation.daemon.http).postEvents(mixture.bytes, query: "?ack=committed")
            try expectRejections(in: response, of: mixture)
            try mixture.expectNeighbours(in: installation)
            #expect(try installation.auditor.integer("SELECT count(*) FROM public.dead_letters") == 0)
        }

        @Test func `the items of an array are refused one by one`() throws {
            let installation = try Installation()
            try installation.daemon.start()
            let mixture = Mixture(refused: RefusedLine.all.filter(\.fitsArray))
            let body = Array("[".utf8) + Array(mixture.lines.joined(separator: Array(", \n".utf8))) + Array("]".utf8)
            let response = try HTTPClient(installation.daemon.http).postEvents(
                body, type: "application/json", query: "?ack=committed", isChunked: true)
            try expectRejections(in: response, of: mixture)
            try mixture.expectNeighbours(in: installation)
        }

        @Test func `one refused line alone is a 400 with its code, and nothing is written`() throws {
            let installation = try Installation()
            try installation.daemon.start()
            let client = HTTPClient(installation.daemon.http)
            for line in RefusedLine.all {
                let response = try client.postEvents(line.bytes)
                #expect(response.status == 400, "\(line)")
                #expect(try response.json.error?.code == line.code.rawValue, "\(line)")
            }
            #expect(try client.postEvents(EventFactory(seed: 9).lines(0..<1), query: "?ack=committed").status == 200)
            #expect(try installation.auditor.rows == 1)
        }

        private func expectRejections(in response: HTTPResponse, of mixture: Mixture) throws {
            let answer = try response.json
            #expect(response.status == 200)
            #expect(answer.accepted == mixture.goodCount)
            #expect(answer.rejected?.count == mixture.refused.count)
            for (index, line) in mixture.refused.enumerated() {
                let rejection = answer.rejected?.first { $0.index == 2 * index + 1 }
                #expect(rejection?.error.code == line.code.rawValue, "\(line)")
                #expect(
                    rejection?.error.message.contains(line.wants) == true, "\(line): \(rejection?.error.message ?? "")")
            }
        }
    }
}
