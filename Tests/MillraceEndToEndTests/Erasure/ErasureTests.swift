import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// `millrace users erase`: afterwards nobody finds the user, and every count is that of a recount.
    struct ErasureTests {
        private static let user = ErasureInstallation.user
        private static let other = ErasureInstallation.other
        private static let word = ErasureInstallation.word

        @Test
        func
            `the id of an erased user is in no table, segment or dump, nothing of others goes, and counts equal a recount`()
            throws
        {
            let erasure = try ErasureInstallation()
            try erasure.send(
                erasure.lines(Self.user, Self.word, number: 1) + erasure.lines(Self.other, "kept", number: 2)
                    + erasure.numbered(7, Self.word) + erasure.numbered(8, "kept"))
            try erasure.verify()
            let rows = try erasure.auditor.rows
            var planned = try erasure.planned(Self.user)
            #expect(try erasure.auditor.rows == rows)
            #expect(planned["conversations"] == 2 && planned["events", default: 0] > 8, "\(planned)")

            var done = try erasure.eraseAll(Self.user)
            // Only a daemon reads its spool.
            #expect(done["spool_lines", default: 0] > 8, "\(done)")
            done["spool_lines"] = nil
            planned["spool_lines"] = nil
            #expect(done == planned)
            try erasure.expectNowhere(Self.user)
            try erasure.verify()
            let auditor = erasure.auditor
            #expect(try auditor.integer("SELECT count(*) FROM projections.commerce_users_now") == 1)
            #expect(
                try auditor.strings("SELECT total_amount::text FROM projections.commerce_orders ORDER BY 1")
                    == ["12.50", "12.50"])
            #expect(try auditor.integer("SELECT count(*) FROM public.analytics_events WHERE user_id IS NULL") > 4)
            // There is nothing left to do.
            #expect(try erasure.planned(Self.user).values.allSatisfy { $0 == 0 })
            #expect(try erasure.eraseAll(Self.user).values.allSatisfy { $0 == 0 })

            var external = try erasure.planned("--external", "7")
            var second = try erasure.eraseAll("--external", "7")
            external["spool_lines"] = nil
            #expect(second["spool_lines", default: 0] > 4, "\(second)")
            second["spool_lines"] = nil
            #expect(second == external)
            try erasure.expectNowhere(Self.word)
            try erasure.verify()
            #expect(try auditor.strings("SELECT id::text FROM projections.workspaces_users_now") == ["8"])
            let rebuild = try erasure.daemon.run("projections", "rebuild", "--all")
            #expect(rebuild.isSuccess, "\(rebuild.errors)")
            let parked = try auditor.strings(
                "SELECT concat_ws(' ', fold, key, code, message) FROM projections.parked WHERE code <> 'waiting'")
            #expect(parked.allSatisfy { $0.contains("kept") }, "\(parked)")
            try erasure.verify()
        }

        @Test func `an erasure names the daemon that was killed, waits for it, and goes on once it is back`() throws {
            let erasure = try ErasureInstallation()
            try erasure.send(erasure.lines(Self.user, Self.word, number: 1))
            for _ in 0..<2 {
                try erasure.daemon.kill()
                let run = try erasure.erase(Self.user, "--yes", "--wait", "0")
                #expect(run.exit == .status(1), "\(run.output) \(run.errors)")
                let waiting = try run.report(ErasureInstallation.Report.self).waitingFor
                #expect(waiting.count == 1 && waiting[0].contains("(away since "), "\(waiting)")
                #expect(try erasure.daemon.run("users", "list").output.contains("waits for 1 spools"))
                try erasure.daemon.start()
            }
            try erasure.eraseAll(Self.user)
            try erasure.expectNowhere(Self.user)
            try erasure.expectNowhere(Self.word)
            try erasure.verify()
        }

        @Test func `a user whom a pack deletes is erased by the daemon`() throws {
            let erasure = try ErasureInstallation()
            try erasure.send(erasure.lines(Self.user, Self.word, number: 1) + erasure.numbered(7, Self.word))
            try erasure.send(
                [
                    erasure.event(
                        "commerce.user_deleted", "{\"id\":\"\(Self.user)\"}", user: nil, "2026-11-29T09:00:00Z"),
                    erasure.event("workspaces.user_deleted", "{\"id\":7}", user: nil, "2026-11-29T09:00:00Z"),
                    erasure.event("casework.user_deleted", "{\"id\":7}", user: nil, "2026-11-29T09:00:00Z"),
                ])
            #expect(
                eventually(within: .seconds(60)) {
                    (try? erasure.auditor.integer(
                        "SELECT count(*) FROM public.erasures WHERE state = 'done' AND source = 'trigger'")) ?? 0 >= 3
                })
            try erasure.expectNowhere(Self.user)
            try erasure.expectNowhere(Self.word)
            try erasure.verify()
        }
    }
}
