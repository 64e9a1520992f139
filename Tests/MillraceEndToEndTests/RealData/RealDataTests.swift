import FoundationEssentials
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct RealDataTests {
        /// The edits are of September 2015.
        private static let settings = ["partitions.accept_past": "\"240mo\""]

        @Test(.startsFirst, arguments: Route.allCases)
        func `all real edits and conversation saves are in the tables exactly once, field by field`(
            route: Route
        ) throws {
            let data = try RealData.shared
            let installation = try Installation("real_data", settings: Self.settings)
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            try daemon.start()
            try daemon.waitUntil("/readyz")

            let newEdits = try route.send(data.edits, count: RealData.editCount, to: daemon)
            let newSaves = try route.send(data.saves, count: RealData.saveCount, to: daemon)
            #expect(newEdits ?? 0 == 0)
            #expect(newSaves ?? 0 == 0)

            #expect(try auditor.events == RealData.editCount)
            #expect(try auditor.conversations == RealData.saveCount)
            let input = try InputTable(data.edits + data.saves, database: installation.database)
            #expect(try input.missingEvents() == 0)
            #expect(try input.foreignEvents() == 0)
            #expect(try input.missingConversations() == 0)
            #expect(try input.foreignConversations() == 0)

            let oldEdits = try route.send(data.edits, count: RealData.editCount, to: daemon)
            let oldSaves = try route.send(data.saves, count: RealData.saveCount, to: daemon)
            #expect(oldEdits ?? RealData.editCount == RealData.editCount)
            #expect(oldSaves ?? RealData.saveCount == RealData.saveCount)
            #expect(try auditor.rows == RealData.editCount + RealData.saveCount)
            #expect(
                try auditor.integer("SELECT sum(duplicates) FROM public.ingest_batches")
                    == RealData.editCount + RealData.saveCount)
            let report = try auditor.verify(daemon)
            #expect(report.total?.dead == 0)
            #expect(report.total?.inSpool == 0)
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `the real questions are searched in their language, and top users agree with a count by hand`()
            throws
        {
            let saves = try RealData.shared.saves
            let installation = try Installation("real_search")
            let daemon = installation.daemon
            try daemon.start()
            _ = try Route.tcp.send(saves, count: RealData.saveCount, to: daemon)

            var questions: [String: Int] = [:]
            for line in saves.split(separator: UInt8(ascii: "\n")) {
                questions[try JSONDecoder().decode(Asker.self, from: Data(line)).user_id, default: 0] += 1
            }
            let tops = try HTTPClient.get("/v1/tops/conversations/top_users?limit=1000", at: daemon.http)
            let counted = try JSONDecoder().decode(Page<Top>.self, from: Data(tops.body)).items
            #expect(counted.count == min(1000, questions.count))
            #expect(counted.map(\.n) == Array(questions.values.sorted(by: >).prefix(1000)))
            #expect(counted.allSatisfy { questions[$0.user_id] == $0.n })

            for (query, language, question) in [
                ("chiffre%20binaire", "fr", "Qu'est ce que tu manges"), ("machine%20thinking", "en", "What is AI?"),
                ("%22constructing%20machines%22", "simple", "What is AI?"),
            ] {
                let path = "/v1/conversations/search?q=\(query)&language=\(language)&limit=100"
                let found = try HTTPClient.get(path, at: daemon.http, within: .seconds(20))
                let items = try JSONDecoder().decode(Page<Question>.self, from: Data(found.body)).items
                #expect(items.contains { $0.question == question }, "\(query): \(found.text)")
            }
            #expect(try daemon.stop() == .status(0))
        }

        private struct Asker: Decodable {
            var user_id: String
        }

        private struct Question: Decodable {
            var question: String
        }

        private struct Top: Decodable {
            var user_id: String
            var n: Int
        }

        private struct Page<Item: Decodable>: Decodable {
            var items: [Item]
        }
    }
}
