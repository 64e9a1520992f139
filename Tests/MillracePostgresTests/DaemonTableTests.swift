import MillraceEvent
import MillracePostgres
import MillraceTestSupport
import Testing

@Suite(.onOwnThreads) struct DaemonTableTests {
    private let database: TestDatabase
    private let connection: PostgresConnection
    private let table: DaemonTable

    init() throws {
        database = try TestCluster.shared.database()
        connection = try database.connect()
        table = DaemonTable(connection: connection)
    }

    private static func row(_ spool: UniqueID = .random(), position: UInt64 = 100, waiting: Int = 0) -> DaemonRow {
        DaemonRow(
            spoolID: spool, host: "app-1", version: "1.2.3", processID: 4711,
            startedAt: Timestamp(microseconds: 1_800_000_000_123_456), spoolPosition: position, settledPosition: 90,
            spoolBytes: 64 << 20, waitingLines: waiting,
            oldestWaitingAt: waiting > 0 ? Timestamp.now.advanced(by: .seconds(-90)) : nil,
            listeners: ["http 127.0.0.1:8080", "tcp [::1]:7171", "tcp unix:/run/a \"b\" {c},d"])
    }

    @Test func `what a daemon tells is read as it was told`() throws {
        let row = Self.row(waiting: 7)
        try table.write(row, due: .seconds(60))
        let found = try #require(try table.all().first)
        #expect(found.row == row)
        #expect(found.state == .away && found.awaySince == found.seenAt && found.stoppedAt == nil)
        #expect(try #require(found.lag) >= .seconds(89))
    }

    @Test func `who holds its spool's lock is here, silent once it is overdue, and stopped when it said so`() throws {
        let row = Self.row()
        let session = try database.connect()
        try session.execute("SELECT pg_advisory_lock(\(AdvisoryLockKeys(spool: row.spoolID).sessionKey))")
        try table.write(row, due: .seconds(60))
        #expect(try table.all().map(\.state) == [.here])
        #expect(try table.all().map(\.awaySince) == [nil])
        try connection.execute("UPDATE daemons SET due_at = now() - interval '1 hour'")
        #expect(try table.all().map(\.state) == [.silent])
        try table.write(row, due: .zero, hasStopped: true)
        let stopped = try table.all()
        #expect(stopped.map(\.state) == [.stopped] && stopped[0].awaySince == stopped[0].stoppedAt)
        try table.write(row, due: .seconds(60))
        #expect(try table.all().map(\.state) == [.here])
        session.close()
        #expect(try eventually { try table.all().map(\.state) == [.away] })
    }

    @Test func `writing a row over and over touches no index, as far as neighbours let the old versions go`() throws {
        let spools = (0..<5).map { _ in UniqueID.random() }
        for position in 0..<200 {
            for spool in spools { try table.write(Self.row(spool, position: UInt64(position)), due: .seconds(60)) }
        }
        try connection.execute("SELECT pg_stat_force_next_flush()")
        let updates = try connection.execute(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'daemons'")
        #expect(updates.count(0, 0) == 199 * 5)
        // Transactions in other databases of the server keep old versions a moment longer.
        #expect(updates.count(0, 1) > updates.count(0, 0) / 2)
        #expect(try table.all().count == 5)
    }

    @Test func `who was away for long is forgotten, unless lines wait in its spool or an erasure waits for it`() throws
    {
        let (gone, holds, there, asked) = (Self.row(), Self.row(waiting: 3), Self.row(), Self.row())
        for row in [gone, holds, there, asked] { try table.write(row, due: .seconds(60)) }
        try connection.execute(
            """
            INSERT INTO erasure_spools (erasure_id, spool_id, state)
            VALUES (gen_random_uuid(), '\(asked.spoolID)', 'asked'), (gen_random_uuid(), '\(gone.spoolID)', 'done')
            """)
        try connection.query(
            "UPDATE daemons SET due_at = now() - interval '100 days' WHERE spool_id <> $1::uuid",
            parameters: [.text("\(there.spoolID)")])
        #expect(
            try table.forgetGone(olderThan: .seconds(90 * 86_400), timeout: .seconds(10)) == ["\(gone.spoolID)"])
        #expect(try Set(table.all().map(\.row.spoolID)) == [holds.spoolID, there.spoolID, asked.spoolID])
        #expect(try table.forget(holds.spoolID))
        #expect(try !table.forget(holds.spoolID))
    }

    @Test func `a question is answered by a row that was made after it, and by no other`() throws {
        let row = Self.row()
        try table.write(row, due: .seconds(60))
        #expect(try table.question(to: row.spoolID) == nil)
        try table.ask()
        #expect(try table.all().map(\.isAsked) == [true])
        // What is told anyhow was made before, perhaps.
        try table.write(row, due: .seconds(60))
        #expect(try table.all().map(\.isAsked) == [true])
        let first = try #require(try table.question(to: row.spoolID))
        try table.ask()
        try table.write(row, due: .seconds(60), answering: first)
        #expect(try table.all().map(\.isAsked) == [true])
        let second = try table.question(to: row.spoolID)
        #expect(second != nil && second != first)
        try table.write(row, due: .seconds(60), answering: second)
        #expect(try table.all().map(\.isAsked) == [false])
        #expect(try table.question(to: row.spoolID) == nil)
        // Who stopped has nothing more to tell; who was forgotten tells again.
        try table.write(row, due: .zero, hasStopped: true)
        let stopped = try connection.execute("SELECT due_at::text FROM daemons").string(0, 0)
        try table.ask()
        #expect(try connection.execute("SELECT due_at::text FROM daemons").string(0, 0) == stopped)
        #expect(try table.question(to: .random()) != nil)
    }

    @Test func `somebody's lock on a row is not waited for`() throws {
        let row = Self.row()
        try table.write(row, due: .seconds(60))
        let other = try database.connect()
        try other.execute("BEGIN; SELECT FROM daemons FOR UPDATE")
        let error = try #require(throws: PostgresError.self) { try table.write(row, due: .seconds(60)) }
        #expect(error.sqlState == .lockNotAvailable)
        #expect(connection.isUsable && connection.transactionStatus == .idle)
    }

    @Test func `a database of before the table has no daemons`() throws {
        let older = try TestCluster.shared.database(isMigrated: false).connect()
        #expect(try DaemonTable(connection: older).all().isEmpty)
        #expect(try DaemonTable(connection: older).forgetGone(olderThan: .zero, timeout: .seconds(5)).isEmpty)
    }
}
