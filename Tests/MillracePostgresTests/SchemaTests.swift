import MillracePostgres
import MillraceTestSupport
import Testing

/// The tables as the contract has them.
@Suite(.onOwnThreads) struct SchemaTests {
    private let connection: PostgresConnection

    init() throws {
        connection = try TestCluster.shared.database().connect()
    }

    @Test(arguments: [
        (
            "analytics_events",
            "id uuid, tenant_id integer, event_type text, user_id uuid, payload jsonb, created_at timestamp with time zone, "
                + "received_at timestamp with time zone, batch_id bigint"
        ),
        (
            "conversations",
            "id uuid, tenant_id integer, conversation_id text, user_id uuid, question text, response text, source text, "
                + "metadata jsonb, status text, created_at timestamp with time zone, "
                + "received_at timestamp with time zone, batch_id bigint"
        ),
    ])
    func `the columns are the contract's, in its order`(table: String, columns: String) throws {
        let result = try connection.query(
            """
            SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum)
            FROM pg_attribute
            WHERE attrelid = to_regclass($1) AND attnum > 0
            """, parameters: [.text(table)])
        #expect(result.string(0, 0) == columns)
        let key = try connection.query(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = to_regclass($1) AND contype = 'p'",
            parameters: [.text(table)])
        #expect(key.string(0, 0) == "PRIMARY KEY (created_at, id, tenant_id)")
    }

    @Test func `the ledger refuses a batch whose counts do not add up to its sequences`() throws {
        let insert = """
            INSERT INTO ingest_batches (spool_id, first_seq, last_seq, batch_id, rows, duplicates, dead, refused)
            VALUES (gen_random_uuid(), 10, 19, 1, 6, 2, 1, 
            """
        try #expect(connection.execute(insert + "1)").affectedRows == 1)
        let error = try #require(throws: PostgresError.self) { try connection.execute(insert + "2)") }
        #expect(error.constraint == "ingest_batches_conservation_check")
    }

    @Test func `user_questions_complete shows active conversations and finds them by words with the index`() throws {
        try Partitions(connection: connection).ensureAhead(months: 0, from: 0)
        let save = """
            INSERT INTO conversations (id, conversation_id, user_id, question, response, status, created_at, batch_id)
            SELECT gen_random_uuid(), 'c' || n, gen_random_uuid(), 'Wie füttere ich HÜHNER ' || n, 'Mit Korn', status,
                '1970-01-05 00:00:00+00', 1
            FROM generate_series(1, 2000) AS n, unnest(ARRAY['active', 'deleted']) AS status
            """
        try connection.execute("\(save); ANALYZE conversations")
        let search = """
            SELECT conversation_id FROM user_questions_complete
            WHERE document @@ websearch_to_tsquery('simple', 'hühner 7 korn')
            """
        let found = try connection.execute(search)
        #expect(found.rowCount == 1 && found.string(0, 0) == "c7")
        let plan = try connection.execute("SET enable_seqscan = off; EXPLAIN \(search)")
        let lines = (0..<plan.rowCount).compactMap { plan.string($0, 0) }
        #expect(lines.contains { $0.contains("conversations_y1970m01_") && $0.contains("Bitmap Index Scan") })
    }

    @Test(arguments: [
        ("", "0"), ("0", "0"), ("7", "7"), ("000000012", "12"), ("999999999", "999999999"), ("x", nil), ("-1", nil),
        (" 7", nil), ("7.0", nil), ("1e3", nil), ("99999999999999999999", nil), ("7' OR '1'='1", nil),
    ]) func `the session's tenant is its setting, and nobody where that is no number`(setting: (String, String?)) throws
    {
        #expect(try connection.execute("SELECT millrace_tenant()").string(0, 0) == "0")
        try connection.query("SELECT set_config('millrace.tenant', $1, false)", parameters: [.text(setting.0)])
        #expect(try connection.execute("SELECT millrace_tenant()").string(0, 0) == setting.1)
        try Partitions(connection: connection).ensureAhead(months: 0, from: 0)
        try connection.execute(
            """
            INSERT INTO conversations (tenant_id, id, conversation_id, user_id, question, response, created_at, batch_id)
            SELECT tenant, gen_random_uuid(), 'c', gen_random_uuid(), 'q', 'r', '1970-01-05 00:00:00+00', 1
            FROM unnest(ARRAY[0, 7, 12, 999999999]) AS tenant
            """)
        let seen = try connection.execute("SELECT string_agg(tenant_id::text, ' ') FROM user_questions_complete")
        #expect(seen.string(0, 0) == setting.1)
    }

    @Test func `a conversation as long as a line may be is searchable, not refused`() throws {
        try Partitions(connection: connection).ensureAhead(months: 0, from: 0)
        let rows = try connection.execute(
            """
            INSERT INTO conversations (id, conversation_id, user_id, question, response, created_at, batch_id)
            SELECT gen_random_uuid(), 'c', gen_random_uuid(),
                (SELECT string_agg(chr(x'20000'::int + n), ' ') FROM generate_series(1, 40000) AS n),
                (SELECT string_agg(md5(n::text), ' ') FROM generate_series(1, 16000) AS n),
                '1970-01-05 00:00:00+00', 1
            """
        ).affectedRows
        #expect(rows == 1)
    }
}
