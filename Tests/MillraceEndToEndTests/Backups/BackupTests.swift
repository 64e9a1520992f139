import FoundationEssentials
import Glibc
import MillracePostgres
import MillraceTestSupport
import Synchronization
import Testing

extension EndToEnd {
    struct BackupTests {
        @Test func `what was acknowledged before and after a backup under load is there after a restore`() throws {
            let backups = try BackupInstallation()
            let (daemon, auditor) = (backups.daemon, backups.auditor)
            let events = EventFactory(seed: 1701)
            try daemon.start()
            try daemon.waitUntil("/readyz")
            let sent = Mutex(0)
            let isOver = ManagedFlag()
            let address = daemon.http
            let sender = BackgroundThread {
                let http = HTTPClient(address)
                while !isOver.isSet {
                    let start = sent.withLock { $0 }
                    guard try http.postEvents(events.lines(start..<start + 100)).status == 202 else { continue }
                    sent.withLock { $0 = start + 100 }
                }
            }
            #expect(eventually(within: .seconds(30)) { sent.withLock { $0 } >= 1000 })
            let name = try backups.backUp()
            let atBackup = sent.withLock { $0 }
            #expect(eventually(within: .seconds(30)) { sent.withLock { $0 } >= atBackup + 500 })
            try backups.emptyDatabase()
            let restored = try backups.restore(name)
            #expect(restored.isSuccess, "\(restored.errors)\(restored.output)")
            isOver.set()
            try sender.join()
            let count = sent.withLock { $0 }
            try auditor.waitForRows(count)
            #expect(try auditor.rows == count)
            let input = try InputTable(events.lines(0..<count), database: backups.installation.database)
            #expect(try input.missingEvents() == 0)
            #expect(try input.missingConversations() == 0)
            #expect(try input.foreignEvents() == 0)
            try auditor.verify(daemon)
            #expect(
                try auditor.strings("SELECT object FROM public.audit_log WHERE action = 'backup.restore'") == [name])
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `a host that is lost with its spool gets back what was acknowledged before the backup`() throws {
            let backups = try BackupInstallation()
            let (daemon, auditor) = (backups.daemon, backups.auditor)
            let events = EventFactory(seed: 1702)
            try daemon.start()
            #expect(
                try HTTPClient(daemon.http).postEvents(events.lines(0..<200), query: "?ack=committed").status == 200)
            // From here on nothing gets into the database: it is in the spool alone when the backup is made.
            let holder = try backups.installation.database.connect()
            try holder.execute("BEGIN; LOCK TABLE public.ingest_batches IN SHARE ROW EXCLUSIVE MODE")
            #expect(try HTTPClient(daemon.http).postEvents(events.lines(200..<300)).status == 202)
            _ = try backups.backUp()
            try daemon.kill()
            holder.close()
            try FileManager.default.removeItem(atPath: daemon.directory + "/spool")
            try backups.emptyDatabase()
            let restored = try backups.restore()
            #expect(restored.isSuccess, "\(restored.errors)\(restored.output)")
            #expect(try restored.report(Restored.self).segments.isEmpty == false)
            try daemon.start()
            try auditor.waitForRows(300)
            #expect(try auditor.rows == 300)
            try auditor.verify(daemon)
            #expect(try daemon.stop() == .status(0))
        }

        private struct Restored: Decodable {
            var ok: Bool
            var segments: [Int]
        }

        @Test func `a database that is not empty is refused, with what to do`() throws {
            let backups = try BackupInstallation()
            _ = try backups.backUp()
            let rows = try backups.auditor.integer("SELECT count(*) FROM public.millrace_migrations")
            let refused = try backups.restore()
            #expect(refused.exit == .status(1))
            #expect(refused.errors.contains("database_not_empty"), "\(refused.errors)")
            #expect(refused.errors.contains("CREATE DATABASE \(backups.installation.database.name)"))
            #expect(try backups.auditor.integer("SELECT count(*) FROM public.millrace_migrations") == rows)
        }

        @Test func `a backup that is killed has no backup's name, leaves no program behind, and goes with the next`()
            throws
        {
            let backups = try BackupInstallation()
            let holder = try backups.installation.database.connect()
            try holder.execute("BEGIN; LOCK TABLE public.dead_letters IN ACCESS EXCLUSIVE MODE")
            let process = try SpawnedProcess(
                MillraceBinary.path, ["backup", "--quiet", "--config", backups.daemon.configuration],
                mark: backups.daemon.configuration, output: backups.scratch.path + "/out",
                errors: backups.scratch.path + "/err")
            try backups.waitForBlocked("pg_dump")
            #expect(backups.entries.contains { $0.hasSuffix(".partial") })
            process.signal(SIGKILL)
            try process.waitForExit(within: .seconds(20))
            #expect(try eventually(within: .seconds(20)) { try backups.sessions("pg_dump") == 0 })
            #expect(try backups.names.isEmpty)
            holder.close()
            let name = try backups.backUp()
            #expect(backups.entries == [name, "lock"])
            #expect(try backups.daemon.run("backup", "verify").isSuccess)
        }

        @Test func `a restore that is killed leaves a database that no daemon writes to, and that is named so`() throws
        {
            let backups = try BackupInstallation()
            let (daemon, auditor) = (backups.daemon, backups.auditor)
            let events = EventFactory(seed: 1703)
            try daemon.start()
            #expect(
                try HTTPClient(daemon.http).postEvents(events.lines(0..<100), query: "?ack=committed").status == 200)
            let name = try backups.backUp()
            try backups.emptyDatabase()
            let process = try SpawnedProcess(
                MillraceBinary.path, ["restore", "--quiet", "--config", daemon.configuration],
                mark: daemon.configuration, output: backups.scratch.path + "/out",
                errors: backups.scratch.path + "/err")
            let isBegun = eventually(within: .seconds(60)) {
                (try? auditor.integer("SELECT count(*) FROM pg_class WHERE relname = 'ingest_batches'")) == 1
            }
            #expect(isBegun)
            process.signal(SIGKILL)
            try process.waitForExit(within: .seconds(20))
            #expect(try eventually(within: .seconds(20)) { try backups.sessions("pg_restore") == 0 })
            let isSaid = eventually { daemon.log.contains("the schema is at migration 0") }
            #expect(isSaid, "\(daemon.log.suffix(2000))")
            // Nor does anybody read half of it.
            let read = try HTTPClient.get("/v1/events?limit=1", at: daemon.http)
            #expect(read.status == 503 && read.text.contains("millrace restore"), "\(read.status) \(read.text)")
            let refused = try backups.restore(name)
            #expect(refused.errors.contains("was interrupted"), "\(refused.errors)")
            try backups.emptyDatabase()
            #expect(try backups.restore(name).isSuccess)
            try auditor.waitForRows(100)
            #expect(try auditor.rows == 100)
            try auditor.verify(daemon)
            #expect(try daemon.stop() == .status(0))
        }

        @Test(arguments: ["database", "spool", "manifest.json"], [false, true])
        func `a file that has changed or is gone is named, and is not restored`(part: String, isGone: Bool) throws {
            let backups = try BackupInstallation("changed_\(part)")
            try backups.daemon.start()
            let events = EventFactory(seed: 1704)
            #expect(
                try HTTPClient(backups.daemon.http).postEvents(events.lines(0..<50), query: "?ack=committed").status
                    == 200)
            let name = try backups.backUp()
            #expect(try backups.daemon.stop() == .status(0))
            let folder = "\(backups.directory)/\(name)"
            let files = try FileManager.default.subpathsOfDirectory(atPath: folder).sorted()
            let victim = try #require(
                files.first {
                    $0.hasPrefix(part) && ($0.hasSuffix(".gz") || $0.hasSuffix(".seg") || $0 == "manifest.json")
                })
            if isGone {
                unlink("\(folder)/\(victim)")
            } else {
                var bytes = try [UInt8](Data(contentsOf: URL(filePath: "\(folder)/\(victim)")))
                bytes[bytes.count / 2] ^= 1
                try TextFile.write(bytes, to: "\(folder)/\(victim)")
            }
            let verify = try backups.daemon.run("backup", "verify", "--json")
            #expect(verify.exit == .status(1))
            #expect(try verify.output.contains(#require(victim.split(separator: "/").last)), "\(verify.output)")
            try backups.emptyDatabase()
            let refused = try backups.restore()
            #expect(refused.exit == .status(1))
            #expect(refused.errors.contains("backup_damaged"), "\(refused.errors)")
            #expect(try backups.auditor.integer("SELECT count(*) FROM pg_class WHERE relname = 'ingest_batches'") == 0)
        }

        @Test func `the oldest go by count, and each that was made and removed stands in the audit log`() throws {
            let backups = try BackupInstallation(settings: ["backup.keep": "2"])
            let made = try (0..<3).map { _ in try backups.backUp() }
            #expect(try backups.names == Array(made.suffix(2)))
            let audit = "SELECT action || ' ' || object FROM public.audit_log WHERE action LIKE 'backup.%' ORDER BY id"
            #expect(
                try backups.auditor.strings(audit)
                    == made.map { "backup.make \($0)" } + ["backup.remove \(made[0])"])
        }

        @Test(.enabled(if: SmallDisk.isPermitted, "mounting a tmpfs wants root"))
        func `a disk that is full is said, and nothing of what was begun is left on it`() throws {
            let disk = try SmallDisk(bytes: 128 << 10)
            let backups = try BackupInstallation(directory: disk.path + "/backups")
            let run = try backups.daemon.run("backup", "--quiet")
            #expect(run.exit == .status(1))
            #expect(run.errors.contains("backup_no_space"), "\(run.errors)")
            let left = try FileManager.default.contentsOfDirectory(atPath: disk.path + "/backups")
            #expect(left == ["lock"])
            #expect(try backups.names.isEmpty)
            withExtendedLifetime(disk) {}
        }

        @Test func `a user who was erased after the backup is queued to be erased again`() throws {
            let backups = try BackupInstallation()
            let (daemon, database) = (backups.daemon, backups.installation.database)
            try daemon.start()
            let user = "11111111-2222-4333-8444-555555555555"
            let line = Array("{\"event_type\":\"a\",\"user_id\":\"\(user)\"}\n".utf8)
            #expect(try HTTPClient(daemon.http).postEvents(line, query: "?ack=committed").status == 200)
            #expect(try daemon.stop() == .status(0))
            let older = try backups.backUp()
            // As an erasure leaves it when it is done.
            try database.connect().execute(
                """
                INSERT INTO public.erasures (tenant_id, user_hash, state, source)
                SELECT 0, sha256(salt || int4send(0) || uuid_send('\(user)')), 'done', 'command'
                FROM public.erasure_salt;
                UPDATE public.analytics_events SET user_id = NULL
                """)
            _ = try backups.backUp()
            try backups.emptyDatabase()
            let restored = try backups.restore(older)
            #expect(restored.output.contains("\"erasures\" : 1"), "\(restored.errors)\(restored.output)")
            let queued = "SELECT user_id::text FROM public.erasures WHERE state = 'queued' AND source = 'replay'"
            #expect(try backups.auditor.strings(queued) == [user])
        }

        @Test(.enabled(if: geteuid() == 0, "hiding /usr/lib/postgresql wants root"))
        func `programs that are missing are named, with what installs them`() throws {
            let backups = try BackupInstallation()
            let hidden = """
                mount -t tmpfs none /usr/lib/postgresql
                PATH=/nowhere exec "$0" "$@"
                """
            let process = try SpawnedProcess(
                "/usr/bin/unshare",
                [
                    "-m", "/bin/sh", "-c", hidden, MillraceBinary.path, "backup", "--quiet", "--config",
                    backups.daemon.configuration,
                ], mark: backups.daemon.configuration, output: backups.scratch.path + "/out",
                errors: backups.scratch.path + "/err")
            #expect(try process.waitForExit(within: .seconds(60)) == .status(1))
            let said = TextFile.read(backups.scratch.path + "/err")
            #expect(said.contains("backup_tools_missing"), "\(said)")
            #expect(said.contains("apt-get install postgresql-client-"))
            #expect(backups.entries == ["lock"])
        }
    }
}
