import FoundationEssentials
import Glibc
import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// What goes wrong while backups are made and restored, and who else is at work meanwhile.
    struct BackupMishapTests {
        private static let isRoot = geteuid() == 0

        @Test(.enabled(if: isRoot, "hiding /usr/lib/postgresql wants root"), arguments: ["backup", "restore"])
        func `programs that are older than the server are named, with what installs newer ones`(command: String) throws
        {
            let backups = try BackupInstallation("older_programs_\(command)")
            let name = try backups.backUp()
            if command == "restore" { try backups.emptyDatabase() }
            for program in ["pg_dump", "pg_restore"] {
                let path = "\(backups.scratch.path)/\(program)"
                try TextFile.write("#!/bin/sh\necho \"\(program) (PostgreSQL) 9.6.24\"\n", to: path)
                chmod(path, 0o755)
            }
            let hidden = """
                mount -t tmpfs none /usr/lib/postgresql
                PATH=\(backups.scratch.path) exec "$0" "$@"
                """
            let process = try SpawnedProcess(
                "/usr/bin/unshare",
                [
                    "-m", "/bin/sh", "-c", hidden, MillraceBinary.path, command, "--quiet", "--config",
                    backups.daemon.configuration,
                ], mark: backups.daemon.configuration, output: backups.scratch.path + "/out",
                errors: backups.scratch.path + "/err")
            #expect(try process.waitForExit(within: .seconds(60)) == .status(1))
            #expect(backups.said.contains("backup_tools_too_old"), "\(backups.said)")
            #expect(backups.said.contains("are of PostgreSQL 9"))
            #expect(backups.said.contains("apt-get install postgresql-client-"))
            #expect(backups.entries == [name, "lock"])
        }

        @Test func `who wants a table for himself between a dump's processes does not spoil the backup`() throws {
            let backups = try BackupInstallation()
            let owner = try backups.installation.database.connect()
            try owner.execute("CREATE TABLE public.wanted (n integer); CREATE TABLE public.locked (n integer)")
            try owner.execute("INSERT INTO public.wanted VALUES (1)")
            try owner.execute("BEGIN; LOCK TABLE public.locked")
            // The first process locks the tables in the order of their making.
            let backup = try backups.spawn("backup", "--quiet")
            try backups.waitForBlocked("pg_dump")
            let database = backups.installation.database
            let change = BackgroundThread {
                let other = try database.connect(applicationName: "other")
                try other.execute("ALTER TABLE public.wanted ADD COLUMN more text", timeout: .seconds(60))
            }
            try backups.waitForBlocked("other")
            try owner.execute("COMMIT")
            #expect(try backup.waitForExit(within: .seconds(60)) == .status(0), "\(backups.said)")
            try change.join()
            try backups.emptyDatabase()
            #expect(try backups.restore().isSuccess)
            #expect(try backups.auditor.strings("SELECT n::text FROM public.wanted") == ["1"])
        }

        @Test(.enabled(if: SmallDisk.isPermitted, "mounting a tmpfs wants root"))
        func `a disk that fills up during a dump leaves the older backup whole, and nothing of the new one`() throws {
            let disk = try SmallDisk(bytes: 4 << 20)
            let backups = try BackupInstallation(directory: disk.path + "/backups")
            let older = try backups.backUp()
            try backups.installation.database.connect().execute(
                """
                CREATE TABLE public.ballast AS
                SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 400000) AS n GROUP BY n % 200
                """, timeout: .seconds(60))
            let failed = try backups.daemon.run("backup", "--quiet")
            #expect(failed.errors.contains("backup_no_space"), "\(failed.errors)")
            #expect(try backups.names == [older])
            let left = try FileManager.default.contentsOfDirectory(atPath: disk.path + "/backups").sorted()
            #expect(left == [older, "lock"])
            #expect(try backups.daemon.run("backup", "verify", older).isSuccess)
            withExtendedLifetime(disk) {}
        }

        @Test(.enabled(if: SmallDisk.isPermitted, "mounting a tmpfs wants root"))
        func `a server whose disk fills up ends a restore with that reason, and the next one is right`() throws {
            // A full tablespace holds up every checkpoint of its server.
            let cluster = try TestCluster(isDurable: false)
            let backups = try BackupInstallation(cluster: cluster)
            let (daemon, database) = (backups.daemon, backups.installation.database)
            try daemon.start()
            let events = EventFactory(seed: 1721)
            #expect(
                try HTTPClient(daemon.http).postEvents(events.lines(0..<200), query: "?ack=committed").status == 200)
            #expect(try daemon.stop() == .status(0))
            let name = try backups.backUp()
            let disk = try SmallDisk(bytes: 12 << 20)
            let owner = try #require(FileStatus(cluster.cluster.logDirectory))
            chown(disk.path, owner.owner, owner.group)
            let superuser = try cluster.superuser()
            try superuser.execute("CREATE TABLESPACE small LOCATION '\(disk.path)'")
            try superuser.execute("DROP DATABASE \(database.name) WITH (FORCE)", timeout: .seconds(60))
            try superuser.execute(
                "CREATE DATABASE \(database.name) OWNER millrace TABLESPACE small", timeout: .seconds(60))
            try disk.fill(leaving: 256 << 10)
            let failed = try backups.restore(name)
            #expect(failed.exit == .status(1))
            #expect(
                failed.errors.contains("No space left") || failed.errors.contains("disk is full"), "\(failed.errors)")
            try backups.emptyDatabase()
            try superuser.execute("DROP TABLESPACE small")
            #expect(try backups.restore(name).isSuccess)
            let input = try InputTable(events.lines(0..<200), database: database)
            #expect(try input.missingEvents() == 0 && input.missingConversations() == 0)
            #expect(try backups.auditor.rows == 200)
            withExtendedLifetime(disk) {}
        }

        @Test func `a second backup is refused while one is made, and no password is seen meanwhile`() throws {
            let secret = "sek\(UInt64.random(in: 0 ... .max))ret"
            let backups = try BackupInstallation(password: secret)
            let holder = try backups.installation.database.connect()
            try holder.execute("BEGIN; LOCK TABLE public.dead_letters IN ACCESS EXCLUSIVE MODE")
            let process = try backups.spawn("backup")
            try backups.waitForBlocked("pg_dump")
            let second = try backups.daemon.run("backup", "--quiet")
            #expect(second.exit == .status(1))
            #expect(second.errors.contains("backup_running"), "\(second.errors)")
            let commands = try FileManager.default.contentsOfDirectory(atPath: "/proc").filter { Int($0) != nil }.map {
                TextFile.read("/proc/\($0)/cmdline")
            }
            #expect(commands.contains { $0.contains("pg_dump") && $0.contains("--snapshot") })
            #expect(!commands.contains { $0.contains(secret) })
            holder.close()
            #expect(try process.waitForExit(within: .seconds(60)) == .status(0))
            #expect(!backups.said.contains(secret) && !second.errors.contains(secret))
            let name = try #require(try backups.names.first)
            let folder = "\(backups.directory)/\(name)"
            for file in ["manifest.json", "database/toc.dat", "erasures.ndjson"] {
                #expect(!TextFile.read("\(folder)/\(file)").contains(secret))
            }
            // And what was written is its owner's alone.
            for path in try FileManager.default.subpathsOfDirectory(atPath: backups.directory) {
                let permissions = FileStatus("\(backups.directory)/\(path)")?.permissions ?? 0
                #expect(permissions & 0o077 == 0, "\(path) \(String(permissions, radix: 8))")
            }
        }

        @Test func `the last whole backup stays, whatever is newer and damaged`() throws {
            let backups = try BackupInstallation(settings: ["backup.keep": "1", "backup.keep_age": "\"1s\""])
            for damaged in ["20990101T000000Z", "20990101T000000Z-base"] {
                let folder = "\(backups.directory)/\(damaged)"
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
                try TextFile.write("{}", to: folder + "/manifest.json")
            }
            for _ in 0..<2 {
                let last = try backups.backUp()
                #expect(try backups.names == [last, "20990101T000000Z", "20990101T000000Z-base"])
                #expect(try backups.daemon.run("backup", "verify", last).isSuccess)
            }
        }

        @Test func `check says when the spool no longer reaches back to the newest backup`() throws {
            let backups = try BackupInstallation(settings: ["spool.retain": "\"1s\""])
            _ = try backups.backUp()
            let isSaid = try eventually(within: .seconds(30)) {
                try backups.daemon.run("check").output.contains("(spool.retain)")
            }
            #expect(isSaid)
            let other = try BackupInstallation(settings: ["spool.retain": "\"1h\""])
            _ = try other.backUp()
            let check = try other.daemon.run("check").output
            #expect(check.contains(" old, ") && !check.contains("(spool.retain)"), "\(check)")
        }

        /// Runs sql/roles.sql as a superuser.
        private func makeRoles(in database: TestDatabase, of cluster: TestCluster) throws {
            let scratch = try ScratchDirectory()
            let psql = try SpawnedProcess(
                "/usr/bin/psql",
                [
                    cluster.cluster.connectionString(role: "postgres", database: database.name), "--no-psqlrc",
                    "--quiet", "--set", "ON_ERROR_STOP=1", "--file", Repository.root + "/sql/roles.sql",
                ], mark: scratch.path, output: scratch.path + "/out", errors: scratch.path + "/errors")
            #expect(try psql.waitForExit(within: .seconds(60)) == .status(0))
        }

        @Test func `roles that the other server lacks are made by a superuser, and said to anybody else`() throws {
            let source = try TestCluster(isDurable: false)
            let database = try source.database(isMigrated: false)
            try makeRoles(in: database, of: source)
            let scratch = try ScratchDirectory()
            let directory = ["backup.directory": DaemonSettings.quoted(scratch.path + "/backups")]
            let daemon = try DaemonProcess(
                databaseURL: source.cluster.connectionString(role: "millrace_migrator", database: database.name),
                settings: directory)
            #expect(try daemon.run("migrate", "up").isSuccess)
            let backup = try daemon.run("backup", "--quiet")
            #expect(backup.isSuccess, "\(backup.errors)")

            let target = try TestCluster(isDurable: false)
            let empty = try target.database(isMigrated: false)
            let plain = try DaemonProcess(databaseURL: empty.connectionString, settings: directory)
            let refused = try plain.run("restore", "--quiet")
            #expect(refused.errors.contains("roles_missing"), "\(refused.errors)")
            #expect(refused.errors.contains("CREATE ROLE \"millrace_owner\" NOLOGIN"))
            #expect(
                try Auditor(database: empty).integer("SELECT count(*) FROM pg_class WHERE relname = 'ingest_batches'")
                    == 0)

            let privileged = try DaemonProcess(
                databaseURL: target.cluster.connectionString(role: "postgres", database: empty.name),
                settings: directory)
            let restored = try privileged.run("restore", "--quiet")
            #expect(restored.isSuccess, "\(restored.errors)\(restored.output)")
            #expect(restored.output.contains("made the role millrace_owner"), "\(restored.output)")
            let rights = try Auditor(database: empty).strings(
                """
                SELECT has_database_privilege('millrace_writer', current_database(), 'CREATE')::text
                UNION ALL
                SELECT tableowner FROM pg_tables WHERE tablename IN ('analytics_events', 'access_keys') ORDER BY 1
                """)
            #expect(rights == ["millrace_owner", "millrace_writer", "true"])
            // As its own daemon it is taken up at once.
            try makeRoles(in: empty, of: target)
            let own = try DaemonProcess(
                databaseURL: target.cluster.connectionString(role: "millrace_migrator", database: empty.name),
                settings: directory)
            #expect(try own.run("migrate", "status").isSuccess)
            try own.start()
            try own.waitUntil("/readyz")
            #expect(
                try HTTPClient(own.http).postEvents(
                    Array("{\"event_type\":\"a\"}\n".utf8), query: "?ack=committed"
                ).status == 200)
            #expect(try own.stop() == .status(0))
        }
    }
}
