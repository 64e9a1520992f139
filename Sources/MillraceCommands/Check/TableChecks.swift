internal import MillracePostgres

/// Looks for what somebody added to Millrace's tables and what could refuse, change or hide a row. Looks at triggers, rules,
/// row security and NOT NULL columns; a CHECK or a foreign key refuses single rows, which become dead letters.
struct TableChecks {
    let connection: PostgresConnection

    /// Columns that the daemon fills, of the tables it inserts into.
    private static let written: [(table: String, columns: String)] =
        PartitionedTable.allCases.map { ("public.\($0.rawValue)", $0.encodedColumns) } + [
            ("public.ingest_batches", "spool_id, first_seq, last_seq, batch_id, rows, duplicates, dead"),
            ("public.ingest_spools", "spool_id, host, version"),
            ("public.ingest_runs", "spool_id, first_seq, host, version"),
            ("public.outbox", "id, tenant_id, event_type, user_id, payload, created_at"),
            ("public.dead_letters", "spool_id, sequence, kind, code, message, received_at, batch_id"),
            ("public.event_ids", "id, tenant_id, created_at"),
            ("projections.parked", "version_id, pack, fold, key, code, message, event_at, event_id, batch_id"),
        ]

    /// The tables, their partitions, and those of the packs.
    private static let relations = """
        own AS (
            SELECT table_name, columns, to_regclass(table_name) AS oid
            FROM unnest($1::text[], $2::text[]) AS own (table_name, columns)
        ), relation AS (
            SELECT oid, columns
            FROM own
            WHERE oid IS NOT NULL
            UNION ALL
            SELECT link.inhrelid, own.columns
            FROM own
            JOIN pg_catalog.pg_inherits AS link ON link.inhparent = own.oid
            UNION ALL
            SELECT class.oid, NULL
            FROM pg_catalog.pg_class AS class
            JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace
            WHERE class.relkind IN ('r', 'p')
                AND (space.nspname = 'projections' OR space.nspname LIKE 'projections\\_%' OR class.oid = to_regclass('public.outbox'))
                AND class.oid NOT IN (SELECT oid FROM own WHERE oid IS NOT NULL)
        )
        """

    func run() throws(PostgresError) -> [CheckResult] {
        [
            try result(
                "columns",
                """
                SELECT DISTINCT field.attname || ' of ' || relation.oid::regclass
                FROM relation
                JOIN pg_catalog.pg_attribute AS field ON field.attrelid = relation.oid
                WHERE relation.columns IS NOT NULL
                    AND field.attnum > 0 AND NOT field.attisdropped AND field.attnotnull
                    AND NOT field.atthasdef AND field.attidentity = ''
                    AND field.attname <> ALL (string_to_array(relation.columns, ', '))
                """,
                fine: "no column wants a value that the daemon does not give",
                found: "NOT NULL, without a default, and not Millrace's",
                fix: "Give the column a DEFAULT, or let it be NULL."),
            try result(
                "triggers",
                """
                SELECT trigger.tgname || ' on ' || relation.oid::regclass
                FROM relation
                JOIN pg_catalog.pg_trigger AS trigger ON trigger.tgrelid = relation.oid
                JOIN pg_catalog.pg_proc AS function ON function.oid = trigger.tgfoid
                JOIN pg_catalog.pg_namespace AS space ON space.oid = function.pronamespace
                WHERE NOT trigger.tgisinternal AND trigger.tgenabled <> 'D' AND trigger.tgparentid = 0
                    AND space.nspname <> 'projections' AND space.nspname NOT LIKE 'projections\\_%'
                    AND function.oid IS DISTINCT FROM to_regproc('public.refuse_conversation_change')
                    AND function.oid IS DISTINCT FROM to_regproc('public.queue_user_erasures')
                """,
                fine: "none but Millrace's and the packs'", found: "not Millrace's",
                fix:
                    "Drop it (DROP TRIGGER … ON …): it can refuse, change or swallow rows of a batch. Read from the tables, or "
                    + "from a publication, instead."),
            try result(
                "rules",
                """
                SELECT rule.rulename || ' on ' || relation.oid::regclass
                FROM relation
                JOIN pg_catalog.pg_rewrite AS rule ON rule.ev_class = relation.oid
                WHERE rule.ev_type <> '1' AND rule.ev_enabled <> 'D'
                """,
                fine: "none", found: "not Millrace's",
                fix: "Drop it (DROP RULE … ON …): COPY goes past it, and INSERT does not."),
            try result(
                "row security",
                """
                SELECT relation.oid::regclass::text
                FROM relation
                WHERE row_security_active(relation.oid)
                """,
                fine: "not in force for this role", found: "in force for this role",
                fix:
                    "ALTER TABLE … NO FORCE ROW LEVEL SECURITY, connect as the tables' owner, or give the role BYPASSRLS."
            ),
        ]
    }

    /// `found`: what the things listed by `query` are.
    private func result(
        _ name: String, _ query: String, fine: String, found: String, fix: String
    ) throws(PostgresError) -> CheckResult {
        let rows = try connection.query(
            "WITH \(Self.relations) \(query) ORDER BY 1",
            parameters: [.array(Self.written.map(\.table)), .array(Self.written.map(\.columns))])
        let names = (0..<rows.rowCount).compactMap { rows.string($0, 0) }
        let shown = names.prefix(5).joined(separator: ", ") + (names.count > 5 ? " and \(names.count - 5) more" : "")
        return CheckResult(
            name, ok: names.isEmpty, detail: names.isEmpty ? fine : "\(shown): \(found)", fix: fix)
    }
}
