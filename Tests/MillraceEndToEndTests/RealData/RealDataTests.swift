import Testing

extension EndToEnd {
    struct RealDataTests {
        /// The edits are of September 2015.
        private static let settings = ["partitions.accept_past": "\"240mo\""]

        @Test(arguments: Route.allCases)
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
    }
}
