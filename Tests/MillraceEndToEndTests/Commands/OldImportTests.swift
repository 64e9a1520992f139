import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct OldImportTests {
        /// A daemon with the pack casework, and exports of its documents.
        private struct Rig {
            let installation: Installation
            let scratch: ScratchDirectory
            private let settings: String

            init(_ name: String = #function) throws {
                installation = try Installation(name, settings: ["projections.packs": "[\"casework\"]"])
                scratch = try ScratchDirectory()
                settings = TextFile.read(installation.daemon.configuration)
                #expect(try installation.daemon.run("migrate", "up").isSuccess)
                try installation.daemon.start()
            }

            var auditor: Auditor { installation.auditor }

            /// Imports documents 1 ... 40, each of which says `fields` of itself. `acceptPast`: of the daemon, which is
            /// started again with it.
            func importDocuments(
                acceptPast: String? = nil, asOf: String? = nil, _ fields: (Int) -> String
            ) throws -> CommandRun {
                let daemon = installation.daemon
                if let acceptPast {
                    try daemon.stop()
                    try TextFile.write(
                        settings + "\n[partitions]\naccept_past = \"\(acceptPast)\"\n", to: daemon.configuration)
                    try daemon.start()
                }
                let file = "\(scratch.path)/documents.json"
                let records = (1...40).map { "{\"id\":\($0),\"userId\":1,\"beneficiaryId\":1,\(fields($0))}" }
                try TextFile.write("[\(records.joined(separator: ","))]", to: file)
                let time = asOf.map { ["--as-of", $0] } ?? []
                let run = try CommandRun(
                    ["import", file, "--system", "casework", "--ack", "committed", "--quiet"] + time
                        + ["--config", daemon.configuration], in: scratch)
                #expect(run.isSuccess, "\(run.output) \(run.errors)")
                return run
            }

            func alive(titled title: String = "%") throws -> Int {
                try auditor.integer(
                    """
                    SELECT count(*) FROM projections.casework_documents
                    WHERE deleted_at IS NULL AND title LIKE '\(title)'
                    """)
            }
        }

        private func second(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }

        @Test func `documents that were deleted years ago are dead, and nothing is there twice`() throws {
            let rig = try Rig()
            for _ in 1...2 {
                let run = try rig.importDocuments { id in
                    let time = "2024-03-\(second(id % 28 + 1))T08:00:\(second(id))Z"
                    return
                        "\"title\":\"d\(id)\",\"createdAt\":\"2024-02-02T08:00:00Z\",\"updatedAt\":\"\(time)\",\"deletedAt\":\"\(time)\""
                }
                #expect(run.output.contains("40 records are older than partitions.accept_past"))
                #expect(try rig.auditor.events == 80)
                #expect(try rig.alive() == 0)
            }
            #expect(
                try rig.auditor.strings("SELECT min(deleted_at)::date::text FROM projections.casework_documents")
                    == ["2024-03-01"])
            try rig.auditor.verify(rig.installation.daemon)
            // Their months are not taken for retired ones: they are counted again, and a rebuild has them.
            for command in ["verify", "rebuild", "verify"] {
                let run = try rig.installation.daemon.run("projections", command, "casework")
                #expect(run.isSuccess, "\(run.output) \(run.errors)")
                let isCounted = run.output.contains("ok    casework_documents") && !run.output.contains("retired")
                #expect(isCounted || command == "rebuild", "\(run.output)")
            }
            #expect(try rig.alive() == 0)

            // When the month that their events are in is gone, that is said.
            let month = try #require(
                try rig.auditor.strings(
                    """
                    SELECT to_char(min(created_at) AT TIME ZONE 'UTC', '"analytics_events_y"YYYY"m"MM')
                    FROM analytics_events
                    """
                ).first)
            try rig.installation.database.connect().execute(
                "ALTER TABLE public.analytics_events DETACH PARTITION public.\(month)")
            let retired = try rig.installation.daemon.run("projections", "verify", "casework")
            #expect(retired.output.contains("not counted, retired: 2024-03"), "\(retired.output)")
        }

        @Test func `of two old exports the later one stays, whichever comes first and however the months move on`()
            throws
        {
            for (first, second) in [("old", "new"), ("new", "old")] {
                let rig = try Rig("old imports, \(first) first")
                func bring(_ title: String, _ acceptPast: String?) throws {
                    _ = try rig.importDocuments(acceptPast: acceptPast) { id in
                        // The later one is ten seconds younger, and the last ones by a microsecond alone.
                        let moment =
                            id > 30 ? (title == "new" ? "00.000001" : "00.000000") : title == "new" ? "10" : "00"
                        return "\"title\":\"\(title)\",\"updatedAt\":\"2021-05-04T03:02:\(moment)Z\""
                    }
                }
                try bring(first, nil)
                // As if months had gone by.
                try bring(second, "3mo")
                #expect(try rig.alive(titled: "new") == 40, "\(second) after \(first)")
                #expect(try rig.auditor.events == 80)
                #expect(try rig.installation.daemon.run("projections", "verify").isSuccess)
            }
        }

        @Test func `what was said live long ago is not overwritten by what was so before it`() throws {
            let rig = try Rig()
            let time = try #require(
                try rig.auditor.strings(
                    "SELECT to_char(now() AT TIME ZONE 'UTC' - interval '9 months', 'YYYY-MM-DD\"T\"HH24:MI:SSZ')"
                ).first)
            _ = try rig.importDocuments { _ in "\"title\":\"recent\",\"updatedAt\":\"\(time)\"" }
            _ = try rig.importDocuments(acceptPast: "2mo") { _ in "\"title\":\"old\",\"updatedAt\":\"2020-01-01\"" }
            #expect(try rig.alive(titled: "recent") == 40)
            // Without a time of their own, of a file from years ago.
            _ = try rig.importDocuments(asOf: "2021-01-01T00:00:10Z") { _ in "\"title\":\"later\"" }
            #expect(try rig.alive(titled: "recent") == 40)
            #expect(try rig.installation.daemon.run("projections", "verify").isSuccess)
        }
    }
}
