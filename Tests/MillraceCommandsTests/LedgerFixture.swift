import MillraceEvent
import MillracePostgres
import MillraceTestSupport

@testable import MillraceCommands

/// A migrated database with the month of November 2026, and batches as a writer would leave them.
struct LedgerFixture {
    static let spoolID = UniqueID(high: 0x0102_0304_0506_4708, low: 0x8901_0203_0405_0607)
    /// 2026-11-15T00:00:00Z.
    static let receivedAt = Timestamp(microseconds: 1_794_700_800_000_000)

    let database: TestDatabase
    let connection: PostgresConnection

    init(_ name: String = #function) throws {
        database = try TestCluster.shared.database(name)
        connection = try database.connect()
        if let month = PartitionMonth(year: 2026, month: 11) {
            for table in PartitionedTable.allCases { try Partitions(connection: connection).ensure(month, of: table) }
        }
    }

    /// A batch of `events` rows, then `conversations` rows, then `dead` and `refused` lines with their letters.
    func addBatch(
        _ id: Int, first: Int, events: Int = 0, conversations: Int = 0, duplicates: Int = 0, dead: Int = 0,
        refused: Int = 0
    ) throws {
        let count = events + conversations + duplicates + dead + refused
        try connection.execute(
            """
            INSERT INTO public.ingest_batches (
                spool_id, first_seq, last_seq, batch_id, rows, duplicates, dead, refused, conversation_rows
            )
            VALUES (
                '\(Self.spoolID)', \(first), \(first + count - 1), \(id), \(events + conversations), \(duplicates),
                \(dead), \(refused), \(conversations)
            );
            INSERT INTO public.analytics_events (id, event_type, created_at, received_at, batch_id)
            SELECT gen_random_uuid(), 'test', '2026-11-15 00:00:00+00', '2026-11-15 00:00:00+00', \(id)
            FROM generate_series(1, \(events));
            INSERT INTO public.conversations (
                id, conversation_id, user_id, question, response, created_at, received_at, batch_id
            )
            SELECT gen_random_uuid(), 'c', gen_random_uuid(), 'q', 'r', '2026-11-15 00:00:00+00',
                '2026-11-15 00:00:00+00', \(id)
            FROM generate_series(1, \(conversations))
            """)
        for index in 0..<dead + refused {
            let sequence = first + events + conversations + duplicates + index
            try addLetter(
                sequence: sequence, kind: index < dead ? "event" : "refused",
                code: index < dead ? "database" : "invalid_json", line: "{\"event_type\":\"dead.\(sequence)\"}",
                batch: id)
        }
    }

    func addLetter(sequence: Int, kind: String, code: String, line: String?, batch: Int) throws {
        try connection.query(
            """
            INSERT INTO public.dead_letters (
                spool_id, sequence, kind, code, sqlstate, message, line, received_at, batch_id
            )
            VALUES ($1::uuid, $2::bigint, $3, $4, '23514', 'no', $5, '2026-11-15 00:00:00+00', $6::bigint)
            """,
            parameters: [
                .text("\(Self.spoolID)"), .integer(sequence), .text(kind), .text(code), line.map { .text($0) },
                .integer(batch),
            ])
    }

    /// A spool whose lines from `first` on are on disk.
    func snapshot(_ runs: [(Range<UInt64>, RecordKind)], end: UInt64) -> SpoolSnapshot {
        SpoolSnapshot(
            spoolID: Self.spoolID, endSequence: end,
            runs: runs.map { .init(sequences: $0.0, kind: $0.1, receivedAt: Self.receivedAt) })
    }

    func verify(_ snapshot: SpoolSnapshot? = nil, since: Timestamp? = nil) throws -> VerifyReport {
        try Verification(
            connection: connection, snapshot: snapshot, begunAt: nil, timeout: .seconds(60), since: since,
            countsRepeatedIDs: true
        ).run { _ in }
    }

    func count(_ sql: String) throws -> Int {
        try connection.execute(sql).count(0, 0)
    }
}
