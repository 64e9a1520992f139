import FoundationEssentials
import MillraceTestSupport
import Synchronization
import Testing

@testable import MillracePostgres

/// What migrations lock, and for how long they hold up who writes.
@Suite(.onOwnThreads) struct MigrationLockTests {
    private let database: TestDatabase
    private let connection: PostgresConnection

    init() throws {
        database = try TestCluster.shared.database(isMigrated: false)
        connection = try database.connect()
    }

    @Test func `each migration says which tables it locks against writers`() throws {
        for migration in Migration.all {
            try Migrator(connection: connection).up(to: migration.version - 1)
            if migration.version == 3 { try Partitions(connection: connection).ensureAhead(months: 1, from: 0) }
            try connection.execute(
                """
                BEGIN;
                CREATE TEMPORARY TABLE known ON COMMIT DROP AS
                SELECT class.oid, format('%I.%I', space.nspname, relation.relname) AS name
                FROM pg_class AS class
                LEFT JOIN pg_index AS state ON state.indexrelid = class.oid
                JOIN pg_class AS relation ON relation.oid = COALESCE(
                    pg_partition_root(COALESCE(state.indrelid, class.oid)), state.indrelid, class.oid)
                JOIN pg_namespace AS space ON space.oid = relation.relnamespace
                WHERE space.nspname IN ('public', 'projections')
                """)
            try connection.execute(migration.upOnline)
            let locked = try connection.execute(
                """
                SELECT DISTINCT known.name
                FROM pg_locks
                JOIN known ON known.oid = relation
                WHERE pid = pg_backend_pid()
                    AND mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
                """
            ).texts.map { $0[0] }
            try connection.execute("ROLLBACK")
            #expect(Set(locked) == Set(migration.locked), "\(migration.name)")
        }
    }

    @Test func `each migration's file, or the guide, says its locks`() throws {
        let package = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let guide = try String(
            contentsOfFile: "/\(package)/Sources/millrace/Millrace.docc/DatabaseCare.md", encoding: .utf8)
        for migration in Migration.all {
            if migration.version > 22 {
                let head = migration.up.split(separator: "\n").prefix { $0.hasPrefix("--") }.joined(separator: " ")
                #expect(
                    head.contains("Lock") || head.contains("lock") || head.contains("ACCESS EXCLUSIVE"),
                    "\(migration.name)")
            }
            guard !migration.locked.isEmpty else { continue }
            let row = guide.split(separator: "\n").first { $0.hasPrefix("| `\(migration.name)`") }
            let said = try #require(row, "\(migration.name) is not in the guide's table")
            for table in migration.locked {
                #expect(said.contains("`\(table.split(separator: ".")[1])`"), "\(migration.name): \(table)")
            }
        }
    }

    /// Counts what a session has written, and keeps the first error.
    private final class Writer: Sendable {
        private let state = Mutex<(rounds: Int, isStopping: Bool, error: String?, longest: Duration)>(
            (0, false, nil, .zero))

        var rounds: Int { state.withLock { $0.rounds } }
        var error: String? { state.withLock { $0.error } }
        var longest: Duration { state.withLock { $0.longest } }
        var isStopping: Bool { state.withLock { $0.isStopping } }
        func stop() { state.withLock { $0.isStopping = true } }

        /// As a writer of the daemon, from the schema before the migrations to the one after: rows by COPY into the months,
        /// then the ledger. Whoever holds it up for longer than `limit` ends it with an error.
        func run(_ connection: PostgresConnection, limit: Duration) {
            do {
                try connection.execute("SET lock_timeout = '\(limit.components.seconds)s'")
                while state.withLock({ !$0.isStopping }) {
                    let start = ContinuousClock.now
                    let number = rounds + 1
                    try connection.transaction { () throws(PostgresError) in
                        try connection.execute(
                            """
                            INSERT INTO analytics_events_y1970m01 (id, event_type, created_at, batch_id)
                            SELECT gen_random_uuid(), 'a', timestamptz '1970-01-03 00:00:00+00', \(number)
                            FROM generate_series(1, 20);
                            INSERT INTO conversations_y1970m01
                                (id, conversation_id, user_id, question, response, created_at, batch_id)
                            VALUES
                                (gen_random_uuid(), 'c', gen_random_uuid(), 'q', 'r', timestamptz '1970-01-03 00:00:00+00',
                                \(number));
                            INSERT INTO ingest_batches (spool_id, first_seq, last_seq, batch_id, rows, duplicates, dead)
                            VALUES ('00000000-0000-0000-0000-000000000001', \(number), \(number), \(number), 1, 0, 0)
                            """)
                    }
                    let duration = ContinuousClock.now - start
                    state.withLock { state in
                        state.rounds += 1
                        state.longest = max(state.longest, duration)
                    }
                }
            } catch {
                state.withLock { $0.error = "after \($0.rounds) rounds: \(error)" }
            }
        }
    }

    @Test func `no migration holds up who writes, over all of them, while long readers come and go`() throws {
        try Migrator(connection: connection).up(to: 6)
        try Partitions(connection: connection).ensureAhead(months: 1, from: 0)
        let rows = Int(ProcessInfo.processInfo.environment["MILLRACE_MIGRATION_ROWS"] ?? "") ?? 20_000
        try connection.execute(
            """
            INSERT INTO analytics_events (id, event_type, payload, created_at, batch_id)
            SELECT gen_random_uuid(), 'a', '{"a": 1}', timestamptz '1970-01-01 00:00:00+00' + n * interval '1 second', n / 100
            FROM generate_series(1, \(rows)) AS n;
            INSERT INTO conversations (id, conversation_id, user_id, question, response, created_at, batch_id)
            SELECT
                gen_random_uuid(), 'c' || n, gen_random_uuid(), 'why is the sky ' || md5(n::text), repeat('words ', 20),
                timestamptz '1970-01-01 00:00:00+00' + n * interval '1 second', n / 100
            FROM generate_series(1, \(rows / 4)) AS n;
            INSERT INTO ingest_batches (spool_id, first_seq, last_seq, batch_id, rows, duplicates, dead)
            SELECT gen_random_uuid(), n, n, n, 1, 0, 0 FROM generate_series(1, \(rows)) AS n
            """, timeout: .seconds(300))

        // Waits of the migrations are 500 ms a try; beyond that, a busy machine may take its time.
        let limit = Duration.seconds(Int(ProcessInfo.processInfo.environment["MILLRACE_MIGRATION_WAIT"] ?? "") ?? 5)
        let writer = Writer()
        let writing = BackgroundThread { [database] in try writer.run(database.connect(), limit: limit) }
        let reading = BackgroundThread { [database] in
            let reader = try database.connect()
            while !writer.isStopping, writer.error == nil {
                try reader.execute(
                    "BEGIN; SELECT count(*) FROM analytics_events; SELECT count(*) FROM user_questions_complete")
                let end = writer.rounds + 20
                _ = eventually(within: .seconds(5)) { writer.rounds >= end || writer.isStopping }
                try reader.execute("COMMIT")
                _ = eventually(within: .seconds(5)) { writer.rounds >= end + 10 || writer.isStopping }
            }
        }
        defer { writer.stop() }
        var waits = 0
        let applied = try Migrator(connection: connection).up(onWait: { _ in waits += 1 })
        writer.stop()
        try writing.join()
        try reading.join()
        #expect(applied.count == Migration.all.count - 6)
        #expect(writer.error == nil)
        #expect(writer.rounds > 0)
        print("migrations: \(writer.rounds) transactions, the longest \(writer.longest), \(waits) waits")
        #expect(
            try connection.execute("SELECT count(*) FROM ingest_batches WHERE spool_id::text LIKE '0000%1'").count(0, 0)
                == writer.rounds)
        // The indexes were taken as they had been built, under the names of the others.
        let left = try connection.execute(
            "SELECT count(*) FROM pg_class WHERE relname LIKE 'millrace\\_index\\_%' OR relname LIKE 'millrace\\_key\\_%'"
        )
        #expect(left.count(0, 0) == 0)
        let parts = try connection.execute(
            """
            SELECT count(*)
            FROM pg_inherits
            WHERE inhparent IN (
                'analytics_events_batch_id_idx'::regclass, 'conversations_batch_id_idx'::regclass,
                'conversations_document_idx'::regclass)
            """)
        #expect(parts.count(0, 0) == 6)
    }

    @Test func `what is made of the ledger before its migrations is what they make, also after an interruption`() throws
    {
        let raw = try TestCluster.shared.database("raw", isMigrated: false).connect()
        try Migrator(connection: raw).up(to: 11)
        for migration in Migration.all[11...12] { try raw.execute(migration.up) }
        // As a build leaves it that ended after the check, and one that ended within the index.
        try Migrator(connection: connection).up(to: 11)
        try connection.execute(
            """
            ALTER TABLE ingest_batches
                ADD COLUMN last_batch_id bigint,
                ADD COLUMN batches bigint NOT NULL DEFAULT 1,
                ADD CONSTRAINT ingest_batches_joined_check CHECK (
                    (last_batch_id IS NULL AND batches = 1)
                    OR (last_batch_id IS NOT NULL AND last_batch_id > batch_id AND batches > 1)
                ) NOT VALID;
            INSERT INTO ingest_batches (spool_id, first_seq, last_seq, batch_id, rows, duplicates, dead)
            SELECT gen_random_uuid(), 1, 1, 1, 1, 0, 0 FROM generate_series(1, 2)
            """)
        #expect(throws: PostgresError.self) {
            try connection.execute(
                "CREATE UNIQUE INDEX CONCURRENTLY ingest_batches_joined_idx ON ingest_batches (batch_id)")
        }
        try Migrator(connection: connection).up(to: 13)
        let parts = """
            SELECT conname || pg_get_constraintdef(oid) || convalidated
            FROM pg_constraint
            WHERE conrelid = 'ingest_batches'::regclass
            UNION ALL
            SELECT pg_get_indexdef(indexrelid) || indisvalid FROM pg_index WHERE indrelid = 'ingest_batches'::regclass
            UNION ALL
            SELECT attname || format_type(atttypid, atttypmod) || attnotnull || coalesce(pg_get_expr(adbin, adrelid), '')
            FROM pg_attribute
            LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
            WHERE attrelid = 'ingest_batches'::regclass AND attnum > 0
            ORDER BY 1
            """
        #expect(try connection.execute(parts).texts == raw.execute(parts).texts)
    }

    @Test func `who holds a table is told while a migration waits for it, and after it gave up`() throws {
        try Migrator(connection: connection).up(to: 13)
        let holder = try database.connect(applicationName: "the one in the way")
        try holder.execute("BEGIN; LOCK TABLE projections.parked IN SHARE MODE")
        var waits: [MigrationWait] = []
        let migrator = Migrator(connection: connection, patience: .milliseconds(1))
        let error = try #require(throws: MigrationError.self) {
            try migrator.up(to: 14, onWait: { waits.append($0) })
        }
        #expect(error.migration == "0014_parked_constraints" && error.message.contains("the one in the way"))
        #expect(error.hint.contains("pg_terminate_backend"))
        #expect(waits.first?.holders.first?.contains("idle in transaction") == true, "\(waits)")
        try holder.execute("ROLLBACK")
        #expect(try migrator.up(to: 14).count == 1)
    }

    @Test func `what an interrupted build of months' indexes left is built anew`() throws {
        try Migrator(connection: connection).up(to: 8)
        try Partitions(connection: connection).ensureAhead(months: 0, from: 0)
        let oid = try connection.execute("SELECT 'conversations_y1970m01'::regclass::oid").count(0, 0)
        try connection.execute(
            """
            INSERT INTO conversations (id, conversation_id, user_id, question, response, created_at, batch_id)
            SELECT gen_random_uuid(), 'c', gen_random_uuid(), 'q', 'r', '1970-01-05 00:00:00+00', 1 FROM generate_series(1, 2)
            """)
        #expect(throws: PostgresError.self) {
            try connection.execute(
                "CREATE UNIQUE INDEX CONCURRENTLY millrace_index_\(oid)_conversation_document_idx "
                    + "ON conversations_y1970m01 (conversation_id)")
        }
        try Migrator(connection: connection).up()
        let index = try connection.execute(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = 'conversations_y1970m01_conversation_document_idx'::regclass"
        )
        #expect(index.bool(0, 0) == true)
    }
}
