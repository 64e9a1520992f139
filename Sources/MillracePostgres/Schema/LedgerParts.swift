/// What a migration adds to the ledger, made before it: its checks and indexes read all rows, of which there may be many
/// millions. Columns are added for an instant under the lock, with checks that are NOT VALID; those are validated, and indexes
/// built, while rows are written. What an interruption leaves is gone on from. Blocks.
struct LedgerParts: Sendable {
    private static let table = "public.ingest_batches"

    struct Part: Sendable {
        var name: String
        /// What follows the name of a column, the name of a check, or `ON table`.
        var definition: String

        init(_ name: String, _ definition: String) {
            self.name = name
            self.definition = definition
        }
    }

    var columns: [Part]
    var check: Part
    var index: Part?

    /// Without a word of what is there already. `isValid`: the check reads all rows.
    private func statements(isValid: Bool) -> String {
        let added = columns.map { "ADD COLUMN IF NOT EXISTS \($0.name) \($0.definition)" }
        return """
            ALTER TABLE \(Self.table) \(added.joined(separator: ", "));
            DO $check$
            BEGIN
                IF NOT EXISTS (
                    SELECT
                    FROM pg_catalog.pg_constraint
                    WHERE conrelid = '\(Self.table)'::regclass AND conname = '\(check.name)'
                ) THEN
                    ALTER TABLE \(Self.table)
                        ADD CONSTRAINT \(check.name) CHECK (\(check.definition))\(isValid ? "" : " NOT VALID");
                END IF;
            END
            $check$
            """
    }

    /// `sql`, a migration's, with these parts as far as they are lacking.
    func completing(_ sql: String) -> String {
        var rest = sql
        let beginnings = ["ALTER TABLE \(Self.table)\n"] + (index.map { ["CREATE INDEX \($0.name)\n"] } ?? [])
        for beginning in beginnings {
            guard let start = rest.firstRange(of: beginning)?.lowerBound,
                let end = rest[start...].firstRange(of: ";\n")?.upperBound
            else { preconditionFailure("the migration makes what is made before it") }
            rest.removeSubrange(start..<end)
        }
        let made = index.map { "CREATE INDEX IF NOT EXISTS \($0.name) ON \(Self.table) \($0.definition);\n" } ?? ""
        return statements(isValid: true) + ";\n" + made + rest
    }

    /// In no transaction.
    func build(
        on connection: PostgresConnection, timeout: Duration, onWait: () -> Void
    ) throws(PostgresError) {
        let check = try connection.query(
            "SELECT convalidated FROM pg_catalog.pg_constraint WHERE conrelid = to_regclass($1) AND conname = $2",
            parameters: [.text(Self.table), .text(check.name)])
        if check.rowCount == 0 {
            try connection.transaction(timeout: timeout) { () throws(PostgresError) in
                try MigrationLocks(connection: connection, timeout: timeout).take([Self.table], onWait: onWait)
                try connection.execute(statements(isValid: false))
            }
        }
        if check.bool(0, 0) != true {
            try connection.execute(
                "ALTER TABLE \(Self.table) VALIDATE CONSTRAINT \(self.check.name)", timeout: timeout)
        }
        guard let index else { return }
        let known = try connection.query(
            "SELECT indisvalid FROM pg_catalog.pg_index WHERE indexrelid = to_regclass($1)",
            parameters: [.text("public.\(index.name)")])
        guard known.bool(0, 0) != true else { return }
        try connection.execute("DROP INDEX CONCURRENTLY IF EXISTS public.\(index.name)", timeout: timeout)
        try connection.execute(
            "CREATE INDEX CONCURRENTLY \(index.name) ON \(Self.table) \(index.definition)", timeout: timeout)
    }
}

extension Migration {
    /// What of the ledger is made before it; nil: nothing.
    var ledgerParts: LedgerParts? {
        switch title {
        case "joined_batches":
            LedgerParts(
                columns: [.init("last_batch_id", "bigint"), .init("batches", "bigint NOT NULL DEFAULT 1")],
                check: .init(
                    "ingest_batches_joined_check",
                    """
                    (last_batch_id IS NULL AND batches = 1)
                    OR (last_batch_id IS NOT NULL AND last_batch_id > batch_id AND batches > 1)
                    """),
                index: .init("ingest_batches_joined_idx", "(batch_id) WHERE last_batch_id IS NOT NULL"))
        case "bounded_refusals":
            LedgerParts(
                columns: [.init("dropped", "bigint NOT NULL DEFAULT 0")],
                check: .init("ingest_batches_dropped_check", "dropped BETWEEN 0 AND refused"))
        default: nil
        }
    }
}
