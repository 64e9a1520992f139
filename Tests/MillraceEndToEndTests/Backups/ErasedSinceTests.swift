import FoundationEssentials
import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// Who was erased after a backup was made stays erased, whatever is lost.
    struct ErasedSinceTests {
        private static let user = "5b1f0c52-7a44-4d0e-9c57-3a3e0a4cfe11"
        private static let other = "0005eed0-0000-4000-8000-000000000002"
        /// Stands in every text of the users, and nowhere else.
        private static let word = "xqzsinceqzx"

        private let backups: BackupInstallation

        init() throws {
            backups = try BackupInstallation(
                "erased_since",
                settings: [
                    "projections.packs": "[\"analytics\", \"conversations\", \"commerce\", \"workspaces\"]",
                    "erasure.poll": "\"100ms\"",
                ])
            #expect(try backups.daemon.run("migrate", "up").isSuccess)
            try backups.daemon.start()
        }

        private func post(_ lines: [String], isAwaited: Bool = true) throws {
            let answer = try HTTPClient(backups.daemon.http).postEvents(
                Array((lines.joined(separator: "\n") + "\n").utf8), query: isAwaited ? "?ack=committed" : "")
            #expect(answer.status == (isAwaited ? 200 : 202), "\(answer.text)")
        }

        /// Of a user with a UUID, and of one whom a pack knows by the number 7.
        private static let lines = [
            #"{"event_type":"page.viewed","user_id":"\#(user)","payload":{"page":"/","email":"\#(word)@example.com"}}"#,
            #"{"event_type":"page.shared","user_id":"\#(other)","payload":{"with":"\#(user)"}}"#,
            #"{"conversation_id":"c1","question":"\#(word)?","response":"\#(word).","user_id":"\#(user)"}"#,
            #"{"event_type":"commerce.user_saved","payload":{"id":"\#(user)","email":"same@example.com","name":"\#(word)","role":"customer"}}"#,
            #"{"event_type":"workspaces.user_saved","payload":{"id":7,"username":"\#(word)7","email":"\#(word)7@example.com"}}"#,
            #"{"event_type":"workspaces.workspace_saved","payload":{"id":71,"user_id":7,"title":"\#(word)"}}"#,
            #"{"event_type":"workspaces.workspace_changed","payload":{"id":71,"description":"\#(word)"}}"#,
            #"{"event_type":"page.viewed","user_id":"\#(other)","payload":{"page":"/kept"}}"#,
            #"{"conversation_id":"c2","question":"kept?","response":"kept.","user_id":"\#(other)"}"#,
        ]

        private func erase() throws {
            for name in [[Self.user], ["--external", "7"]] {
                let run = try backups.daemon.run(["users", "erase"] + name + ["--yes", "--quiet"])
                #expect(run.isSuccess, "\(run.output)\(run.errors)")
            }
            try expectNowhere()
        }

        private func expectNowhere(sourceLocation: SourceLocation = #_sourceLocation) throws {
            for text in [Self.user, Self.word] {
                let found = try backups.places(of: text)
                #expect(found == [], "\(text): \(found)", sourceLocation: sourceLocation)
            }
        }

        /// Waits until the daemon has erased both again.
        private func expectErasedAgain(_ count: Int = 2, sourceLocation: SourceLocation = #_sourceLocation) throws {
            let isDone = eventually(within: .seconds(90)) {
                (try? backups.auditor.strings(
                    "SELECT state || ' ' || count(*) FROM public.erasures WHERE source = 'replay' GROUP BY state"))
                    == ["done \(count)"]
            }
            #expect(isDone, "\(backups.daemon.log.suffix(2000))", sourceLocation: sourceLocation)
            try expectNowhere(sourceLocation: sourceLocation)
            #expect(
                try backups.auditor.integer(
                    "SELECT count(*) FROM public.conversations WHERE user_id = '\(Self.other)'") == 1,
                sourceLocation: sourceLocation)
            let run = try backups.daemon.run("projections", "verify")
            #expect(run.isSuccess, "\(run.output)\(run.errors)", sourceLocation: sourceLocation)
            try backups.auditor.verify(backups.daemon, sourceLocation: sourceLocation)
        }

        private struct Restored: Decodable {
            var erasures: Int
            var segments: [Int]
        }

        @Test func `who was erased after the last backup is erased again after its restore`() throws {
            try post(Self.lines)
            let name = try backups.backUp()
            try erase()
            try backups.emptyDatabase()
            let restored = try backups.restore(name)
            #expect(restored.isSuccess, "\(restored.errors)\(restored.output)")
            #expect(try restored.report(Restored.self).erasures == 2)
            try expectErasedAgain()
            // Whom nobody erased stays, and nobody is erased a third time.
            #expect(try backups.auditor.integer("SELECT count(*) FROM public.erasures") == 4)
            let journal = TextFile.read(backups.daemon.directory + "/spool/erasures.ndjson")
            #expect(journal.contains("user_hash") && !journal.contains(Self.user))
            #expect(FileStatus(backups.daemon.directory + "/spool/erasures.ndjson")?.permissions == 0o600)
            #expect(try backups.daemon.stop() == .status(0))
        }

        @Test func `a host that is lost with its spool gets back nobody who was erased, from segments neither`() throws
        {
            try post([Self.lines[7]])
            // Nothing gets into the database: the users are in the spool alone when the backup is made.
            let holder = try backups.installation.database.connect()
            try holder.execute("BEGIN; LOCK TABLE public.ingest_batches IN SHARE ROW EXCLUSIVE MODE")
            try post(Self.lines, isAwaited: false)
            _ = try backups.backUp()
            holder.close()
            try backups.auditor.waitForRows(10)
            try erase()
            try backups.daemon.kill()
            try FileManager.default.removeItem(atPath: backups.daemon.directory + "/spool")
            try backups.emptyDatabase()
            let restored = try backups.restore()
            #expect(restored.isSuccess, "\(restored.errors)\(restored.output)")
            #expect(try restored.report(Restored.self).segments.isEmpty == false)
            try backups.daemon.start()
            try expectErasedAgain()
            #expect(try backups.daemon.stop() == .status(0))
        }

        @Test func `a database that has lost an erasure, as a standby may, learns of it from the daemon`() throws {
            try post(Self.lines)
            let connection = try backups.installation.database.connect()
            try connection.execute("CREATE TEMPORARY TABLE saved AS SELECT * FROM public.conversations")
            try erase()
            try connection.execute(
                """
                INSERT INTO public.conversations SELECT * FROM saved WHERE user_id = '\(Self.user)';
                DELETE FROM public.erasures;
                DELETE FROM public.erasure_keys;
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND application_name = 'millrace erasure'
                """)
            let isDone = eventually(within: .seconds(60)) {
                (try? backups.auditor.integer(
                    "SELECT count(*) FROM public.erasures WHERE source = 'replay' AND state = 'done'")) == 1
            }
            #expect(isDone, "\(backups.daemon.log.suffix(2000))")
            try expectNowhere()
            #expect(try backups.auditor.integer("SELECT count(*) FROM public.erasures") == 3)
            #expect(try backups.daemon.stop() == .status(0))
        }

        @Test func `an erasure that waited for a spool begins anew in an older database`() throws {
            try post(Self.lines)
            let older = try backups.backUp()
            try backups.daemon.kill()
            let waiting = try backups.daemon.run("users", "erase", Self.user, "--yes", "--quiet", "--wait", "0")
            #expect(waiting.exit == .status(1), "\(waiting.output)\(waiting.errors)")
            _ = try backups.backUp()
            try backups.emptyDatabase()
            let restored = try backups.restore(older)
            #expect(restored.isSuccess, "\(restored.errors)\(restored.output)")
            #expect(try backups.auditor.strings("SELECT state FROM public.erasures") == ["queued"])
            try backups.daemon.start()
            let isDone = eventually(within: .seconds(60)) {
                (try? backups.auditor.strings("SELECT state FROM public.erasures")) == ["done"]
            }
            #expect(isDone, "\(backups.daemon.log.suffix(2000))")
            let found = try backups.places(of: Self.user)
            #expect(found == [], "\(found)")
            try backups.auditor.verify(backups.daemon)
            #expect(try backups.daemon.stop() == .status(0))
        }
    }
}
