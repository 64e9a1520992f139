import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// Several daemons on one database, lines that are under way, and what comes afterwards.
    struct ErasureDaemonsTests {
        private static let user = ErasureInstallation.user
        private static let word = ErasureInstallation.word

        private func second(of erasure: ErasureInstallation) throws -> DaemonProcess {
            let daemon = try DaemonProcess(
                databaseURL: erasure.installation.database.connectionString, settings: ErasureInstallation.settings)
            try daemon.start()
            try daemon.waitUntil("/readyz")
            return daemon
        }

        private func spoolID(_ daemon: DaemonProcess) -> String {
            TextFile.read(daemon.directory + "/spool/spool.id").split(separator: "\n").joined()
        }

        @Test func `each daemon rewrites its own spool, and one that is away is named and does it when it returns`()
            throws
        {
            let erasure = try ErasureInstallation()
            let other = try second(of: erasure)
            try erasure.send(erasure.lines(Self.user, Self.word, number: 1))
            try erasure.send(erasure.lines(Self.user, Self.word, number: 3), to: other)
            try erasure.eraseAll(Self.user)
            try erasure.expectNowhere(Self.user, in: [other])
            try erasure.expectNowhere(Self.word, in: [other])

            try erasure.send(erasure.lines(Self.user, Self.word, number: 4), to: other)
            // What is only in its spool when it goes.
            let lock = try erasure.installation.database.connect()
            try lock.execute("BEGIN; LOCK TABLE public.analytics_events, public.conversations IN SHARE MODE")
            let late = erasure.lines(Self.user, Self.word, number: 5).joined(separator: "\n")
            #expect(try HTTPClient(other.http).postEvents(Array(late.utf8), query: "?ack=spooled").status == 202)
            try other.kill()
            try lock.execute("ROLLBACK")
            let run = try erasure.erase(Self.user, "--yes", "--wait", "1")
            let report = try run.report(ErasureInstallation.Report.self)
            #expect(run.exit == .status(1) && report.state == "spools", "\(run.output) \(run.errors)")
            let named = report.waitingFor.filter { $0.contains("(away since ") }
            #expect(named.count == 1 && named[0].contains(spoolID(other)), "\(report)")
            #expect(
                try eventually {
                    try erasure.auditor.strings("SELECT spool_id FROM public.erasure_spools WHERE state <> 'done'")
                        == [spoolID(other)]
                })
            #expect(try ErasureInstallation.grep(Self.word, erasure.daemon.directory + "/spool") == [])
            // It is not forgotten while it has something to do.
            #expect(try !ErasureInstallation.grep(Self.word, other.directory + "/spool").isEmpty)

            try other.start()
            #expect(
                eventually(within: .seconds(60)) {
                    (try? erasure.auditor.strings("SELECT DISTINCT state FROM public.erasures")) == ["done"]
                })
            try erasure.expectNowhere(Self.user, in: [other])
            try erasure.expectNowhere(Self.word, in: [other])
            try erasure.verify()
            #expect(try other.stop() == .status(0))
        }

        @Test func `nobody waits for a spool that is gone for good, whoever is told so`() throws {
            let erasure = try ErasureInstallation()
            let gone = try second(of: erasure)
            let lost = try second(of: erasure)
            try erasure.send(erasure.lines(Self.user, Self.word, number: 1))
            try gone.kill()
            try lost.kill()
            let waits = try erasure.erase(Self.user, "--yes", "--wait", "0").report(ErasureInstallation.Report.self)
            #expect(waits.state == "spools" && waits.waitingFor.count >= 2, "\(waits)")
            let forgotten = try erasure.daemon.run("status", "--forget", spoolID(lost), "--yes")
            #expect(forgotten.isSuccess, "\(forgotten.errors)")
            let wrong = try erasure.erase(Self.user, "--yes", "--without-spool", "none")
            #expect(wrong.exit == .status(2), "\(wrong.errors)")
            try erasure.eraseAll(Self.user, "--without-spool", spoolID(gone))
            try erasure.expectNowhere(Self.user)
        }

        @Test func `what a user sends after the erasure stays, in tables and spool, over a kill and a rebuild`() throws
        {
            let erasure = try ErasureInstallation()
            let auditor = erasure.auditor
            try erasure.send(erasure.lines(Self.user, Self.word, number: 1))
            // The tables of events are done when it stops here.
            let lock = try erasure.installation.database.connect()
            try lock.execute("BEGIN; LOCK TABLE public.password_hashes IN ACCESS EXCLUSIVE MODE")
            #expect(
                try HTTPClient(erasure.daemon.http).request("DELETE", "/v1/users/\(Self.user)").status == 202)
            #expect(
                try eventually {
                    try auditor.integer(BlockedSessions.count(of: "millrace erasure")) == 1
                })
            try erasure.send([
                erasure.event("page.viewed", #"{"email":"during"}"#, user: Self.user, "2026-11-25T09:00:00Z")
            ])
            try erasure.daemon.kill()
            try lock.execute("ROLLBACK")
            try erasure.daemon.start()
            #expect(
                try eventually { try auditor.strings("SELECT state FROM public.erasures") == ["done"] })
            try erasure.expectNowhere(Self.word)
            #expect(try !ErasureInstallation.grep("during", erasure.daemon.directory + "/spool").isEmpty)

            let after = erasure.lines(Self.user, "after", number: 2)
            try erasure.send(after)
            let rows = "SELECT count(*) FROM public.analytics_events WHERE user_id = '\(Self.user)'"
            let kept = try auditor.integer(rows)
            #expect(kept >= 8)
            try erasure.daemon.kill()
            try erasure.daemon.start()
            #expect(try erasure.daemon.run("projections", "rebuild", "--all").isSuccess)
            #expect(try auditor.integer(rows) == kept)
            #expect(
                try auditor.integer("SELECT count(*) FROM public.conversations WHERE user_id = '\(Self.user)'") == 2)
            #expect(try !ErasureInstallation.grep("after@example.com", erasure.daemon.directory + "/spool").isEmpty)
            #expect(try auditor.integer("SELECT count(*) FROM public.dead_letters") == 0)
            try erasure.verify()
            // Asked for once more, it goes as well.
            try erasure.eraseAll(Self.user)
            try erasure.expectNowhere(Self.user)
            try erasure.expectNowhere("after@example.com")
            try erasure.verify()
        }
    }
}
